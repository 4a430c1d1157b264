"""What inferences cost boards: the same each time, parts that add up, and never more than it was."""

from __future__ import annotations

import json
import os
import sys

import pytest

from container.errors import UsageError
from container.manifest import Optimization
from container.sections import Container
from devices.bench import BoardBench, count_instructions
from devices.board import Architecture, find
from runtime.sensors.choice import SensorOptions, open_sensors
from tests.devices.aot import containers
from tests.snapshots import GOLDEN
from tests.tools import needs

BOARD = "mps2-an386"
RECORD = GOLDEN / "devices" / "instructions.json"
"""Instructions of an inference on that board, by container."""
MODELS = {
    "kws": "kws",
    "resnet": "resnet",
    "ad": "anomaly",
    "micro_speech": "micro_speech",
    "ds_cnn_int16": "int16",
    "gesture_float": "float",
    "keyword_svdf": "state_filters",
    "mnist_lstm": "lstm",
    "vad_streaming": "streaming",
}
FAST = {"resnet-speed": "resnet"}
"""Built with `--optimize speed`."""
SMALLER = {"kws-m0": Architecture.CORTEX_M0, "kws-m3": Architecture.CORTEX_M3}
"""Code for smaller cores, which this board's core runs as it is: the same instructions, one by one."""
EXAMPLES = {"sine": "sine", "sine-int8": "sine/int8.Runefile", "digits": "digits"}
UPDATE = "RUNE_UPDATE_GOLDEN=1 python3 tasks.py test tests/devices/test_bench.py"


def container_of(name: str) -> Container:
    if name in SMALLER:
        return containers.model("kws")
    if name in FAST:
        return containers.model(FAST[name], Optimization.SPEED)
    return containers.model(MODELS[name]) if name in MODELS else containers.example(EXAMPLES[name])


def samples_of(container: Container) -> dict[str, bytes]:
    sources = open_sensors(container.manifest, SensorOptions(random=[0]))
    return {name: source.sample() for name, source in sources.items()}


def counted(name: str, *, operators: bool = False) -> BoardBench:
    needs("qemu-system-arm")
    container = container_of(name)
    board = containers.board_with(SMALLER[name]) if name in SMALLER else find(BOARD)
    return count_instructions(container, board, samples_of(container), operators=operators)


@pytest.mark.parametrize("name", [*MODELS, *FAST, *SMALLER, *EXAMPLES])
def test_no_more_instructions_than_were_recorded(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = counted(name).inference
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if os.environ.get("RUNE_UPDATE_GOLDEN") == "1":
        RECORD.parent.mkdir(exist_ok=True)
        RECORD.write_text(json.dumps({**record, name: found}, indent=1, sort_keys=True) + "\n")
        return
    assert found <= record[name], f"{found - record[name]:,} instructions more; when that is meant: {UPDATE}"
    if found < record[name]:
        with capsys.disabled():
            fewer = f"{name}: {record[name] - found:,} instructions less than recorded"
            sys.stdout.write(f"\n{fewer}; to hold on to that: {UPDATE}\n")


def test_equal_each_time_and_its_parts_add_up() -> None:
    first, second = counted("micro_speech", operators=True), counted("micro_speech", operators=True)
    assert first == second
    assert sum(stage.count for stage in first.stages) == first.inference
    assert sum(operator.count for operator in first.operators) == first.with_marks
    assert [stage.stage for stage in first.stages] == ["x", "net", "serial"]
    plan = containers.model("micro_speech").manifest.plans["mcu"]  # type: ignore[index]
    assert [operator.operator for operator in first.operators] == [step.name for step in plan.operators]


def test_marks_change_little() -> None:
    found = counted("digits", operators=True)
    assert found.with_marks is not None
    assert abs(found.with_marks - found.inference) < found.inference / 20


def test_what_a_multiply_accumulate_takes() -> None:
    """Two at once is the most that SMLAD does; naive code takes less than a hundred instructions."""
    (model,) = (stage for stage in counted("micro_speech").stages if stage.stage == "net")
    # 1 output row of 25 x 20 pixels, 8 filters of 10 x 8; then 4 x 4000 (the model's architecture).
    assert model.macs == 25 * 20 * 8 * 10 * 8 + 4 * 4000
    assert model.per_mac is not None
    assert model.per_mac == pytest.approx(model.count / model.macs)
    assert 0.5 < model.per_mac < 100


def test_a_sample_of_another_size() -> None:
    container = containers.example("digits")
    with pytest.raises(UsageError, match="has 3 bytes"):
        count_instructions(container, find(BOARD), {"picture": b"123"})
