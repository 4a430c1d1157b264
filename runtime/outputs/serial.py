"""SERIAL: one JSON line per inference.

Keys are sorted and there are no spaces.  A float is the shortest text that reads back to the same number of
its type.  JSON has no word for what is not finite: such a value is the text "NaN", "Infinity" or "-Infinity".
Text is UTF-8 up to its first NUL; whatever a terminal could take for a command is escaped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from container.execution import named_outputs
from container.manifest import Manifest, StageKind
from container.scalars import plain_values
from container.tensors import TensorType
from runtime.outputs.tensor import is_tensor


def line(manifest: Manifest, outputs: Mapping[int, bytes], sequence: int) -> str:
    """The line of inference number `sequence`, without its end; `outputs` are by number of `write`.

    TENSOR outputs are not in it: they go to their files.
    """
    stages = [stage for stage in manifest.of_kind(StageKind.OUT) if not is_tensor(stage)]
    shown = {
        stage.name: [_value(kind, outputs[port]) for _, port, kind in named_outputs(stage)]
        for stage in stages
    }
    text = json.dumps(
        {"outputs": shown, "seq": sequence},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text if text.isprintable() else "".join(map(_printable, text))


def _value(kind: TensorType, data: bytes) -> dict[str, Any]:
    return {
        "dtype": kind.element.value,
        "shape": list(kind.shape),
        "values": list(map(_shown, plain_values(kind, data))),
    }


def _shown(value: float | str) -> float | str:
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _printable(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]
