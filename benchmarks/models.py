"""Models that benchmarks measure, and the peers' figures: what lies beside the checkout (`RUNE_SHARED`)."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection
from pathlib import Path

from builder.build import build_container
from builder.golden import GoldenOptions
from builder.importers import detect_format
from builder.layers import pipeline_of_model
from container.abi import Profile
from container.manifest import Optimization
from container.sections import Container
from runefile.pipeline import ModelFile, TypedPipeline

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("RUNE_SHARED", ROOT.parent / "shared"))
MODELS = {
    "keyword spotting": "mlperf_tiny/kws_ref_model.tflite",
    "image classification": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "anomaly detection": "mlperf_tiny/ad01_int8.tflite",
    "micro_speech": "tflite_micro/micro_speech_quantized.tflite",
}
"""Where each lies among the models; the first three are of MLPerf Tiny."""


def model_path(name: str) -> Path:
    """Where a model of MODELS lies, or would."""
    return SHARED / "models" / MODELS[name]


def pipeline_of(path: Path) -> TypedPipeline:
    """Of a model alone, fed with raw bytes."""
    data = path.read_bytes()
    return pipeline_of_model(ModelFile(path.name, data, detect_format(data, path.name)))


def container_of(
    path: Path,
    profiles: Collection[Profile] = (Profile.MCU,),
    samples: int = 0,
    optimization: Optimization = Optimization.BALANCED,
) -> Container:
    """The container of a model alone, with so many golden vectors."""
    built = build_container(
        pipeline_of(path),
        profiles=tuple(profiles),
        optimization=optimization,
        golden=GoldenOptions(samples=samples),
    )
    return Container.parse(built)


def tflm_instructions() -> dict[str, float]:
    """Of an inference by TensorFlow Lite Micro with CMSIS-NN on a Cortex-M4F, by the model's place."""
    path = SHARED / "baselines" / "tflm-cortex-m4.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {row["model"]: float(row["minsn_cmsis"]) * 1e6 for row in csv.DictReader(file)}
