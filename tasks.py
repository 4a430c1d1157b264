#!/usr/bin/env python3
"""The one list of tasks: `python3 tasks.py demo | test | lint | bench | docs`.

Uses the standard library alone, so that it runs on a machine where nothing is prepared.  Every task first
makes sure of `.venv`; that takes no time once the environment fits `pyproject.toml`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUNE = VENV / "bin" / "rune"
STAMP = VENV / "installed"
"""Holds one line for each extra that was installed, with the digest of what it was installed from."""
OLDEST_PYTHON = (3, 11)

DEBIAN_PACKAGES = {
    "dot": "graphviz",
    # Boards: emulators, the tools that flash them, and the compiler for AVR.
    "qemu-system-arm": "qemu-system-arm",
    "simavr": "simavr",
    "/usr/include/simavr/sim_avr.h": "libsimavr-dev",
    "gcc": "gcc",
    "avrdude": "avrdude",
    "avr-gcc": "gcc-avr",
    "/usr/lib/avr/include/avr/io.h": "avr-libc",
    "/usr/share/arduino/hardware/arduino/avr/boards.txt": "arduino-core-avr",
    "stm32flash": "stm32flash",
}
"""What tests use from Debian: a program, or a file where a package has none; and the package."""


class TaskError(Exception):
    """A task cannot go on; the message says why and what to do."""


def say(message: str) -> None:
    print(f"[tasks] {message}", file=sys.stderr, flush=True)


def run(*command: str | Path, check: bool = True) -> int:
    """Run a command from the root of the project; returns its exit status, or raises TaskError on failure."""
    status = subprocess.run([str(word) for word in command], cwd=ROOT).returncode
    if check and status != 0:
        raise TaskError(f"`{' '.join(str(word) for word in command)}` failed with exit status {status}")
    return status


def as_root(*command: str) -> list[str] | None:
    """The command in a form that runs as root without a password, or None where that is not possible."""
    if os.geteuid() == 0:
        return list(command)
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True).returncode == 0:
        return [sudo, "-n", *command]
    return None


def install_debian_packages(packages: Sequence[str]) -> bool:
    """Install through apt where this machine has it and we may; returns whether it was done."""
    install = as_root("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    update = as_root("apt-get", "update", "-qq")
    if not packages or not shutil.which("apt-get") or install is None or update is None:
        return not packages
    say(f"installing Debian packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return all(
        subprocess.run(command, stdout=subprocess.DEVNULL, env=environment).returncode == 0
        for command in (update, install)
    )


def is_there(sign: str) -> bool:
    """Whether a program is on the PATH, or a file exists."""
    return Path(sign).exists() if sign.startswith("/") else shutil.which(sign) is not None


def prepare_debian() -> None:
    """Install what tests use from Debian; go on without what cannot be had."""
    missing = [package for sign, package in DEBIAN_PACKAGES.items() if not is_there(sign)]
    if not install_debian_packages(missing):
        say(f"going on without {' '.join(missing)}: tests that need them are skipped")


def create_environment() -> None:
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        raise TaskError(f"Python {found} is too old: run this with Python 3.11 or later")
    if importlib.util.find_spec("ensurepip") is None and not install_debian_packages(["python3-venv"]):
        raise TaskError("this Python cannot create environments: install the package python3-venv")
    say(f"creating {VENV.name}")
    run(sys.executable, "-m", "venv", "--clear", VENV)


def prepare(*extras: str) -> None:
    """Make sure that `.venv` exists and holds the project with these extras.

    What was installed is remembered with a digest of `pyproject.toml`, so the second time costs nothing.
    """
    source = f"{sys.version_info[:3]} {ROOT}".encode() + (ROOT / "pyproject.toml").read_bytes()
    digest = hashlib.sha256(source).hexdigest()
    wanted = {f"{digest} {extra}" for extra in ("", *extras)}
    installed = set(STAMP.read_text().splitlines()) if STAMP.is_file() else set()
    if wanted <= installed and PYTHON.exists():
        return
    if not PYTHON.exists():
        create_environment()
    names = f"[{','.join(extras)}]" if extras else ""
    say(f"installing the project{f' with {names}' if names else ''}")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f".{names}")
    kept = {line for line in installed if line.startswith(digest)}
    STAMP.write_text("\n".join(sorted(kept | wanted)) + "\n")


def demo(_: Sequence[str]) -> int:
    """Build an example, show it a picture of a digit here and on a virtual board, and verify it."""
    prepare("golden")
    example, container = ROOT / "examples" / "digits", VENV / "digits.rune"
    show("rune", "build", example / "Runefile", "-o", container)
    show("rune", "run", container, "--image", example / "seven.png")
    show("rune", "flash", container, "--board", "nrf52840", "--port", "sim")
    show("rune", "run", container, "--image", example / "seven.png", "--port", "sim")
    show("rune", "verify", container, "--port", "sim")
    return 0


def show(program: str, *arguments: str | Path) -> None:
    """Print a command as a user would type it, then run it."""
    words = [str(word.relative_to(ROOT)) if isinstance(word, Path) else word for word in arguments]
    print(f"$ {' '.join([program, *words])}", flush=True)
    run(VENV / "bin" / program, *words)


def lint(_: Sequence[str]) -> int:
    """Check style and types: ruff, which answers at once, then mypy."""
    prepare("golden", "lint", "test")
    commands = (
        ("ruff", "check", "--quiet", "."),
        ("ruff", "format", "--check", "--quiet", "."),
        ("mypy",),
    )
    return max(run(PYTHON, "-m", *command, check=False) for command in commands)


def test(arguments: Sequence[str]) -> int:
    """Lint, then run every test; further arguments go to pytest."""
    prepare_debian()
    # PyTorch from PyPI is gigabytes: only where a skipped test is a failure is it asked for.
    strict = ("torch",) if os.environ.get("RUNE_STRICT") == "1" else ()
    prepare("golden", "lint", "test", *strict)
    lint_status = 0 if arguments else lint([])
    pytest_status = run(
        PYTHON, "-m", "pytest", *(arguments or ("-n", "2", "--dist", "worksteal")), check=False
    )
    return max(lint_status, pytest_status)


def bench(arguments: Sequence[str]) -> int:
    """Measure on this machine, or what is named: host, commands, instructions, boards...."""
    prepare("golden")
    known = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    name, *rest = arguments if arguments and arguments[0] in known else ("host", *arguments)
    return run(PYTHON, "-m", f"benchmarks.{name}", *rest, check=False)


def docs(_: Sequence[str]) -> int:
    """Write the pages that are made from the code: the commands and the proc blocks."""
    prepare()
    return run(PYTHON, "-m", "docs.generate", check=False)


TASKS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": demo,
    "test": test,
    "lint": lint,
    "bench": bench,
    "docs": docs,
}


def main() -> int:
    summaries = "\n".join(
        f"  {name:6} {(task.__doc__ or '').splitlines()[0]}" for name, task in TASKS.items()
    )
    parser = argparse.ArgumentParser(
        description=f"The project's tasks.\n\n{summaries}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on by `test` and `bench`")
    options = parser.parse_args()
    try:
        return TASKS[options.task](options.arguments)
    except TaskError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
