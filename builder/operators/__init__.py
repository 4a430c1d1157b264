"""The operators, a file each, found by themselves."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from builder.operators.base import Operator


@cache
def by_name() -> Mapping[str, Operator]:
    """Every operator of this folder by its name in Relax, `rune.NAME`, registered there."""
    operators: dict[str, Operator] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        importlib.import_module(f"{__name__}.{module.name}")
    for operator in _operators():
        operator.register()
        operators[f"rune.{operator.name}"] = operator
    return operators


@cache
def by_tflite_name() -> Mapping[str, Operator]:
    """The operator that reads each TensorFlow Lite operator."""
    return {name: operator for operator in by_name().values() for name in operator.tflite}


def _operators() -> list[Operator]:
    """One of each concrete operator; the bases that several share leave `name` unset."""
    kinds: list[type[Operator]] = Operator.__subclasses__()
    found = []
    for kind in kinds:
        kinds += kind.__subclasses__()
        if "name" in vars(kind):
            found.append(kind())
    return found
