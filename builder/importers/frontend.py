"""What it takes to call TVM's frontends: their faults as errors of ours, and silence."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

from container.errors import CompileError


@contextlib.contextmanager
def compiler_faults(file: str, stage: str, hint: str) -> Iterator[None]:
    """Turns whatever TVM stumbles over into one error that names the stage."""
    try:
        yield
    except CompileError:
        raise
    except Exception as fault:
        from builder.passes.faults import summary

        raise CompileError(
            f"stage `{stage}`: {file} cannot be compiled: {summary(fault)}", hint=hint
        ) from fault


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Frontends print to stdout, which belongs to facts, and warn of what we report ourselves."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
