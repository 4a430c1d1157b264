"""Rows of an image, and an image of rows: both without a copy, since rows lie one after the other in memory.

They come of computing layers patch by patch (`builder/passes/patches.py`) and never become code: the memory
plan puts what they give where their argument lies, or their arguments where what they give lies.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from tvm import relax
from tvm.ir import register_op_attr

from builder.operators.base import Node, Operator, Unsupported, dtype_of, shape_of

ROWS = "rune.rows"
STACKED_ROWS = "rune.stacked_rows"
VIEWS = (ROWS, STACKED_ROWS)


class View(Operator):
    """An operator that stays in Relax when others become kernels, and so tells Relax its type."""

    @abstractmethod
    def height(self, call: Any) -> int:
        """Rows of the result of a call."""

    def read_tflite(self, node: Node) -> Any:
        raise Unsupported("no model asks for rows by themselves")

    def register(self) -> None:
        super().register()
        register_op_attr(f"rune.{self.name}", "FInferType", self._infer)

    def _infer(self, call: Any, builder: Any) -> Any:
        one, _, width, channels = shape_of(call.args[0])
        return relax.TensorType((one, self.height(call), width, channels), dtype_of(call.args[0]))


class Rows(View):
    """The rows from `start` to `stop`, without the last, of an image [1, height, width, channels]."""

    name = "rows"

    def of(self, image: Any, start: int, stop: int) -> Any:
        """The call on an image."""
        one, _, width, channels = shape_of(image)
        shape = (one, stop - start, width, channels)
        return self.call([image], {"start": start, "stop": stop}, shape, dtype_of(image))

    def height(self, call: Any) -> int:
        return int(call.attrs["stop"]) - int(call.attrs["start"])


class StackedRows(View):
    """The image whose rows from `starts` on are those of the arguments; each is used for nothing else.

    Together they have all of its rows, and where two have the same row it is the same in both.  They were
    computed by the last `steps` calls, of the image that is the last argument.
    """

    name = "stacked_rows"

    def of(self, images: Sequence[Any], starts: Sequence[int], source: Any, steps: int) -> Any:
        """The call on images [1, height, width, channels] of one dtype, width and number of channels."""
        one, rows, width, channels = shape_of(images[-1])
        shape = (one, starts[-1] + rows, width, channels)
        return self.call([*images, source], {"starts": starts, "steps": steps}, shape, dtype_of(images[0]))

    def height(self, call: Any) -> int:
        return int(call.attrs["starts"][-1]) + shape_of(call.args[-2])[1]
