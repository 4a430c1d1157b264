"""What an inference costs, as pages of text for people."""

from __future__ import annotations

from collections.abc import Sequence

from devices.bench import BoardBench, Work
from rune.pictures import cost_bars
from rune.pictures.characters import Characters, bar
from rune.text import table
from runtime.bench import BenchReport, OperatorTime

BAR_CELLS = 16
"""Width of the longest bar beside a table."""


def host_page(report: BenchReport, characters: Characters) -> str:
    """Latency on this machine, without a line break at the end; the bars are made of `characters`."""
    summary = table(
        [
            ["profile", report.profile],
            ["inferences", f"{report.inferences:,}"],
            ["fastest", f"{report.minimum_us:,.1f} us"],
            ["median", f"{report.median_us:,.1f} us"],
            ["90th percentile", f"{report.p90_us:,.1f} us"],
        ]
    )
    parts = [summary]
    if report.stages:
        rows = [[stage.stage, f"{stage.time_us:,.1f} us", f"{stage.share:.0%}"] for stage in report.stages]
        parts.append(table([["stage (sampled)", "time", "share"], *rows], right=(1, 2)))
    if report.operators:
        header = ["", "operator (sampled)", "stage", "time", "share", "MACs", "MACs/us", ""]
        bars = _bars([found.share for found in report.operators], characters)
        operators = [
            [str(number), found.operator, found.stage, *_host_numbers(found), bars[number]]
            for number, found in enumerate(report.operators)
        ]
        parts.append(table([header, *operators], right=(0, 3, 4, 5, 6)))
    return "\n\n".join(parts)


def host_chart(report: BenchReport, name: str) -> bytes:
    """The operators' parts of the latency as an SVG file.  `name` is the container's."""
    return cost_bars.draw(
        f"{name}: time by operator",
        f"{report.median_us:,.1f} us an inference, profile {report.profile}; parts of it sampled",
        ("time", "share", "MACs", "MACs/us"),
        [
            cost_bars.Bar(found.operator, found.stage, found.time_us, _host_numbers(found))
            for found in report.operators
        ],
    )


def _host_numbers(found: OperatorTime) -> tuple[str, str, str, str]:
    rate = f"{found.macs / found.time_us:,.0f}" if found.macs and found.time_us else ""
    return f"{found.time_us:,.1f} us", f"{found.share:.0%}", _macs(found.macs), rate


def _bars(shares: Sequence[float], characters: Characters) -> list[str]:
    """A bar for each share; the largest takes the whole width."""
    largest = max(shares) or 1
    return [bar(share / largest, BAR_CELLS, characters) for share in shares]


def board_page(report: BoardBench, characters: Characters) -> str:
    """Instructions or cycles on a board, without a line break at the end."""
    parts = [_sentence(report)]
    if report.stages:
        rows = [[work.stage, *_numbers(work)] for work in report.stages]
        parts.append(table([["stage", *_header(report)], *rows], right=(1, 2, 3, 4)))
    if report.operators:
        bars = _bars([work.share for work in report.operators], characters)
        rows = [
            [str(number), work.operator or "", work.stage, *_numbers(work), bars[number]]
            for number, work in enumerate(report.operators)
        ]
        header = ["", "operator", "stage", *_header(report), ""]
        parts.append(table([header, *rows], right=(0, 3, 4, 5, 6)))
        parts.append(
            f"The operators were counted in code in which each begins with a call: {report.with_marks:,} "
            f"{report.unit} in all."
        )
    return "\n\n".join(parts)


def board_chart(report: BoardBench, name: str) -> bytes:
    """The operators' parts of an inference on a board as an SVG file.  `name` is the container's."""
    return cost_bars.draw(
        f"{name}: {report.unit} by operator",
        f"{report.with_marks:,} {report.unit} an inference on {report.board}, each operator begun by a call",
        _header(report),
        [
            cost_bars.Bar(work.operator or "", work.stage, work.count, _numbers(work))
            for work in report.operators
        ],
    )


def _sentence(report: BoardBench) -> str:
    text = f"{report.inference:,} {report.unit} an inference on {report.board}"
    if report.unit == "instructions":
        return f"{text}, counted one by one"
    steps = f" in steps of {report.resolution}" if report.resolution > 1 else ""
    time_ms = (
        f": {report.inference / report.hz * 1000:,.3f} ms at {report.hz / 1e6:g} MHz" if report.hz else ""
    )
    return f"{text}, by its own counter{steps}{time_ms}"


def _header(report: BoardBench) -> tuple[str, str, str, str]:
    return report.unit, "share", "MACs", f"{report.unit}/MAC"


def _numbers(work: Work) -> tuple[str, str, str, str]:
    per_mac = "" if work.per_mac is None else f"{work.per_mac:.2f}"
    return f"{work.count:,}", f"{work.share:.0%}", _macs(work.macs), per_mac


def _macs(count: int) -> str:
    return f"{count:,}" if count else ""
