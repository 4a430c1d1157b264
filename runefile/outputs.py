"""The kinds of outputs that a pipeline may end in, and their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runefile.signatures import Parameter, ParameterKind


@dataclass(frozen=True)
class OutputKind:
    """A kind of output; it takes tensors of any type, any number of them."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...] = ()


OUTPUTS: Mapping[str, OutputKind] = {
    kind.name: kind
    for kind in (
        OutputKind("SERIAL", "one line of JSON per inference"),
        OutputKind(
            "TENSOR",
            "the bytes of the tensors, row-major, little-endian",
            (Parameter("file", ParameterKind.TEXT, "the file they are written to"),),
        ),
    )
}
