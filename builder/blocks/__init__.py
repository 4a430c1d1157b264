"""Proc blocks, a file each; and the names that a block of the user's own is written with."""

from builder.blocks.base import Block, CSource, Emitter, NoReference
from container.tensors import ElementType, Quantization, TensorType
from runefile.signatures import BlockUse, Parameter, ParameterKind, TypeRuleError

__all__ = [
    "Block",
    "BlockUse",
    "CSource",
    "ElementType",
    "Emitter",
    "NoReference",
    "Parameter",
    "ParameterKind",
    "Quantization",
    "TensorType",
    "TypeRuleError",
]
