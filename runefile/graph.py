"""The stages as a graph: names, cycles, order, and what leads to no output."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from container.manifest import StageKind
from runefile.diagnostics import Code, Diagnostics, did_you_mean, quoted
from runefile.syntax import Document, Stage

MAXIMUM_STAGES = 1_000
_SHOWN_CYCLE = 12
"""Stages of a cycle that a message names."""


class Graph:
    """The stages by name, and the edges between those that exist."""

    def __init__(self, document: Document, diagnostics: Diagnostics) -> None:
        self._document = document
        self._diagnostics = diagnostics
        self.stages: dict[str, Stage] = {}
        for stage in document.stages:
            self._add(stage)
        self._producers = {name: self._find_producers(stage) for name, stage in self.stages.items()}
        self._consumers: dict[str, list[str]] = {name: [] for name in self.stages}
        for name, producers in self._producers.items():
            for producer in producers:
                self._consumers[producer].append(name)

    def check(self) -> None:
        """Report cycles, stages without inputs and stages that lead nowhere."""
        for name in self.stages:
            self._check_inputs(self.stages[name])
        self._report_cycles()
        self._report_dead_ends()

    def ordered(self) -> tuple[Stage, ...]:
        """The stages so that each comes after its producers, else as declared; those on cycles come last."""
        number = {name: position for position, name in enumerate(self.stages)}
        waiting = {name: len(producers) for name, producers in self._producers.items()}
        ready = [number[name] for name, count in waiting.items() if count == 0]
        names = list(self.stages)
        order: list[str] = []
        while ready:
            name = names[heapq.heappop(ready)]
            order.append(name)
            for consumer in self._consumers[name]:
                waiting[consumer] -= 1
                if waiting[consumer] == 0:
                    heapq.heappush(ready, number[consumer])
        placed = set(order)
        return tuple(self.stages[name] for name in [*order, *(name for name in names if name not in placed)])

    def _add(self, stage: Stage) -> None:
        if stage.name in self.stages:
            message = f"there is a second stage named {quoted(stage.name)}"
            hint = "give one of them another name"
            if stage.kind is StageKind.OUT:
                hint += f", as in: OUT {str(stage.target).lower()} another_name"
            self._diagnostics.error(Code.DUPLICATE_NAME, message, stage.name_span, hint)
        elif len(self.stages) == MAXIMUM_STAGES:
            message = f"more than {MAXIMUM_STAGES:,} stages"
            self._diagnostics.fatal(Code.LIMIT, message, stage.name_span)
        else:
            self.stages[stage.name] = stage

    def _find_producers(self, stage: Stage) -> list[str]:
        """The stages that `stage` takes inputs from, each once.  Reports those that do not exist."""
        for edge in stage.inputs:
            producer = self.stages.get(edge.stage)
            if producer is None:
                message = f'Unable to find "{edge.stage}" to use as an input for "{stage.name}"'
                hint = did_you_mean(edge.stage, (name for name in self.stages if name != stage.name))
                self._diagnostics.error(Code.UNKNOWN_NAME, message, edge.span, hint)
            elif producer.kind is StageKind.OUT:
                message = f"{quoted(edge.stage)} is an output of the pipeline: nothing comes out of it"
                hint = "take the input from the stage before it"
                self._diagnostics.error(Code.UNKNOWN_OUTPUT, message, edge.span, hint)
        names = dict.fromkeys(edge.stage for edge in stage.inputs)
        return [name for name in names if name in self.stages and self.stages[name].kind is not StageKind.OUT]

    def _check_inputs(self, stage: Stage) -> None:
        if stage.kind is not StageKind.CAPABILITY and not stage.inputs:
            message = f"{quoted(stage.name)} has no input"
            hint = f"connect it: RUN ... {stage.name}, or in YAML inputs: [...]"
            self._diagnostics.error(Code.NO_INPUT, message, stage.name_span, hint)

    def _report_cycles(self) -> None:
        """Report one cycle through each group of stages that feed each other."""
        on_cycle = self._beyond(self._beyond(set(self.stages), self._producers), self._consumers)
        seen: set[str] = set()
        for name in self.stages:
            if name in on_cycle and name not in seen:
                cycle = self._shortest_cycle(name, on_cycle)
                if cycle:
                    seen.update(cycle)
                    self._report_cycle(cycle)

    @staticmethod
    def _beyond(names: set[str], edges: dict[str, list[str]]) -> set[str]:
        """The names that remain when those without an edge into what remains are removed, again and again."""
        degree = {name: sum(other in names for other in edges[name]) for name in names}
        reverse: dict[str, list[str]] = {name: [] for name in names}
        for name in names:
            for other in edges[name]:
                if other in names:
                    reverse[other].append(name)
        loose = deque(name for name in names if degree[name] == 0)
        remaining = set(names)
        while loose:
            name = loose.popleft()
            remaining.discard(name)
            for other in reverse[name]:
                degree[other] -= 1
                if degree[other] == 0:
                    loose.append(other)
        return remaining

    def _shortest_cycle(self, start: str, within: set[str]) -> list[str]:
        """The stages of a shortest way along consumers from `start` back to it, if there is one."""
        came_from: dict[str, str] = {}
        queue = deque([start])
        while queue:
            name = queue.popleft()
            for consumer in self._consumers[name]:
                if consumer == start:
                    return _way_back(start, name, came_from)
                if consumer in within and consumer not in came_from:
                    came_from[consumer] = name
                    queue.append(consumer)
        return []

    def _report_cycle(self, cycle: list[str]) -> None:
        first, *rest = cycle
        steps = [f'"{name}"' for name in [*rest, first]]
        if len(steps) > _SHOWN_CYCLE:
            steps[_SHOWN_CYCLE // 2 : -_SHOWN_CYCLE // 2] = ["... more stages ..."]
        way = "".join(f", which passes data to {step}" for step in steps)
        message = f'Cycle detected when checking "{first}"{way}, completing the cycle.'
        stage = self.stages[first]
        edge = next((edge for edge in stage.inputs if edge.stage == cycle[-1]), None)
        hint = "data flows one way, from capabilities to outputs: remove one of these connections"
        self._diagnostics.error(Code.CYCLE, message, edge.span if edge else stage.name_span, hint)

    def _report_dead_ends(self) -> None:
        ends = [name for name, stage in self.stages.items() if stage.kind is StageKind.OUT]
        if not ends and (self.stages or not self._diagnostics.found):
            message = "nothing comes out of this pipeline: it has no output"
            hint = "add an OUT stage, as in: OUT serial"
            self._diagnostics.error(Code.NO_OUTPUT, message, self._document.span, hint)
        if not ends:
            return
        useful = self._leading_to(ends)
        for name, stage in self.stages.items():
            # The last of a row of useless stages stands for the row.
            if name not in useful and not self._consumers[name]:
                message = f"{quoted(name)} is unreachable: no output depends on it"
                hint = "connect it to a stage that leads to an output, or remove it"
                self._diagnostics.error(Code.UNREACHABLE, message, stage.name_span, hint)

    def _leading_to(self, ends: Iterable[str]) -> set[str]:
        found = set(ends)
        queue = deque(found)
        while queue:
            for producer in self._producers[queue.popleft()]:
                if producer not in found:
                    found.add(producer)
                    queue.append(producer)
        return found


def _way_back(start: str, last: str, came_from: dict[str, str]) -> list[str]:
    way = []
    while last != start:
        way.append(last)
        last = came_from[last]
    return [start, *reversed(way)]
