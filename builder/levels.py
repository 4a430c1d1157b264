"""A function for each level of cores that `rune_core_level` tells (container/dsp_helpers.h).

A kernel that computes the same in another way where a core has no DSP instructions takes the level as an
argument, which TIR passes as a call of LEVEL.  Its function becomes one for each level, and a choice of them:
a board, which knows its level, keeps a single one.  They stay apart so that none changes how another is
compiled.
"""

from __future__ import annotations

import re

LEVEL = "RUNE_LEVEL"
LEVELS = ("RUNE_LEVEL_SINGLE", "RUNE_LEVEL_SUMS", "RUNE_LEVEL_DSP")

_APART = "__attribute__((noinline)) "
_HEAD = re.compile(r"static int32_t (?P<name>\w+)\((?P<parameters>[^)]*)\) \{")


def for_levels(source: str) -> str:
    """The C of a function, in as many ways as there are levels where it asks for the level.

    A macro of its name chooses, so that each way is called from where the function was called.  Those without
    DSP instructions stay functions and see no addresses: whoever calls is compiled as if they were not there.
    """
    if f"{LEVEL}()" not in source:
        return source
    head = _HEAD.match(source)
    assert head is not None
    name, parameters = head["name"], head["parameters"]
    names = re.findall(r"(\w+)\s*(?:,|$)", parameters)
    ways = {level: f"{name}{level.removeprefix(LEVEL).lower()}" for level in LEVELS}
    definitions = [
        f"{'' if level == LEVELS[-1] else _APART}static int32_t {way}({parameters}) {{"
        + source[head.end() :].replace(f"{LEVEL}()", level)
        for level, way in reversed(ways.items())
    ]
    opaque = ", ".join(f"rune_opaque({argument})" for argument in names)
    given = ", ".join(names)
    single, sums, dsp = (f"{way}({given if way == ways[LEVELS[-1]] else opaque})" for way in ways.values())
    choice = (
        f"rune_core_level() == {LEVELS[2]} ? {dsp} : rune_core_level() == {LEVELS[1]} ? {sums} : {single}"
    )
    return "\n".join([*definitions, f"#define {name}({given}) ({choice})\n"])
