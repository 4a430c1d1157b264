"""Arguments that several commands share: files, what feeds the sensors, which profile or board, how long."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from container.abi import Profile
from container.manifest import MAXIMUM_PATCHES, Optimization

if TYPE_CHECKING:
    from devices.board import Board

Function = TypeVar("Function", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

_SENSORS = (
    click.option("--random", metavar="SEED", type=int, multiple=True, help="Random numbers of a seed."),
    click.option("--sound", metavar="WAV", type=FILE, multiple=True, help="A recording, for SOUND."),
    click.option("--image", metavar="FILE", type=FILE, multiple=True, help="A picture, for IMAGE."),
    click.option("--accel", metavar="CSV", type=FILE, multiple=True, help="Rows of x, y, z, for ACCEL."),
    click.option(
        "--raw",
        metavar="FILE",
        type=FILE,
        multiple=True,
        help="Bytes of a tensor, for RAW, TEMPERATURE and ADC.",
    ),
)


def sensor_options(function: Function) -> Function:
    """`--random`, `--sound`, `--image`, `--accel` and `--raw`, each of which may be repeated."""
    for option in reversed(_SENSORS):
        function = option(function)
    return function


runefile_argument = click.argument("runefile", metavar="[RUNEFILE]", type=FILE, default=Path())

container_argument = click.argument("container", metavar="APP.rune", type=FILE)

profile_option = click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    help="Which of the container's modules; simd where there is one.",
)


optimize_option = click.option(
    "--optimize",
    type=click.Choice([optimization.value for optimization in Optimization]),
    default=Optimization.BALANCED.value,
    show_default=True,
    help="Make code fast or small; the answers are the same.",
)


class Duration(click.ParamType["float"]):
    """A time such as `30s`, `500ms`, `2m` or `1h`; a number alone is seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?", str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no time such as 30s, 500ms or 2m", param, ctx)
        return float(match[1]) * _UNITS_S[match[2] or "s"]


class BoardName(click.ParamType["Board"]):
    """The name of a board, given to the command as the board."""

    name = "board"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Board:
        """Raises UsageError for a name that no board has."""
        from devices.board import find

        return find(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from devices.board import boards

        return [CompletionItem(board.name) for board in boards() if board.name.startswith(incomplete)]


class PatchCount(click.ParamType["int | str"]):
    """A number of patches, or `auto`."""

    name = "patches"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value)
        if text == "auto":
            return text
        if not text.isdecimal() or not 2 <= int(text) <= MAXIMUM_PATCHES:
            self.fail(f"{text!r} is neither a number from 2 to {MAXIMUM_PATCHES} nor auto", param, ctx)
        return int(text)


PATCHES = PatchCount()


def board_option(help: str, *, required: bool = False) -> Callable[[Function], Function]:
    """`--board`; `rune boards` lists their names."""
    return click.option("--board", metavar="BOARD", type=BoardName(), required=required, help=help)


def svg_option(help: str) -> Callable[[Function], Function]:
    """`--svg`: a picture beside what is printed."""
    return click.option("--svg", metavar="FILE", type=FILE, help=help)


port_option = click.option(
    "--port",
    metavar="PORT",
    help="Its serial port; `sim` starts an emulated board. By default the port that was used last, or the "
    "only one that can be the board's.",
)

deadline_option = click.option(
    "--deadline",
    "deadline_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="End an inference that takes longer.",
)
