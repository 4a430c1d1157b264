"""The functions of the public API; commands stand on them too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from container.abi import Profile
from container.errors import RunefileError, UsageError
from container.files import write_atomically
from container.manifest import MAXIMUM_PATCHES, Optimization
from container.sections import load as load_container
from runefile.files import find_runefile

if TYPE_CHECKING:
    from builder.blocking.chosen import Chosen
    from builder.patches import Patching, PatchOptions
    from builder.shrinking import Removed
    from runefile.check import CheckResult
    from runefile.pipeline import TypedPipeline
    from runtime.application import Application
    from runtime.limits import Limits
    from runtime.verify import VerificationReport

Report: TypeAlias = Callable[[str], None]

PROFILES = tuple(Profile)
GOLDEN_SAMPLES = 4
"""How many seeded random inputs the golden vectors of a container have."""
AUTO: Literal["auto"] = "auto"
"""As many patches as need the least memory."""
Patches: TypeAlias = int | Literal["auto"]


def _silent(message: str) -> None:
    """Tells nobody."""


def check(runefile: Path | str = ".") -> TypedPipeline:
    """Check a Runefile, or the one in a folder, and give the pipeline with all its types.

    Raises RunefileError, or CompileError when only models are at fault; its message holds every diagnostic.
    """
    result = diagnose(runefile)
    if result.pipeline is None:
        raise result.error()
    return result.pipeline


def build(
    runefile: Path | str = ".",
    output: Path | str | None = None,
    *,
    profiles: Sequence[Profile | str] = PROFILES,
    optimize: Optimization | str = Optimization.BALANCED,
    blockings: Path | str | None = None,
    golden: Path | str | None = None,
    golden_samples: int = GOLDEN_SAMPLES,
    patches: Patches | None = None,
    max_ram: int | None = None,
    progress: Report = _silent,
    warn: Report = _silent,
) -> Path:
    """Compile a Runefile, or the one in a folder, and return the path of the container.

    `output` is by default the name of the Runefile's folder and `.rune`, in the working directory.
    `optimize` is `speed`, `balanced` or `size`: fast code, code that is both, or little flash; the answers
    are the same.  `blockings` is a file of `rune tune`, with the blocks that kernels of boards compute at a
    time.  Golden vectors are made of `golden_samples` seeded random inputs and of `golden`, a `.npz` file
    with an array for each capability.  `patches` computes the first layers in so many patches, one after
    the other, which takes less memory and more work: a number, or `auto` for the least memory; `max_ram`, in
    bytes, takes the least work with which the container stays within so much RAM.  `progress` is told each
    phase as it begins, `warn` what the container lacks.  Raises RunefileError, CompileError, UsageError;
    BudgetError when no patches make it as small as `max_ram`; RuneError when `output` cannot be written.
    """
    path = locate(runefile)
    progress("check")
    return build_pipeline(
        check(path),
        output or default_output(path),
        profiles=profiles,
        optimize=optimize,
        blockings=blockings,
        golden=golden,
        golden_samples=golden_samples,
        patches=patches,
        max_ram=max_ram,
        progress=progress,
        warn=warn,
    )


def load(
    container: Path | str, *, profile: Profile | str | None = None, limits: Limits | None = None
) -> Application:
    """Load a `.rune` file, ready to run; close it, or use it in a `with` statement.

    `profile` is `simd` or `mcu`; left out, it is `simd` where the container has it.  Raises ContainerError,
    LimitError; UsageError for a profile there is not.
    """
    from runtime.application import Application

    return Application.load(container, profile=profile, limits=limits)


def verify(
    container: Path | str, *, profiles: Sequence[Profile | str] = (), limits: Limits | None = None
) -> VerificationReport:
    """Run the golden vectors sealed in a `.rune` file, in each profile or those given.

    The report tells what differs; its method `check` raises VerificationError where anything does.  Raises
    ContainerError when none are sealed, TrapError, LimitError.
    """
    from runtime.verify import verify as run_vectors

    return run_vectors(load_container(container), profiles=profiles, limits=limits)


def diagnose(runefile: Path | str = ".") -> CheckResult:
    """Check a Runefile, or the one in a folder: the pipeline, or everything that is wrong.

    Raises RunefileError only when there is no such file or it cannot be read.
    """
    from builder.catalog import CATALOG
    from builder.importers import read_signature
    from runefile.check import check_file

    return check_file(locate(runefile), blocks=CATALOG, models=read_signature)


def build_pipeline(
    pipeline: TypedPipeline,
    output: Path | str,
    *,
    profiles: Sequence[Profile | str] = PROFILES,
    optimize: Optimization | str = Optimization.BALANCED,
    blockings: Path | str | None = None,
    golden: Path | str | None = None,
    golden_samples: int = GOLDEN_SAMPLES,
    patches: Patches | None = None,
    max_ram: int | None = None,
    progress: Report = _silent,
    warn: Report = _silent,
    removed: Callable[[Removed], None] = lambda removed: None,
    patched: Callable[[Patching], None] = lambda patching: None,
) -> Path:
    """Compile a checked pipeline into a file; the arguments are those of `build`.

    `removed` is told what each graph pass took out, `patched` which layers became patches.

    Raises CompileError, UsageError, BudgetError; RuneError when `output` cannot be written.
    """
    chosen, optimization = _profiles(profiles), _optimization(optimize)
    if golden_samples < 0:
        raise UsageError(f"{golden_samples} golden samples are asked for, expected 0 or more")
    from builder.build import build_container
    from builder.golden import GoldenOptions

    tuned = None if blockings is None else _tuned(Path(blockings), optimization)
    options = GoldenOptions(samples=golden_samples, file=None if golden is None else Path(golden))
    data = build_container(
        pipeline,
        profiles=chosen,
        optimization=optimization,
        blockings=tuned,
        golden=options,
        patches=_patch_options(patches, max_ram),
        progress=progress,
        warn=warn,
        removed=removed,
        patched=patched,
    )
    if tuned is not None and Profile.MCU in chosen and not tuned.found:
        warn(f"{blockings}: none of its layers is in this pipeline")
    write_atomically(Path(output), data)
    return Path(output)


def _patch_options(patches: Patches | None, max_ram: int | None) -> PatchOptions | None:
    if patches is None and max_ram is None:
        return None
    if patches is not None and max_ram is not None:
        raise UsageError(
            "both a number of patches and the RAM are given",
            hint="the RAM alone takes as many patches as it needs",
        )
    if (
        patches is not None
        and patches != AUTO
        and not (isinstance(patches, int) and 2 <= patches <= MAXIMUM_PATCHES)
    ):
        raise UsageError(f"{patches!r} patches are asked for, expected 2 to {MAXIMUM_PATCHES}, or {AUTO!r}")
    if max_ram is not None and max_ram < 1:
        raise UsageError(f"{max_ram} bytes of RAM are allowed, expected 1 or more")
    from builder.patches import PatchOptions

    return PatchOptions(None if patches == AUTO else patches, max_ram)


def locate(runefile: Path | str) -> Path:
    """The Runefile meant by a path, which may be its folder.  Raises RunefileError when there is none."""
    path = Path(runefile)
    if path.is_dir():
        return find_runefile(path)
    if not path.exists():
        raise RunefileError(f"{path}: there is no such file", hint="name a Runefile, or the folder it is in")
    return path


def default_output(runefile: Path) -> Path:
    """Where a container goes by default: named as the Runefile's folder, in the working directory."""
    return Path(f"{runefile.resolve().parent.name or 'app'}.rune")


def _profiles(names: Sequence[Profile | str]) -> tuple[Profile, ...]:
    try:
        chosen = {Profile(name) for name in names}
    except ValueError as error:
        raise UsageError(f"{error}", hint=f"the profiles are {' and '.join(PROFILES)}") from None
    if not chosen:
        raise UsageError("no profile is given", hint=f"the profiles are {' and '.join(PROFILES)}")
    return tuple(profile for profile in PROFILES if profile in chosen)


def _optimization(name: Optimization | str) -> Optimization:
    try:
        return Optimization(name)
    except ValueError as error:
        raise UsageError(f"{error}", hint=f"expected one of {', '.join(Optimization)}") from None


def _tuned(file: Path, optimization: Optimization) -> Chosen:
    from builder.blocking.chosen import Chosen
    from builder.blocking.cost import CostModel
    from builder.blocking.tuned import read_tuning

    return Chosen(read_tuning(file).choices, CostModel(optimization))
