"""The examples' models are what their scripts make, and do what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.digits import make_model as digits
from examples.sine import make_model as sine

runtime = pytest.importorskip("tflite_micro").runtime

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_sine_models_are_made_by_their_script() -> None:
    weights = sine.train()
    assert sine.float_model(weights) == (EXAMPLES / "sine" / "sine.tflite").read_bytes()
    assert sine.int8_model(weights) == (EXAMPLES / "sine" / "sine_int8.tflite").read_bytes()


@pytest.mark.parametrize(("file", "tolerance"), [("sine.tflite", 0.013), ("sine_int8.tflite", 0.025)])
def test_sine_models_are_close_to_the_sine(file: str, tolerance: float) -> None:
    interpreter = runtime.Interpreter.from_file(str(EXAMPLES / "sine" / file), arena_size=1 << 16)
    source = interpreter.get_input_details(0)
    target = interpreter.get_output_details(0)["quantization_parameters"]
    for angle in np.linspace(0, 6.28, 100):
        interpreter.set_input(as_input(angle, source), 0)
        interpreter.invoke()
        value = interpreter.get_output(0).item()
        if source["dtype"] is np.int8:
            value = (value - target["zero_points"][0]) * target["scales"][0]
        assert value == pytest.approx(np.sin(angle), abs=tolerance)


def as_input(angle: float, details: dict[str, object]) -> np.ndarray[tuple[int, int], np.dtype[np.generic]]:
    if details["dtype"] is np.float32:
        return np.array([[angle]], np.float32)
    scale = 6.2831855 / 255  # one turn over the whole range of int8
    return np.array([[round(angle / scale) - 128]], np.int8)


def test_digits_model_is_made_by_its_script_and_reads_held_out_digits() -> None:
    learnt, held_out = digits.Digits.load()
    model = digits.int8_model(digits.train(learnt), learnt.images)
    assert model == (EXAMPLES / "digits" / "digits.tflite").read_bytes()
    assert digits.accuracy(model, held_out) >= 0.98


@pytest.mark.parametrize(("word", "label"), [("three", 3), ("seven", 7)])
def test_pictures_are_held_out_digits(word: str, label: int) -> None:
    _, held_out = digits.Digits.load()
    grey = np.asarray(Image.open(EXAMPLES / "digits" / f"{word}.png"), np.float64)[8::16, 8::16] / 255
    matches = (held_out.images[..., 0] == grey).all(axis=(1, 2))
    assert held_out.labels[matches].tolist() == [label]
