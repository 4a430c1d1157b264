"""Whether everything that Rune uses is in place on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

REQUIRED = {
    "apache-tvm": "compiles pipelines",
    "tflite": "reads TensorFlow Lite models",
    "onnx": "reads ONNX models",
    "ziglang": "holds clang, which makes WebAssembly",
    "wasmtime": "runs containers",
}
"""The distributions that commands cannot do without, and what each is for."""
OPTIONAL = {
    "tflite-micro": "computes golden vectors of TensorFlow Lite models",
    "onnxruntime": "computes golden vectors of ONNX models",
}
INSTALL = "pip install rune-tinyml"
INSTALL_GOLDEN = "pip install 'rune-tinyml[golden]'"
OLDEST_PYTHON = (3, 11)
ZIG_TIMEOUT_S = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    found: str | None
    """Its version; None where it is not there or does not work."""
    purpose: str
    fix: str
    """The command that brings it."""
    required: bool = True

    @property
    def ok(self) -> bool:
        return self.found is not None


def examine() -> Sequence[Finding]:
    """Look at Python, the packages and the programs, in the order in which to show them."""
    python = ".".join(map(str, sys.version_info[:3]))
    new_enough = sys.version_info >= OLDEST_PYTHON
    return (
        Finding("python", python if new_enough else None, "runs Rune", "install Python 3.11 or later"),
        *(Finding(name, _version(name), purpose, INSTALL) for name, purpose in REQUIRED.items()),
        Finding("clang", _clang(), "compiles the kernels", f"{INSTALL} --force-reinstall ziglang"),
        *(
            Finding(name, _version(name), purpose, INSTALL_GOLDEN, required=False)
            for name, purpose in OPTIONAL.items()
        ),
        Finding("dot", _dot(), "draws `rune graph` as SVG", "apt install graphviz", required=False),
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _clang() -> str | None:
    """The version of zig's clang, as it says itself: a broken installation does not."""
    command = [sys.executable, "-m", "ziglang", "cc", "--version"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=ZIG_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    words = result.stdout.split()
    return words[words.index("version") + 1] if "version" in words[:-1] else None


def _dot() -> str | None:
    return shutil.which("dot")
