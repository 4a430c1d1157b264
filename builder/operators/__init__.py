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
    for kind in sorted(_subclasses(Operator), key=lambda kind: kind.__module__):
        operator = kind()
        operator.register()
        operators[f"rune.{operator.name}"] = operator
    return operators


@cache
def by_tflite_name() -> Mapping[str, Operator]:
    """The operator that reads each TensorFlow Lite operator."""
    return {name: operator for operator in by_name().values() for name in operator.tflite}


def _subclasses(kind: type[Operator]) -> set[type[Operator]]:
    """Concrete operators below `kind`; shared bases leave `name` unset."""
    found: set[type[Operator]] = set()
    for subclass in kind.__subclasses__():
        found |= _subclasses(subclass)
        if "name" in vars(subclass):
            found.add(subclass)
    return found
