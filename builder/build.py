"""From a checked pipeline to the bytes of its container: the list of steps."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from builder.golden import Golden, GoldenOptions, golden_vectors
from builder.target import Target
from container import __version__
from container.abi import ABI_VERSION, MAXIMUM_MEMORY_BYTES, Profile
from container.errors import CompileError
from container.golden import encode
from container.manifest import Manifest, MemoryPlan, ModelRecord, OperatorRecord, Optimization, PatchRecord
from container.sections import seal
from runefile.pipeline import TypedPipeline

if TYPE_CHECKING:
    from builder.blocking.shapes import Blockings
    from builder.emit import Unit
    from builder.patches import Patching, PatchOptions
    from builder.shrinking import GraphPass, Removed

Report = Callable[[str], None]
"""Is told the name of each phase as it begins, or a warning."""

PROFILES = (Profile.SIMD, Profile.MCU)
DEFAULT_GOLDEN = GoldenOptions()
NO_VECTORS = Golden((), ())
LEAST_WORKSPACE = 1536
"""Bytes that copies of windows may take in any pipeline."""
TENSORS_TO_WORKSPACE = 5
"""They may take more where tensors alone need so many times as much."""
TOOLS = ("apache-tvm", "ziglang", "tflite", "onnx")
"""Packages whose versions can change a container's bytes."""


def build_container(
    pipeline: TypedPipeline,
    *,
    profiles: Sequence[Profile] = PROFILES,
    optimization: Optimization = Optimization.BALANCED,
    blockings: Blockings | None = None,
    golden: GoldenOptions = DEFAULT_GOLDEN,
    progress: Report = lambda phase: None,
    warn: Report = lambda message: None,
    removed: Callable[[Removed], None] = lambda removed: None,
    patches: PatchOptions | None = None,
    patched: Callable[[Patching], None] = lambda patching: None,
) -> bytes:
    """Compiles a pipeline into the bytes of its container.

    `blockings` chooses the blocks of boards' kernels in the place of the cost model.
    Without an independent engine for its models it carries no golden vectors, of which `warn` is told;
    `removed` is told what each graph pass took out, `patched` which layers became patches.
    Raises CompileError when the pipeline cannot be compiled, UsageError when the golden file does not fit it
    or patches lower nothing, BudgetError when it cannot be as small as they ask.
    """
    progress("import")
    from builder.assemble import assemble
    from builder.shrinking import shrink

    module = assemble(pipeline)
    progress("shrink")
    module = shrink(module, graph_passes(), removed)
    patching = None
    if patches is not None:
        progress("patches")
        # Those who ask have a board in mind.
        profile = Profile.MCU if Profile.MCU in profiles else profiles[0]
        patching = _patched(pipeline, module, Target(profile, optimization, blockings), patches)
    if patching is not None:
        patched(patching)
    elif patches is not None and patches.max_ram is None:
        warn("patches: they would lower nothing here, so there are none")
    modules: dict[Profile, bytes] = {}
    plans: dict[Profile, MemoryPlan] = {}
    for profile in profiles:
        target = Target(profile, optimization, blockings)
        whole = module if patching is None else patching.applied(module, target)
        modules[profile], plans[profile] = compile_target(pipeline, whole, target, progress)
    progress("golden vectors")
    sealed = golden_vectors(pipeline, golden)
    if sealed.reason:
        warn(f"golden vectors: {sealed.reason}")
    progress("seal")
    record = patching.record if patching is not None else None
    manifest = manifest_of(pipeline, plans, optimization, sealed, record)
    return seal(manifest, modules, encode(sealed.vectors) if sealed.vectors else None)


def manifest_of(
    pipeline: TypedPipeline,
    plans: Mapping[Profile, MemoryPlan],
    optimization: Optimization,
    golden: Golden = NO_VECTORS,
    patches: PatchRecord | None = None,
) -> Manifest:
    """What a container of a pipeline says of itself."""
    return Manifest(
        abi=ABI_VERSION,
        name=pipeline.name,
        stages=pipeline.stages,
        models=_model_records(pipeline),
        plans=plans,
        tools=tool_versions(),
        golden_engines=golden.engines,
        golden_tolerance=golden.tolerance,
        optimization=optimization,
        patches=patches,
    )


