"""The kernel test vectors of CMSIS-NN: for each case the parameters of a C header, and arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from tests.shared import shared_path

Array = np.ndarray[Any, Any]

FOLDER = "models/cmsis_nn_tests"


@dataclass(frozen=True)
class Case:
    """One case; the names of its parameters and arrays are without the case's own, with which all begin."""

    name: str
    parameters: Mapping[str, str]
    arrays: Mapping[str, Array]

    @property
    def is_float(self) -> bool:
        return any(array.dtype.kind == "f" for array in self.arrays.values())

    def has(self, name: str) -> bool:
        return name in self.parameters or name in self.arrays

    def text(self, *names: str) -> str:
        """The first parameter of these names that there is."""
        found = next((name for name in names if name in self.parameters), None)
        if found is None:
            raise KeyError(f"case {self.name} has none of the parameters {', '.join(names)}")
        return self.parameters[found]

    def integer(self, *names: str) -> int:
        return int(self.text(*names))

    def number(self, *names: str) -> float:
        """A float as the case has it: rounded to float32."""
        return float(np.float32(self.text(*names).removesuffix("f")))

    def flag(self, name: str) -> bool:
        return self.parameters.get(name, "0").lower() in ("1", "true")

    def array(self, *names: str) -> Array:
        """The first array of these names that there is."""
        found = next((name for name in names if name in self.arrays), None)
        if found is None:
            raise KeyError(f"case {self.name} has none of the arrays {', '.join(names)}")
        return self.arrays[found]


@cache
def cases() -> dict[str, Case]:
    """All cases by name.  Skips the test where the vectors are absent."""
    folder = shared_path(FOLDER)
    parameters = json.loads((folder / "config.json").read_text())
    arrays: dict[str, dict[str, Array]] = {name: {} for name in parameters}
    with np.load(folder / "testdata.npz") as file:
        for key in file.files:
            name, array = key.split("__", 1)
            arrays[name][array.removeprefix(f"{name}_")] = file[key]
    return {name: Case(name, _named(name, parameters[name]), arrays[name]) for name in parameters}


def _named(case: str, parameters: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(f"{case.upper()}_"): value for name, value in parameters.items()}


def unpacked_int4(data: Array, count: int) -> Array:
    """The first `count` values of two to a byte, the lower half first."""
    low, high = (data << 4).astype("int8") >> 4, data >> 4
    return np.stack([low, high], axis=-1).reshape(-1)[:count]
