"""The DSP helpers of the `mcu` profile, as `dsp_helpers.h` beside this file defines them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

HEADER = Path(__file__).with_name("dsp_helpers.h")

_HELPER = re.compile(r"^RUNE_DSP_(?:HELPER\((\w+), \(([^)]*)\)|QUERY\((\w+))", re.MULTILINE)


@cache
def helpers() -> Mapping[str, int]:
    """The number of 32-bit words that each helper takes, none for a query; each returns one."""
    text = HEADER.read_text(encoding="utf-8")
    return {name or query: given.count("uint32_t") for name, given, query in _HELPER.findall(text)}