def graph_passes() -> tuple[GraphPass, ...]:
    """The rewrites of a whole pipeline, in their order; every bit of its outputs stays as it was."""
    from builder.passes.constant_folding import fold_constants
    from builder.passes.dead_channels import remove_dead_channels
    from builder.passes.dead_code import remove_dead_code
    from builder.passes.duplicates import merge_duplicates
    from builder.passes.identities import remove_identities
    from builder.passes.padding import merge_padding

    return (
        remove_dead_code,
        merge_duplicates,
        fold_constants,
        remove_identities,
        merge_padding,
        remove_dead_channels,
    )


def compile_target(
    pipeline: TypedPipeline, module: Any, target: Target, progress: Report
) -> tuple[bytes, MemoryPlan]:
    """The WebAssembly for one target, and where its memory goes."""
    progress(f"lower ({target.profile})")
    unit = emit_target(pipeline, module, target)
    progress(f"compile ({target.profile})")
    return link_target(pipeline, unit, target)


def emit_target(pipeline: TypedPipeline, module: Any, target: Target) -> Unit:
    """The C of a pipeline for one target.  Raises CompileError when it needs too much memory."""
    from builder.codegen import generate
    from builder.emit import emit_unit
    from builder.lower import lower
    from builder.program import read_program

    program = read_program(lower(module, _sparing(module, target)))
    unit = emit_unit(program, generate(program.functions), pipeline.stages, target.profile)
    _check_memory(unit.arena, unit.operators)
    return unit


def _sparing(module: Any, target: Target) -> Target:
    """The target, told what workspaces may take beside tensors: little, unless only speed counts."""
    from builder.liveness import Lives

    if target.profile is not Profile.MCU or target.optimization is Optimization.SPEED:
        return target
    room = max(LEAST_WORKSPACE, Lives(module).peak() // TENSORS_TO_WORKSPACE)
    return replace(target, column_bytes=min(target.column_bytes, room))


def link_target(pipeline: TypedPipeline, unit: Unit, target: Target) -> tuple[bytes, MemoryPlan]:
    """The WebAssembly of a unit, and where its memory goes."""
    from builder.blocks.base import block_sources
    from builder.toolchain import compile_unit

    linked = compile_unit(unit.source, target, block_sources(pipeline))
    plan = MemoryPlan(
        linear_memory=linked.linear_memory,
        read_only=linked.read_only,
        arena=unit.arena,
        stack=linked.stack,
        progress=linked.progress,
        operators=unit.operators,
        state=unit.state,
        blocks=unit.blocks,
    )
    return linked.wasm, plan


def _patched(pipeline: TypedPipeline, module: Any, target: Target, options: PatchOptions) -> Patching | None:
    """First layers in patches, by the memory that they take for a target."""
    from builder.patches import choose

    return choose(
        module,
        options,
        target,
        arena=lambda module: emit_target(pipeline, module, target).arena,
        ram=lambda module: compile_target(pipeline, module, target, lambda phase: None)[1].ram,
    )


def _check_memory(arena: int, operators: Sequence[OperatorRecord]) -> None:
    """Raises CompileError when the activations alone are more than any host accepts."""
    if arena > MAXIMUM_MEMORY_BYTES:
        largest = max(operators, key=lambda operator: operator.arena_bytes)
        raise CompileError(
            f"stage `{largest.stage}`: operator {largest.name} needs {largest.arena_bytes:,} bytes of memory "
            f"for its tensors; a container may have {MAXIMUM_MEMORY_BYTES:,}",
            hint="use a smaller input or a smaller model",
        )


def _model_records(pipeline: TypedPipeline) -> tuple[ModelRecord, ...]:
    return tuple(
        ModelRecord(stage, model.file, model.format, hashlib.sha256(model.data).hexdigest(), len(model.data))
        for stage, model in pipeline.models.items()
    )


def tool_versions() -> Mapping[str, str]:
    versions = {name: importlib.metadata.version(name) for name in TOOLS}
    return {**versions, "rune": __version__}
