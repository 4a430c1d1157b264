"""The main job on real speech: a Runefile with sensor, model and labels, and 1,000 recorded utterances."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import rune
from tests.shared import shared_path

LABELS = "down,go,left,no,off,on,right,stop,up,yes,silence,unknown"
RUNEFILE = f"""\
FROM runicos/base
CAPABILITY<I8[1,49,10,1]> features RAW
MODEL<I8[1,49,10,1],I8[1,12]> kws ./kws.tflite
PROC_BLOCK<I8[1,12],U32[1]> best most_confident_indices --count 1
PROC_BLOCK<U32[1],UTF8[1]> word label --labels={LABELS}
OUT serial
RUN features kws best word serial
"""


def keyword_folder(folder: Path) -> Path:
    """A folder with the Runefile and the model."""
    folder.mkdir()
    (folder / "Runefile").write_text(RUNEFILE)
    shutil.copyfile(shared_path("models/mlperf_tiny/kws_ref_model.tflite"), folder / "kws.tflite")
    return folder


@pytest.mark.parametrize("profile", ["simd", "mcu"])
def test_every_utterance_gets_the_word_of_the_reference(tmp_path: Path, profile: str) -> None:
    with np.load(shared_path("models/eval_sets/mlperf_kws01_1000.npz")) as file:
        features, reference = file["x"].reshape(-1, 1, 49, 10, 1), file["tflm_int8"].reshape(-1, 12)
    container = rune.build(keyword_folder(tmp_path / "kws"), tmp_path / "kws.rune", profiles=[profile])
    with rune.load(container) as application:
        words = [str(application.run({"features": sample})["serial"][0]) for sample in features]
    expected = [LABELS.split(",")[index] for index in reference.argmax(axis=1)]
    assert words == expected


def test_the_same_inputs_give_the_same_bytes_in_another_folder(tmp_path: Path) -> None:
    first = rune.build(keyword_folder(tmp_path / "kws"), tmp_path / "first.rune").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    second = rune.build(keyword_folder(tmp_path / "elsewhere" / "kws"), tmp_path / "second.rune").read_bytes()
    assert first == second


def test_golden_vectors_of_the_whole_pipeline_are_sealed_and_hold(tmp_path: Path) -> None:
    container = rune.build(keyword_folder(tmp_path / "kws"), tmp_path / "kws.rune")
    report = rune.verify(container)
    assert report.vectors == 4
    assert not report.differences
