"""`rune monitor`: what a board says by itself."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from rune.cli import console, feeding
from rune.text import printable

if TYPE_CHECKING:
    from container.manifest import Manifest
    from devices.board import Board
    from devices.connection import Place
    from devices.monitor import Inference


class Pattern(click.ParamType["re.Pattern[str]"]):
    """A regular expression of Python."""

    name = "regex"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> re.Pattern[str]:
        try:
            return re.compile(value)
        except re.error as error:
            self.fail(f"{value!r} is no regular expression: {error}", param, ctx)


@click.command(short_help="Show what a board says.")
@feeding.board_option("Which board; the one flashed last by default.")
@feeding.port_option
@click.option(
    "--container",
    metavar="APP.rune",
    type=feeding.FILE,
    help="What runs on the board, for names and types; what was flashed from here is known.",
)
@click.option(
    "--for", "for_s", metavar="TIME", type=feeding.Duration(), help="End after a time: 30s, 500ms, 2m."
)
@click.option("--until", metavar="REGEX", type=Pattern(), help="End after the first line that has a match.")
@click.option("--timestamp", is_flag=True, help="Begin each line with the time.")
@click.option("--log", metavar="FILE", type=feeding.FILE, help="Add the lines to a file too.")
def command(
    board: Board | None,
    port: str | None,
    container: Path | None,
    for_s: float | None,
    until: re.Pattern[str] | None,
    timestamp: bool,
    log: Path | None,
) -> None:
    """Show the outputs of a container that runs by itself on a board, a JSON line per inference.

    The board is not reset, and a link that vanishes is waited for. Without the container outputs are shown by
    number and as bytes. With --until the exit code is 1 where no line had a match in the time of --for.

    \b
    rune monitor --for 30s
    rune monitor --port /dev/ttyACM0 --until '"values":\\["yes"\\]'
    """
    from devices.connection import Place

    with Place(Path(), board=board, port=port) as place:
        listen(place, container=container, for_s=for_s, until=until, timestamp=timestamp, log=log)


def listen(
    place: Place,
    *,
    container: Path | None = None,
    for_s: float | None = None,
    until: re.Pattern[str] | None = None,
    timestamp: bool = False,
    log: Path | None = None,
) -> None:
    """Print lines until the time is over or one has a match.  Raises what `devices.monitor` raises."""
    from container.errors import RuneError
    from devices.monitor import Monitor

    monitor = Monitor(
        place.connect,
        manifest_of=lambda digest: _manifest(place, container, digest),
        for_s=for_s,
        tell=console.print_warning,
    )
    with _Log(log) as also:
        for inference in monitor.inferences():
            line = _line(monitor.manifest, inference)
            shown = f"{_now()} {line}" if timestamp else line
            console.say(shown)
            also.write(shown)
            if until is not None and until.search(line):
                return
    if monitor.losses.inferences:
        console.print_warning(f"{monitor.losses.inferences} inferences arrived in part and are not shown")
    if until is not None:
        raise RuneError(f"no line had a match of {until.pattern!r} in {for_s:g} s")


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def _manifest(place: Place, container: Path | None, digest: bytes | None) -> Manifest | None:
    """Of the container on the board, where its file is given or remembered.

    Raises ContainerError where the given one is another.
    """
    from container.errors import ContainerError, RuneError
    from container.sections import load

    if container is not None:
        app = load(container)
        if digest is not None and app.digest != digest.hex():
            raise ContainerError(
                f"{container}: the board runs another container", hint="leave --container out"
            )
        return app.manifest
    path = place.remembered_container(digest)
    if path is None or digest is None:
        return None
    try:
        app = load(path)
    except RuneError:
        return None  # It was moved since,
    return app.manifest if app.digest == digest.hex() else None  # or built anew.


def _line(manifest: Manifest | None, inference: Inference) -> str:
    if manifest is not None:
        from runtime.outputs import serial

        return serial.line(manifest, inference.outputs, inference.sequence)
    outputs = {
        str(port): [{"dtype": "u8", "shape": [len(data)], "values": list(data)}]
        for port, data in inference.outputs.items()
    }
    return json.dumps({"outputs": outputs, "seq": inference.sequence}, sort_keys=True, separators=(",", ":"))


class _Log:
    """The file that lines are added to, if any."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, line: str) -> None:
        if self._file is not None:
            self._file.write(printable(line) + "\n")

    def __enter__(self) -> _Log:
        from container.errors import RuneError

        if self._path is not None:
            try:
                self._file = self._path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise RuneError(f"{self._path}: cannot be written: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
