"""The formats of models that a Runefile may name, and those of them that are compiled."""

from __future__ import annotations

from collections.abc import Mapping

from runefile.signatures import Parameter, ParameterKind

COMPILED_FORMATS = ("onnx", "tensorflow-lite")
_CURES: Mapping[str, str] = {
    "tensorflow": "convert the SavedModel with tf.lite.TFLiteConverter, and name the .tflite file",
    "tensorflow-js": "convert it with tensorflowjs_converter to a SavedModel and that to TensorFlow Lite",
}

FORMAT = Parameter(
    "format",
    ParameterKind.TEXT,
    "what the model file is; found out from the file unless given",
    choices=("onnx", "tensorflow", "tensorflow-js", "tensorflow-lite"),
)
SIGNATURE = Parameter(
    "signature",
    ParameterKind.TEXT,
    "which of the model's signatures to run, by its key; its main graph unless given",
)
PARAMETERS = (FORMAT, SIGNATURE)


def conversion_hint(model_format: str) -> str | None:
    """What to do with a model of a format that is known but not compiled; None where it is compiled."""
    return _CURES.get(model_format)
