"""TIR functions to C functions, by TVM's `c` target.

Every buffer parameter becomes a plain pointer; temporaries too large for the stack become further
parameters, so that the memory plan decides where they lie; literals keep every bit.  There are no packed
functions, no allocations and no TVM runtime in the result.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tvm
import tvm_ffi
from tvm import s_tir
from tvm import tirx as tir

for _operator, _function in (("tirx.fabs", "fabsf"), ("tirx.exp2", "exp2f")):
    # TVM's C target has rules for most functions of the C library, but none for these.
    tir.register_intrin_lowering(
        _operator,
        target="c",
        f=lambda call, name=_function: tir.call_pure_extern(
            str(call.ty.dtype), name if str(call.ty.dtype) == "float32" else name[:-1], *call.args
        ),
    )

STACK_BYTES = 64
"""The largest temporary that stays on the stack."""
SCALAR_BYTES = 8
"""The largest variable."""

_LITERALS = {"float32": ("rune_f32", "<f", "<I", "uint32"), "float64": ("rune_f64", "<d", "<Q", "uint64")}
_FUNCTION = re.compile(r"^TVM_DLL (int32_t (\w+)\(.*\)) \{$")


@dataclass(frozen=True)
class CFunction:
    """`int32_t name(...)`: pointers to arguments, results and workspaces, in this order."""

    name: str
    source: str
    workspaces: tuple[int, ...]
    """Bytes of each temporary that it must be given."""


def generate(functions: Mapping[str, Any]) -> dict[str, CFunction]:
    """C for TIR functions, by name."""
    sizes: dict[str, list[int]] = {name: [] for name in functions}
    module = tvm.IRModule(
        {
            # TVM shrinks a temporary to what it sees used, but what C does behind an address it does not see.
            name: _with_workspaces(function.with_attr("global_symbol", name), sizes[name], SCALAR_BYTES)
            for name, function in functions.items()
        }
    )
    pointers = {}
    for variable, function in _lowering()(module).functions.items():
        whole = _with_workspaces(_exact_literals(function), sizes[variable.name_hint], STACK_BYTES)
        pointers[variable] = _with_pointers(whole)
    sources = _print(tvm.IRModule(pointers))
    return {name: CFunction(name, sources[name], tuple(sizes[name])) for name in functions}


def _lowering() -> Any:
    """TVM's way from scheduled TIR to loops over flat buffers, without what serves its runtime or GPUs."""
    return tvm.ir.transform.Sequential(
        [
            s_tir.transform.CanonicalizeLoop(),
            s_tir.transform.LowerInitBlock(),
            s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
            s_tir.transform.ConvertBlocksToOpaque(),
            s_tir.transform.CompactBufferAllocation(),
            s_tir.transform.LowerMatchBuffer(),
            tir.transform.StmtSimplify(),
            s_tir.transform.LowerOpaqueBlock(),
            tir.transform.FlattenBuffer(),
            tir.transform.NarrowDataType(32),
            s_tir.transform.LoopPartition(),
            tir.transform.StmtSimplify(),
            tir.transform.RemoveNoOp(),
        ]
    )


def _exact_literals(function: Any) -> Any:
    """Floating-point literals by their bits: the C target prints six digits of them."""

    def exact(literal: Any) -> Any:
        dtype = str(literal.ty.dtype)
        name, as_float, as_integer, integer = _LITERALS[dtype]
        (bits,) = struct.unpack(as_integer, struct.pack(as_float, float(literal.value)))
        return tir.call_pure_extern(dtype, name, tir.const(bits, integer))

    return tvm_ffi.structural_map(function, [(tir.FloatImm, exact)])


def _with_workspaces(function: Any, sizes: list[int], limit: int) -> Any:
    """The function with temporaries above `limit` bytes as parameters; `sizes` is told their bytes."""
    buffers = []

    def hoist(allocation: Any) -> Any:
        size = _bytes(allocation.buffer)
        if size <= limit:
            return allocation
        sizes.append(size)
        buffers.append(allocation.buffer)
        return tir.Evaluate(0)

    body = tvm_ffi.structural_map(function.body, [(tir.AllocBuffer, hoist)])
    parameters = [*function.params, *buffers]
    return tir.PrimFunc(parameters, body, ret_type=function.ret_type, attrs=function.attrs)


def _with_pointers(function: Any) -> Any:
    """The function with a plain pointer for each buffer, returning int32."""
    parameters = [tir.Var(buffer.name, tvm.ir.PointerType(buffer.ty.dtype)) for buffer in function.params]
    declarations = [
        tir.DeclBuffer(buffer, data=pointer)
        for buffer, pointer in zip(function.params, parameters, strict=True)
    ]
    statements = tir.SeqStmt([*declarations, function.body, tir.Return(tir.const(0, "int32"))])
    return tir.PrimFunc(parameters, statements, tvm.ir.PrimType("int32"), attrs=function.attrs)


def _bytes(buffer: Any) -> int:
    count = 1
    for extent in buffer.ty.shape:
        count *= int(extent)
    return count * int(tvm.DataType(str(buffer.ty.dtype)).bits) // 8


def _print(module: Any) -> dict[str, str]:
    target = tvm.target.Target("c")
    module = tir.transform.LowerIntrin()(tir.transform.BindTarget(target)(module))
    text = tvm.get_global_func("target.build.c")(module, target).inspect_source()
    return dict(_definitions(text.splitlines()))


def _definitions(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The function definitions in TVM's output, without its headers, prototypes and linkage."""
    definitions, body, name = [], [], ""
    for line in lines:
        start = _FUNCTION.match(line)
        if start:
            name, body = start[2], [f"static {start[1]} {{"]
        elif name:
            body.append(line)
            if line == "}":
                definitions.append((name, "\n".join(body) + "\n"))
                name = ""
    return definitions
