"""Searching for the blocks that kernels of boards compute at a time: what `rune tune` does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from builder.blocking.cost import CANDIDATES
from container.errors import UsageError
from container.files import write_atomically
from container.manifest import Optimization
from devices.bench import InstructionCounter

if TYPE_CHECKING:
    from builder.blocking.search import Step
    from builder.blocking.tuned import Tuning
    from devices.board import Board
    from runefile.pipeline import TypedPipeline


def tune(
    pipeline: TypedPipeline,
    board: Board,
    output: Path | str,
    *,
    optimize: Optimization | str = Optimization.BALANCED,
    candidates: int = CANDIDATES,
    limit_s: float = math.inf,
    progress: Callable[[Step], None] = lambda step: None,
) -> Tuning:
    """Search for the blocks with which a checked pipeline takes the fewest instructions on a board.

    The board is an emulated one.  `output` is written when the search is over or has taken `limit_s`; it is
    what `rune.build` takes as `blockings`.
    `candidates` choices are tried for each layer.  Raises CompileError, BudgetError, TrapError, LinkError;
    UsageError for a board whose emulator does not count and where little code is asked for, RuneError where
    the emulator is missing or `output` cannot be written.
    """
    if Optimization(optimize) is Optimization.SIZE:
        raise UsageError(
            "a search counts instructions, and no bytes: code that is to be small needs none",
            hint="leave `--optimize size` out here",
        )
    counter = InstructionCounter(board)
    from builder.blocking.search import search

    tuning = search(
        pipeline,
        counter,
        optimization=Optimization(optimize),
        candidates=candidates,
        end_s=time.monotonic() + limit_s,
        progress=progress,
    )
    write_atomically(Path(output), tuning.to_json())
    return tuning
