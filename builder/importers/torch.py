"""PyTorch's exported programs into Relax: TVM's frontend reads ATen, rewrites make whole operators of it.

PyTorch itself is optional, and needed for building only.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from builder.importers.frontend import compiler_faults, silence
from builder.importers.ports import MAXIMUM_ELEMENTS
from builder.importers.torch_file import harmless_archive
from container.errors import CompileError

_HINT = "replace what is not supported by simpler operators, or export the model as ONNX: torch.onnx.export"


def import_model(
    emit: Callable[[Any, str], Any], data: bytes, file: str, stage: str, inputs: Sequence[Any]
) -> list[Any]:
    """Emits the model's operators, `emit(expression, name)` binding each; returns the values of its outputs.

    Raises CompileError: without PyTorch, and naming every operator that cannot be compiled.
    """
    from builder.passes import whole_and_integer_operators
    from builder.passes.inlining import inline_function
    from builder.passes.kernels import missing_kernels

    with compiler_faults(file, stage, _HINT), silence():
        module = _relax(load_program(data, file), file, stage)
        _check_sizes(module, file)
        module = whole_and_integer_operators(module)
        missing = {f"{kernel.operator}: {kernel.reason}" for kernel in missing_kernels(module)}
    if missing:
        lines = [f"stage `{stage}`: {file} cannot be compiled:", *sorted(f"  operator {m}" for m in missing)]
        raise CompileError("\n".join(lines), hint=_HINT)
    return inline_function(emit, module, inputs)


def load_program(data: bytes, file: str) -> Any:
    """The ExportedProgram in a file, of which PyTorch sees no more than what was checked.

    Raises CompileError when it is damaged or PyTorch is missing.
    """
    archive = harmless_archive(data, file)
    try:
        import torch
    except ImportError as fault:
        raise CompileError(
            f"{file}: PyTorch, which reads its models, is not installed",
            hint="pip install torch, or with the version that was tested: pip install 'rune-tinyml[torch]'",
        ) from fault
    try:
        return torch.export.load(io.BytesIO(archive))
    except Exception as fault:  # it raises of every kind
        from builder.passes.faults import summary

        raise CompileError(
            f"{file}: PyTorch {torch.__version__} cannot read it: {summary(fault)}",
            hint="export it again with that version of PyTorch",
        ) from fault


def _check_sizes(module: Any, file: str) -> None:
    """Refuses huge results before any of them is computed ahead."""
    from builder.operators.base import shape_of

    for block in module["main"].body.blocks:
        for binding in block.bindings:
            if hasattr(binding.var.ty, "dtype") and math.prod(shape_of(binding.var)) > MAXIMUM_ELEMENTS:
                shape = list(shape_of(binding.var))
                raise CompileError(
                    f"{file}: a result has the shape {shape}: over {MAXIMUM_ELEMENTS} elements"
                )


def _relax(program: Any, file: str, stage: str) -> Any:
    from tvm.relax.frontend.torch import from_exported_program

    try:
        return from_exported_program(program, run_ep_decomposition=True, keep_params_as_input=False)
    except AssertionError as fault:
        names = re.findall(r"'([^']+)'", str(fault)) if "Unsupported function" in str(fault) else []
        if not names:
            raise
        listed = ", ".join(f"`{name}`" for name in sorted(names))
        raise CompileError(
            f"stage `{stage}`: {file} cannot be compiled: unsupported operators: {listed}", hint=_HINT
        ) from fault
