"""How long a user waits for a command: `python3 tasks.py bench commands`.

Whole processes, one after the other, with every cache warm: `rune run` of a container to its answer, and
`rune build` of the same.  The digits example, and the keyword model beside the checkout where it is.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.models import ROOT, model_path
from rune.text import table

KEYWORDS_RUNEFILE = """\
FROM runicos/base
CAPABILITY<I8[1,49,10,1]> features RAW
MODEL<I8[1,49,10,1],I8[1,12]> kws ./kws.tflite
OUT serial
RUN features kws serial
"""
RUNE = (sys.executable, "-c", "from rune.cli import main; main()")


def commands(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What to measure, by name; a container is built before it is run."""
    digits = ROOT / "examples" / "digits"
    yield "build digits", ["build", str(digits), "-o", str(folder / "digits.rune")]
    yield "run digits", ["run", str(folder / "digits.rune"), "--image", str(digits / "seven.png")]
    keywords = model_path("keyword spotting")
    if keywords.exists():
        (folder / "kws.tflite").write_bytes(keywords.read_bytes())
        (folder / "Runefile").write_text(KEYWORDS_RUNEFILE)
        (folder / "features.raw").write_bytes(bytes(490))
        yield "build kws", ["build", str(folder), "-o", str(folder / "kws.rune")]
        yield "run kws", ["run", str(folder / "kws.rune"), "--raw", str(folder / "features.raw")]


def seconds(arguments: list[str], rounds: int) -> list[float]:
    """Of each round, after one that fills the caches."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        subprocess.run([*RUNE, *arguments], cwd=ROOT, check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return sorted(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a user waits for a command.")
    parser.add_argument("--rounds", type=int, default=10, help="how often each command is run (default: 10)")
    rounds = max(1, parser.parse_args().rounds)
    rows = [["command", "fastest, s", "median, s", "slowest, s"]]
    with tempfile.TemporaryDirectory(prefix="rune-bench-") as folder:
        for name, arguments in commands(Path(folder)):
            taken = seconds(arguments, rounds)
            rows.append([name, f"{taken[0]:.2f}", f"{statistics.median(taken):.2f}", f"{taken[-1]:.2f}"])
    print(table(rows, right=range(1, 4)))


if __name__ == "__main__":
    main()
