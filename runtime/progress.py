"""What stands in the progress cell of a container, see container/abi.py."""

from __future__ import annotations

IDLE = 0xFFFFFFFF
"""The container is not at work, or has not begun its first operator."""
ON_HOST = 0xFFFFFFFE
"""The host fills an input or takes an output."""
