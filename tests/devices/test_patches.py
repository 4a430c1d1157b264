"""A container that is too large for a board, and in patches is not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from builder.build import build_container
from builder.patches import PatchOptions
from container.abi import Profile
from container.sections import Container
from devices.board import find
from devices.budget import NoRoomError
from devices.connection import SIM, Place
from devices.deployment import deploy
from devices.execution import BoardApplication
from devices.size import fit
from examples.tflite_writer import Graph
from runtime.application import Application
from tests.builder.model_runs import model_pipeline
from tests.builder.passes.chains import RELU, Chain
from tests.builder.support import NO_GOLDEN
from tests.tools import needs

BOARD = "microbit"
"""12 KiB of RAM for containers."""


def container(options: PatchOptions | None) -> Container:
    """An image of 1 KiB, one of 16 KiB, and what two poolings leave of it."""
    graph = Graph("eyes")
    chain = Chain(graph, "picture", (32, 32, 1), 7).conv(16, (3, 3), activation=RELU)
    chain = chain.pool("MAX_POOL_2D", 2, stride=2).conv(8, (3, 3), stride=2)
    graph.output(chain.pool("AVERAGE_POOL_2D", 8, padding=1).last)
    pipeline = model_pipeline(graph.to_bytes(), "eyes.tflite")
    data = build_container(pipeline, profiles=[Profile.MCU], golden=NO_GOLDEN, patches=options)
    return Container.parse(data)


def test_what_the_refusal_advises_fits_and_gives_the_same_bytes(tmp_path: Path) -> None:
    needs("qemu-system-arm")
    plain = container(None)
    with pytest.raises(NoRoomError) as refused:
        fit(plain, find(BOARD))
    advice = re.search(r"build with `--max-ram (\d+)`", refused.value.hint or "")
    assert advice is not None
    patched = container(PatchOptions(max_ram=int(advice[1])))
    assert fit(patched, find(BOARD)).fits
    generator = np.random.default_rng(3)
    (sensor,) = patched.manifest.sources.values()
    samples = [{sensor.name: generator.integers(0, 256, 1024).astype("uint8").tobytes()} for _ in range(4)]
    with Application(plain, profile=Profile.MCU) as application:
        expected = [application.infer(sample).outputs for sample in samples]
    assert len({output[0] for output in expected}) == len(samples)
    with Place(tmp_path, board=find(BOARD), port=SIM, fresh=True) as place:
        deploy(patched, place)
        with place.connect() as session, BoardApplication(patched, session) as board:
            assert [board.infer(sample).outputs for sample in samples] == expected
