"""`tasks.py`: sets up once, says what it needs, and runs what it promises."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tasks

ROOT = Path(__file__).parents[2]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, ...]]:
    """Every command that tasks run, in a project folder whose environment is empty."""
    ran: list[tuple[str, ...]] = []

    def record(*command: str | Path, check: bool = True) -> int:
        ran.append(tuple(map(str, command)))
        if "venv" in command:
            tasks.PYTHON.parent.mkdir(parents=True)
            tasks.PYTHON.touch()
        return 0

    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(tasks, "ROOT", tmp_path)
    monkeypatch.setattr(tasks, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(tasks, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(tasks, "STAMP", tmp_path / ".venv" / "installed")
    monkeypatch.setattr(tasks, "run", record)
    return ran


def test_needs_the_standard_library_alone() -> None:
    tree = ast.parse((ROOT / "tasks.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_installs_once(commands: list[tuple[str, ...]]) -> None:
    tasks.prepare("test")
    assert [command[1:3] for command in commands] == [("-m", "venv"), ("-m", "pip")]
    assert commands[-1][-2:] == ("--editable", ".[test]")
    commands.clear()
    tasks.prepare("test")
    tasks.prepare()
    assert commands == []


def test_installs_again_for_more_extras_and_after_a_change(commands: list[tuple[str, ...]]) -> None:
    tasks.prepare()
    tasks.prepare("test")
    assert commands[-1][-1] == ".[test]"
    commands.clear()
    (tasks.ROOT / "pyproject.toml").write_text("[project]\nname = 'changed'\n")
    tasks.prepare()
    assert [command[-1] for command in commands] == ["."]
    tasks.prepare("test")
    assert [command[-1] for command in commands] == [".", ".[test]"]


def test_goes_on_without_debian_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "DEBIAN_PACKAGES", {"no-such-program": "no-such-package"})
    monkeypatch.setattr(tasks, "as_root", lambda *command: None)
    tasks.prepare_debian()
    assert "going on without no-such-package" in capsys.readouterr().err


def test_a_package_is_known_by_a_program_or_by_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "there.h").touch()
    signs = {"python3": "a", "no-such-program": "b", f"{tmp_path}/there.h": "c", f"{tmp_path}/gone.h": "d"}
    asked: list[list[str]] = []

    def install(packages: list[str]) -> bool:
        asked.append(packages)
        return True

    monkeypatch.setattr(tasks, "DEBIAN_PACKAGES", signs)
    monkeypatch.setattr(tasks, "install_debian_packages", install)
    tasks.prepare_debian()
    assert asked == [["b", "d"]]


def test_test_lints_and_then_runs_pytest(
    commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "prepare_debian", lambda: None)
    assert tasks.test([]) == 0
    assert [command[2] for command in commands[2:]] == ["ruff", "ruff", "mypy", "pytest"]


def test_demo_runs_an_example_here_and_on_a_virtual_board(
    commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks.demo([])
    assert capsys.readouterr().out.splitlines() == [
        "$ rune build examples/digits/Runefile -o .venv/digits.rune",
        "$ rune run .venv/digits.rune --image examples/digits/seven.png",
        "$ rune flash .venv/digits.rune --board nrf52840 --port sim",
        "$ rune run .venv/digits.rune --image examples/digits/seven.png --port sim",
        "$ rune verify .venv/digits.rune --port sim",
    ]
    programs = [Path(command[0]).name for command in commands[2:]]
    assert programs == ["rune"] * 5


def test_bench_measures_this_machine_or_what_is_named(commands: list[tuple[str, ...]]) -> None:
    (tasks.ROOT / "benchmarks").mkdir()
    (tasks.ROOT / "benchmarks" / "boards.py").touch()
    tasks.bench(["kws.rune"])
    assert commands[-1][1:] == ("-m", "benchmarks.host", "kws.rune")
    tasks.bench(["boards", "kws.tflite"])
    assert commands[-1][1:] == ("-m", "benchmarks.boards", "kws.tflite")


def test_unknown_task_is_refused_with_the_list() -> None:
    result = subprocess.run(
        [sys.executable, "tasks.py", "deploy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert all(name in result.stderr for name in tasks.TASKS)


def test_continuous_integration_runs_the_same_strictly(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\necho "$RUNE_STRICT $*"\n')
    python.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    result = subprocess.run(
        [ROOT / ".ci" / "run"], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "1 tasks.py test\n"


@pytest.mark.parametrize(("strict", "outcome"), [("0", "2 skipped"), ("1", "1 failed, 1 error")])
def test_a_skip_is_a_failure_where_tests_are_strict(tmp_path: Path, strict: str, outcome: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_one.py").write_text("import pytest\ndef test_it(): pytest.skip('no tool')\n")
    (tmp_path / "test_file.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "RUNE_STRICT": strict},
        capture_output=True,
        text=True,
    )
    assert outcome in result.stdout
