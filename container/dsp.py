"""The DSP helpers of the `mcu` profile, as `dsp_helpers.h` beside this file defines them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

HEADER = Path(__file__).with_name("dsp_helpers.h")

_HELPER = re.compile(r"^RUNE_DSP_HELPER\((\w+), \(([^)]*)\)", re.MULTILINE)


@cache
def helpers() -> Mapping[str, int]:
    """The number of 32-bit words that each helper takes; each returns one."""
    text = HEADER.read_text(encoding="utf-8")
    return {found[1]: found[2].count("uint32_t") for found in _HELPER.finditer(text)}
