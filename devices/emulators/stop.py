"""When an emulator is asked to end."""

from __future__ import annotations

import os
import signal
import stat
import threading
from types import FrameType, TracebackType

_STDIN = 0


class StopRequest:
    """Asked for by SIGINT, by SIGTERM or, with `watch_stdin` and where that is a pipe, by the end of stdin.

    The pipe is how an emulator learns that the process which started it is gone, however that ended.  The
    descriptor (`fileno`) becomes readable with the request, so that `select` can wait for it.
    """

    def __init__(self, *, watch_stdin: bool = False) -> None:
        self._watches_stdin = watch_stdin
        self._reader, self._writer = os.pipe()
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def fileno(self) -> int:
        return self._reader

    def request(self) -> None:
        """Ask for the end; a second time changes nothing."""
        if not self._event.is_set():
            self._event.set()
            os.write(self._writer, b"\0")

    def __enter__(self) -> StopRequest:
        self._previous = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        if self._watches_stdin and _is_pipe(_STDIN):
            threading.Thread(target=self._watch_stdin, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.request()

    def _watch_stdin(self) -> None:
        try:
            while os.read(_STDIN, 4096):
                pass
        except OSError:
            pass
        self.request()


def _is_pipe(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
