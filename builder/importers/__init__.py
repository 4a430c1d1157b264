"""Model files: what they take and give, and their way into Relax.

`read_signature` needs no compiler, so that a Runefile can be checked quickly; the importers proper load TVM.
"""

from __future__ import annotations

from container.errors import CompileError
from runefile.signatures import ModelSignature

TENSORFLOW_LITE = "tensorflow-lite"
ONNX = "onnx"


def read_signature(data: bytes, file: str, format: str | None) -> ModelSignature:
    """Inputs and outputs of a model, whose format is found from its bytes unless given.

    Raises CompileError when it is no model, is damaged, or is of a format that cannot be compiled.
    """
    found = detect_format(data, file)
    if format is not None and format != found:
        raise CompileError(
            f"{file}: the Runefile says `{format}`, but the file is {found}",
            hint=f"write `--format {found}`, or leave it out: the format is found from the file",
        )
    if found == TENSORFLOW_LITE:
        from builder.importers.tflite import signature as tflite_signature

        return tflite_signature(data, file)
    from builder.importers.onnx import signature as onnx_signature

    return onnx_signature(data, file)


def detect_format(data: bytes, file: str) -> str:
    """`tensorflow-lite` or `onnx`.  Raises CompileError for anything else."""
    if data[4:8] == b"TFL3":
        return TENSORFLOW_LITE
    if _looks_like_onnx(data):
        return ONNX
    raise CompileError(
        f"{file}: not a model that can be compiled: {_guess(data)}",
        hint="use a TensorFlow Lite (.tflite) or ONNX (.onnx) model",
    )


def _looks_like_onnx(data: bytes) -> bool:
    """An ONNX file is a protobuf message whose first field is nearly always `ir_version`, a small number."""
    return len(data) > 8 and data[0] == 0x08 and 1 <= data[1] <= 0x20


def _guess(data: bytes) -> str:
    known = {
        b"PK\x03\x04": "it is a ZIP archive (a Keras or PyTorch file?)",
        b"\x89HDF": "it is an HDF5 file (a Keras model?)",
        b"\x7fELF": "it is a program",
        b"\x00asm": "it is WebAssembly",
    }
    if not data:
        return "it is empty"
    return known.get(data[:4], f"it starts with the bytes {data[:8].hex(' ')}")
