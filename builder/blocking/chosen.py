"""Choices that are given, in the place of those of the cost model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from builder.blocking.shapes import Blocking, Blockings, Convolution, Planes, Strips

Layer: TypeAlias = Convolution | Planes
Choice: TypeAlias = Blocking | Strips


class Chosen:
    """Gives what is chosen for some layers, and what others choose for the rest; notes what is asked for."""

    def __init__(self, given: Mapping[Layer, Choice], others: Blockings) -> None:
        self._given = given
        self._others = others
        self.choices: dict[Layer, Choice] = {}
        """What was asked for and given, in the order of execution."""
        self.uses = Counter[Layer]()
        """How many layers have a shape."""

    def convolution(self, layer: Convolution) -> Blocking:
        given = self._given.get(layer)
        choice = given if isinstance(given, Blocking) else self._others.convolution(layer)
        self._note(layer, choice)
        return choice

    def depthwise(self, layer: Planes) -> Strips:
        given = self._given.get(layer)
        choice = given if isinstance(given, Strips) else self._others.depthwise(layer)
        self._note(layer, choice)
        return choice

    @property
    def found(self) -> bool:
        """Whether something that is given was asked for."""
        return any(layer in self._given for layer in self.choices)

    def _note(self, layer: Layer, choice: Choice) -> None:
        self.choices[layer] = choice
        self.uses[layer] += 1
