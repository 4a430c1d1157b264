"""LiteRT.js (XNNPACK in WebAssembly with relaxed SIMD, one thread), in the Node that npm brings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from container.cache import cache_folder

PACKAGES = ("@litertjs/core@2.5.3", "node@24.21.0")
"""Relaxed SIMD is in every Node since 22."""
_INSTALL_S = 300


def litert_js(model: Path) -> Callable[[int], None] | None:
    """Runs an int8 model so many times; None where npm is not installed."""
    if shutil.which("npm") is None:
        return None
    modules = _installed() / "node_modules"
    script = Path(__file__).with_suffix(".mjs")
    process = subprocess.Popen(
        [modules / ".bin" / "node", script, modules / "@litertjs" / "core", model],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        bufsize=1,
    )

    def run(count: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{count}\n")
        if process.stdout.readline() != "done\n":
            raise SystemExit(f"LiteRT.js does not run {model.name}")

    return run


def _installed() -> Path:
    """The folder with the packages, which npm fills."""
    folder = cache_folder() / "-".join(PACKAGES).replace("/", "-")
    if not (folder / "node_modules" / ".bin" / "node").exists():
        folder.mkdir(parents=True, exist_ok=True)
        print(f"npm install {' '.join(PACKAGES)} (into {folder})", file=sys.stderr)
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), *PACKAGES]
        subprocess.run(command, check=True, timeout=_INSTALL_S, stdout=sys.stderr)
    return folder
