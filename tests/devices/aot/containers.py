"""Containers that tests translate, built once, and what they answer on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from container.abi import Profile
from container.golden import GoldenVector, parse
from container.manifest import Optimization
from container.sections import Container, load
from devices.board import Architecture, Board, find
from rune.api import build
from runtime.application import Application
from tests.shared import shared_path

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
MODELS = {
    "kws": ("mlperf_tiny/kws_ref_model.tflite", "I8[1,49,10,1]", "I8[1,12]"),
    "resnet": ("mlperf_tiny/pretrainedResnet_quant.tflite", "I8[1,32,32,3]", "I8[1,10]"),
    "anomaly": ("mlperf_tiny/ad01_int8.tflite", "I8[1,640]", "I8[1,640]"),
    "micro_speech": ("tflite_micro/micro_speech_quantized.tflite", "I8[1,1960]", "I8[1,4]"),
    "state_filters": ("tflite_micro/keyword_scrambled.tflite", "I16[1,96]", "I32[1,2]"),
    "lstm": ("tflite_micro/trained_lstm_int8.tflite", "I8[1,28,28]", "I8[1,10]"),
    "int16": ("arm_ml_zoo/ds_cnn_s_int16.tflite", "I16[1,490]", "I16[1,12]"),
    "float": ("tflite_micro/magic_wand_gesture.tflite", "F32[1,128,3,1]", "F32[1,4]"),
    "streaming": ("micro_wake_word/v2_vad.tflite", "I8[1,3,40]", "U8[1,1]"),
    "hello_float": ("tflite_micro/hello_world_float.tflite", "F32[1,1]", "F32[1,1]"),
}
"""File, input and output of models that the project does not ship."""


@cache
def example(path: str) -> Container:
    """The container of a Runefile in examples/, or of a folder there."""
    return _built(EXAMPLES / path)


@cache
def of_runefile(text: str) -> Container:
    """The container of a Runefile that needs no other file."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "Runefile").write_text(text)
        return _built(Path(folder))


def model(name: str, optimization: Optimization = Optimization.BALANCED) -> Container:
    """The container of a single model of MODELS."""
    file, given, taken = MODELS[name]
    return _of_model(shared_path(f"models/{file}"), given, taken, optimization)


@cache
def _of_model(path: Path, given: str, taken: str, optimization: Optimization) -> Container:
    with TemporaryDirectory() as folder:
        (Path(folder) / "net.tflite").write_bytes(path.read_bytes())
        (Path(folder) / "Runefile").write_text(
            f"FROM runicos/base\nCAPABILITY<{given}> x RAW\nMODEL<{given},{taken}> net ./net.tflite\n"
            "OUT serial\nRUN x net serial\n"
        )
        return _built(Path(folder), optimization)


def _built(runefile: Path, optimization: Optimization = Optimization.BALANCED) -> Container:
    with TemporaryDirectory() as folder:
        output = Path(folder) / "app.rune"
        build(runefile, output, profiles=[Profile.MCU], optimize=optimization)
        return load(output)


def vectors(container: Container, count: int = 4) -> list[GoldenVector]:
    """The container's golden vectors, or random inputs, with the outputs of this machine."""
    sealed = parse(container.golden, container.manifest)[:count] if container.golden else ()
    inputs = [vector.inputs for vector in sealed] or [_random(container, seed) for seed in range(count)]
    with Application(container, profile=Profile.MCU) as application:
        return [GoldenVector(given, application.infer(given).outputs) for given in inputs]


def _random(container: Container, seed: int) -> Mapping[str, bytes]:
    """Ordinary numbers: floats in [-1, 1), integers of their whole range."""
    generator = np.random.default_rng(seed)
    inputs = {}
    for stage in container.manifest.sources.values():
        kind = stage.outputs[0]
        floats = (
            generator.uniform(-1, 1, kind.count).astype(kind.element.dtype) if kind.element.is_float else None
        )
        inputs[stage.name] = generator.bytes(kind.bytes) if floats is None else floats.tobytes()
    return inputs


def board_with(core: str) -> Board:
    """A board with much memory around a core, to try any container on it."""
    board = find("mps2-an386")
    cpu = replace(board.cpu, architecture=Architecture(core))
    return replace(board, name=core, cpu=cpu)
