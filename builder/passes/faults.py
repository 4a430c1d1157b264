"""TVM's exceptions in few words."""

from __future__ import annotations


def summary(fault: BaseException) -> str:
    """The last line of an exception's message that says something, since TVM's are long."""
    lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("File ", "at ", "["))]
    return (kept or lines or [type(fault).__name__])[-1][:300]
