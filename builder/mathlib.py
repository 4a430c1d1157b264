"""The C library's mathematics for containers: from what the `ziglang` package ships, built once and cached.

zig's compiler_rt has the common functions; musl's sources, which come with zig, have the rest.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

from container.cache import cached
from container.errors import CompileError
from container.zig import run_zig

TARGET = "wasm32-freestanding"
"""What clang calls the machine of a container."""

COMPILER_RT = frozenset(
    [
        "expf",
        "exp2f",
        "logf",
        "log2f",
        "log10f",
        "sinf",
        "cosf",
        "tanf",
        "floorf",
        "ceilf",
        "truncf",
        "roundf",
        "fmodf",
        "fmaf",
        "sqrtf",
        "fabsf",
        "exp",
        "exp2",
        "log",
        "log2",
        "log10",
        "sin",
        "cos",
        "tan",
        "floor",
        "ceil",
        "trunc",
        "round",
        "fmod",
        "fma",
        "sqrt",
        "fabs",
        "memcpy",
        "memset",
        "memmove",
        "memcmp",
    ]
)
_MUSL_ERRORS = tuple(f"__math_{kind}" for kind in ("oflowf", "uflowf", "xflowf", "invalidf", "divzerof"))
_ASIN = ("asinf", *_MUSL_ERRORS)
_EXPM1 = ("expm1f", *_MUSL_ERRORS)
_MUSL_ERRORS_OF_DOUBLES = tuple(error.removesuffix("f") for error in _MUSL_ERRORS)
MUSL: dict[str, tuple[str, ...]] = {
    "pow": ("pow", "pow_data", "exp_data", *_MUSL_ERRORS_OF_DOUBLES),
    "powf": ("powf", "powf_data", "exp2f_data", *_MUSL_ERRORS),
    "erff": ("erff",),
    "expm1f": _EXPM1,
    "asinf": _ASIN,
    # These are in `math.h` and stand on others.
    **dict.fromkeys(("tanhf", "sinhf"), _EXPM1),
    **dict.fromkeys(("acosf", "atanf"), _ASIN),
    **dict.fromkeys(("log1pf", "coshf", "asinhf", "acoshf", "atanhf", "nearbyintf"), ()),
}
"""Source files that each function needs, without their ending."""


def unknown_functions(source: str) -> list[str]:
    """The functions that C from TVM's back end calls and that neither this file nor our kernels have."""
    called = set(re.findall(r"\b([a-z]\w*)\(", source))
    known = {*MUSL, *COMPILER_RT, "if", "for", "while", "switch", "return", "sizeof"}
    defined = set(re.findall(r"\bint32_t (\w+)\(", source))
    return sorted(name for name in called - known - defined if not name.startswith("rune_"))


def math_objects(source: str) -> list[str]:
    """Object files and archives that a unit must be linked with, for the functions it calls."""
    called = {name for name in re.findall(r"\b(\w+)\(", source) if name in MUSL or name in COMPILER_RT}
    if not called:
        return []
    files = sorted({file for name in called if name in MUSL for file in MUSL[name]})
    return [str(_musl_object(file)) for file in files] + [str(_compiler_rt())]


def _compiler_rt() -> Path:
    def build(folder: Path, output: str) -> None:
        (folder / "empty.zig").write_text("")
        options = ["-target", TARGET, "-O", "ReleaseFast", "-fcompiler-rt", "-fstrip"]
        run_zig(folder, "build-lib", *options, "empty.zig", f"-femit-bin={output}")

    return _cached("compiler_rt.a", build)


def _musl_object(name: str) -> Path:
    def build(folder: Path, output: str) -> None:
        musl = _zig_folder() / "lib" / "libc" / "musl"
        includes = [f"-I{musl / part}" for part in ("arch/generic", "src/internal", "src/include")]
        flags = ["-target", "wasm32-wasi", "-O2", "-fno-sanitize=all", "-ffp-contract=off", *includes]
        run_zig(folder, "cc", *flags, "-c", str(musl / "src" / "math" / f"{name}.c"), "-o", output)

    return _cached(f"{name}.o", build)


def _cached(name: str, build: Callable[[Path, str], None]) -> Path:
    return cached(f"zig-{importlib.metadata.version('ziglang')}/{name}", build)


def _zig_folder() -> Path:
    spec = importlib.util.find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise CompileError("the package `ziglang` is not installed", hint="pip install ziglang")
    return Path(spec.origin).parent
