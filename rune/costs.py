"""What an inference costs, as pages of text for people."""

from __future__ import annotations

from collections.abc import Sequence

from devices.bench import BoardBench, Work
from rune.text import table
from runtime.bench import BenchReport


def host_page(report: BenchReport) -> str:
    """Latency on this machine, without a line break at the end."""
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
        header = ["", "operator (sampled)", "stage", "time", "share", "MACs", "MACs/us"]
        operators = [
            [
                *(str(number), found.operator, found.stage, f"{found.time_us:,.1f} us", f"{found.share:.0%}"),
                *(
                    _macs(found.macs),
                    f"{found.macs / found.time_us:,.0f}" if found.macs and found.time_us else "",
                ),
            ]
            for number, found in enumerate(report.operators)
        ]
        parts.append(table([header, *operators], right=(0, 3, 4, 5, 6)))
    return "\n\n".join(parts)


def board_page(report: BoardBench) -> str:
    """Instructions or cycles on a board, without a line break at the end."""
    parts = [_sentence(report)]
    if report.stages:
        rows = [[work.stage, *_numbers(work)] for work in report.stages]
        parts.append(_works(["stage", *_header(report)], rows))
    if report.operators:
        rows = [
            [str(number), work.operator or "", work.stage, *_numbers(work)]
            for number, work in enumerate(report.operators)
        ]
        parts.append(_works(["", "operator", "stage", *_header(report)], rows))
        parts.append(
            f"The operators were counted in code in which each begins with a call: {report.with_marks:,} "
            f"{report.unit} in all."
        )
    return "\n\n".join(parts)


def _sentence(report: BoardBench) -> str:
    text = f"{report.inference:,} {report.unit} an inference on {report.board}"
    if report.unit == "instructions":
        return f"{text}, counted one by one"
    steps = f" in steps of {report.resolution}" if report.resolution > 1 else ""
    time_ms = (
        f": {report.inference / report.hz * 1000:,.3f} ms at {report.hz / 1e6:g} MHz" if report.hz else ""
    )
    return f"{text}, by its own counter{steps}{time_ms}"


def _header(report: BoardBench) -> list[str]:
    return [report.unit, "share", "MACs", f"{report.unit}/MAC"]


def _numbers(work: Work) -> list[str]:
    per_mac = "" if work.per_mac is None else f"{work.per_mac:.2f}"
    return [f"{work.count:,}", f"{work.share:.0%}", _macs(work.macs), per_mac]


def _macs(count: int) -> str:
    return f"{count:,}" if count else ""


def _works(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The last four columns are numbers, and so is a first one without a name."""
    numbers = {*range(len(header) - 4, len(header)), *([] if header[0] else [0])}
    return table([header, *rows], right=numbers)
