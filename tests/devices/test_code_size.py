"""How much flash the code of keyword spotting takes with the agent.

The sizes are exact: the compiler is the same on every machine.
"""

from __future__ import annotations

import pytest

from container.manifest import Optimization
from devices.aot.build import build_image
from devices.board import find
from devices.firmware.build import build_agent
from tests.devices.aot.containers import model


@pytest.mark.parametrize(
    ("name", "optimization", "limit"),
    [
        ("mps2-an386", Optimization.SIZE, 16_000),
        ("nrf52840", Optimization.SIZE, 16_000),
        ("netduinoplus2", Optimization.SIZE, 16_000),
        ("mps2-an386", Optimization.BALANCED, 26_000),
    ],
)
def test_keyword_spotting_and_the_agent(name: str, optimization: Optimization, limit: int) -> None:
    """Without the weights, which are the same whatever the code."""
    board = find(name)
    code = build_image(model("kws", optimization), board).code_bytes
    assert code + build_agent(board).flash_bytes <= limit
