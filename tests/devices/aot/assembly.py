"""Loops in the assembly text that clang writes for a Cortex-M, and the checks in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

TRAP = "rune_on_trap"
"""What a check calls that fails."""

_FUNCTION = re.compile(r"^([A-Za-z_]\w*):")
_LABEL = re.compile(r"^(\.L\w+):")
_INSTRUCTION = re.compile(r"^\t([a-z][\w.]*)\t?(.*)")
_JUMP = re.compile(r"^b(?:\.[nw])?$")
_CONDITIONAL = re.compile(r"^(?:b(?:eq|ne|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)(?:\.[nw])?|cbn?z)$")
_PRODUCT = re.compile(r"^(?:smla|smua|smul|mla|mul|vmla|vmul|vfma)")
_BACK = -1
"""In the place of an instruction: the caller."""


@dataclass(frozen=True)
class Loop:
    """A loop that holds no other."""

    function: str
    products: int
    """Instructions that multiply."""
    checks: int
    """Branches of which one side leads to a trap alone."""


def innermost_loops(text: str) -> list[Loop]:
    """Those of all functions of an assembly file."""
    return [loop for name, lines in _functions(text).items() for loop in _loops(name, lines)]


def _functions(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if name := _FUNCTION.match(line):
            lines = found.setdefault(name[1], [])
        lines.append(line.split("@ ")[0].rstrip())
    return found


def _loops(function: str, lines: Sequence[str]) -> list[Loop]:
    instructions, labels = _parsed(lines)
    ways = [
        [target for target in _targets(at, *instruction, labels) if target < len(instructions)]
        for at, instruction in enumerate(instructions)
    ]
    before: dict[int, list[int]] = {at: [] for at in range(_BACK, len(ways))}
    for at, targets in enumerate(ways):
        for target in targets:
            before[target].append(at)
    bodies: dict[int, set[int]] = {}
    for at, head in _back_edges(ways):
        bodies.setdefault(head, set()).update(_leading_to([at], before, but=head))
    returning = _leading_to([_BACK], before)
    return [
        Loop(
            function,
            products=sum(bool(_PRODUCT.match(instructions[at][0])) for at in body),
            checks=sum(any(way not in returning for way in ways[at]) for at in body),
        )
        for head, body in sorted(bodies.items())
        if not any(other in body for other in bodies if other != head)
    ]


def _parsed(lines: Iterable[str]) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Instructions with their operands, and the labels before them."""
    instructions: list[tuple[str, str]] = []
    labels: dict[str, int] = {}
    for line in lines:
        if label := _LABEL.match(line):
            labels[label[1]] = len(instructions)
        elif instruction := _INSTRUCTION.match(line):
            instructions.append((instruction[1], instruction[2]))
    return instructions, labels


def _targets(at: int, code: str, operands: str, labels: Mapping[str, int]) -> list[int]:
    """Where an instruction may lead to."""
    assert code not in ("tbb", "tbh"), "a table of jumps, which this does not follow"
    if _JUMP.match(code) or _CONDITIONAL.match(code):
        target = labels.get(operands.split(",")[-1].strip(), _BACK)
        return [target] if _JUMP.match(code) else [target, at + 1]
    if code == "bl" and operands == TRAP:
        return []
    return [_BACK] if code == "bx" or (code.startswith("pop") and "pc" in operands) else [at + 1]


def _back_edges(ways: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Instructions that lead back to one that led to them; depth first."""
    found: list[tuple[int, int]] = []
    path, seen, stack = {0}, {0}, [(0, iter(ways[0] if ways else ()))]
    while stack:
        at, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            path.discard(at)
            stack.pop()
        elif target in path:
            found.append((at, target))
        elif target != _BACK and target not in seen:
            seen.add(target)
            path.add(target)
            stack.append((target, iter(ways[target])))
    return found


def _leading_to(ends: Iterable[int], before: Mapping[int, Sequence[int]], but: int | None = None) -> set[int]:
    """All from which one of `ends` is reached, with them; without passing `but`, which is among them."""
    found, waiting = {but} if but is not None else set(), list(ends)
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += before[at]
    return found
