"""What the documents show is what happens: their console sessions and Python examples are run.

A block marked `console` holds commands after `$ ` and what they print; one marked `python` is run as it is,
or as a doctest when it has prompts.  The blocks of a page share one folder, a copy of the examples.  `...` in
an output stands for any text.  Blocks with other marks are not run.
"""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<mark>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
COMMAND_TIMEOUT_S = 120


@dataclass
class Workplace:
    """A folder with the examples and a `rune` command."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str) -> str:
        """What a shell command prints, errors included."""
        result = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        return result.stdout


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    programs, folder = tmp_path / "bin", tmp_path / "work"
    programs.mkdir()
    shutil.copytree(ROOT / "examples", folder / "examples")
    rune = programs / "rune"
    rune.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from rune.cli import main; main()' \"$@\"\n")
    rune.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }
    return Workplace(folder, environment)


def blocks(page: Path, mark: str) -> list[str]:
    return [match["body"] for match in BLOCK.finditer(page.read_text()) if match["mark"] == mark]


def sessions(body: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it prints."""
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
    found = []
    for part in parts:
        lines = part.splitlines(keepends=True)
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\\n"))
        found.append(("".join(lines[: end + 1]), "".join(lines[end + 1 :])))
    return found


def same(wanted: str, got: str) -> bool:
    return doctest.OutputChecker().check_output(wanted, got, doctest.ELLIPSIS)


def named(pages: list[Path], mark: str) -> list[object]:
    return [pytest.param(page, id=page.name) for page in pages if blocks(page, mark)]


@pytest.mark.parametrize("page", named(PAGES, "console"))
def test_console_sessions(page: Path, workplace: Workplace) -> None:
    for body in blocks(page, "console"):
        for command, wanted in sessions(body):
            got = workplace.run(command)
            assert same(wanted, got), f"$ {command}printed\n{got}\nbut {page.name} shows\n{wanted}"


@pytest.mark.parametrize("page", named(PAGES, "python"))
def test_python_examples(page: Path, workplace: Workplace) -> None:
    script = workplace.folder / "page.py"
    script.write_text("\n".join(blocks(page, "python")))
    arguments = "-m doctest -o ELLIPSIS page.py" if ">>> " in script.read_text() else "page.py"
    assert workplace.run(f"{sys.executable} -W error {arguments}") == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize(
    ("mark", "file"), [("text", "Runefile"), ("c", "energy.c"), ("python", "differences.py")]
)
def test_the_page_on_blocks_shows_the_files_of_the_example(mark: str, file: str) -> None:
    text = (ROOT / "examples" / "blocks" / file).read_text()
    assert blocks(ROOT / "docs" / "proc-blocks.md", mark) == [text]


def test_the_readme_shows_the_digits_runefile() -> None:
    runefile = (ROOT / "examples" / "digits" / "Runefile").read_text()
    lines = [line for line in runefile.splitlines(keepends=True) if not line.startswith("#")]
    assert "".join(lines) in blocks(ROOT / "README.md", "text")
