"""The rules of the house: who may import whom, and what is imported when."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("container", "runefile", "builder", "runtime", "devices", "rune")
ALLOWED = {
    "container": set(),
    "runefile": {"container"},
    "builder": {"runefile", "container"},
    "runtime": {"runefile", "container"},
    "devices": {"runefile", "container"},
    "rune": {"runefile", "container", "builder", "runtime", "devices"},
}
COMPILER = {"tvm", "tvm_ffi"}
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    """Top-level names of whatever a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def in_project(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str) -> None:
    wrong = [
        f"{in_project(path)} imports {name}"
        for path in SOURCES
        if path.is_relative_to(ROOT / package)
        for name in imports(path)
        if name in PACKAGES and name != package and name not in ALLOWED[package]
    ]
    assert wrong == []


def test_only_the_builder_imports_the_compiler() -> None:
    outside = [path for path in SOURCES if not path.is_relative_to(ROOT / "builder")]
    assert [in_project(path) for path in outside if COMPILER & set(imports(path))] == []


def test_importing_the_api_is_light() -> None:
    program = (
        "import sys, rune\n"
        "heavy = {'tvm', 'numpy', 'wasmtime', 'onnx', 'PIL', 'lark', 'click'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_code_does_not_know_where_it_was_written() -> None:
    """Paths of one machine have no place in it; tests find foreign files through `tests/shared.py`."""
    machine = re.compile(r"/(?:home|root|work|tmp)/\w+")
    files = [*SOURCES, *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.py"), ROOT / "tasks.py"]
    assert [in_project(path) for path in files if machine.search(path.read_text())] == []


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *extras["golden"], *extras["torch"]]
    declared = {re.split(r"[<>=~!\[ ]", requirement)[0].lower() for requirement in requirements}
    distributions = metadata.packages_distributions()
    foreign = {name for path in SOURCES for name in imports(path)} - {*sys.stdlib_module_names, *PACKAGES}
    # The older engine of golden vectors, which needs another Python than we do, is used where it is found.
    undeclared = {
        name
        for name in foreign - {"tflite_runtime"}
        if declared.isdisjoint(
            distribution.lower().replace("_", "-") for distribution in distributions.get(name, [name])
        )
    }
    assert undeclared == set()
