"""Model files: what they take and give, and their way into Relax.

`read_signature` needs no compiler, so that a Runefile can be checked quickly; the importers proper load TVM.
"""

from __future__ import annotations

from collections.abc import Iterator

from builder.importers.torch_file import is_exported_program
from container.errors import CompileError
from runefile.signatures import ModelSignature

TENSORFLOW_LITE = "tensorflow-lite"
ONNX = "onnx"
PYTORCH = "pytorch"


def read_signature(
    data: bytes, file: str, format: str | None, signature: str | None = None
) -> ModelSignature:
    """Inputs and outputs of a model, whose format is found from its bytes unless given.

    `signature` is the key of the one to run in a model that has several.  Raises CompileError when it is no
    model, is damaged, is of a format that cannot be compiled, or has no such signature.
    """
    found = detect_format(data, file)
    if format is not None and format != found:
        # The names that Runefiles may use are older than PyTorch's programs.
        cure = "" if found == PYTORCH else f"write `--format {found}`, or "
        raise CompileError(
            f"{file}: the Runefile says `{format}`, but the file is {found}",
            hint=f"{cure}leave it out: the format is found from the file",
        )
    if found == TENSORFLOW_LITE:
        from builder.importers.tflite import signature as tflite_signature

        return tflite_signature(data, file, signature)
    if signature is not None:
        raise CompileError(
            f"{file}: the Runefile names the signature `{signature}`; only TensorFlow Lite models have any",
            hint="leave `--signature` out",
        )
    if found == PYTORCH:
        from builder.importers.torch_file import signature as torch_signature

        return torch_signature(data, file)
    from builder.importers.onnx import signature as onnx_signature

    return onnx_signature(data, file)


def detect_format(data: bytes, file: str) -> str:
    """`tensorflow-lite`, `onnx` or `pytorch`.  Raises CompileError for anything else."""
    if data[4:8] == b"TFL3":
        return TENSORFLOW_LITE
    if looks_like_onnx(data):
        return ONNX
    if is_exported_program(data):
        return PYTORCH
    raise CompileError(
        f"{file}: not a model that can be compiled: {_guess(data)}",
        hint="use a TensorFlow Lite (.tflite), ONNX (.onnx) or PyTorch (.pt2, torch.export.save) model",
    )


def looks_like_onnx(data: bytes) -> bool:
    """Whether the bytes are a protobuf with fields of an ONNX model: `ir_version`, a number, and a graph.

    Only the top level is walked, so a model that is damaged deeper inside still counts.
    """
    fields = dict(_top_level_fields(data))
    return fields.get(1) == 0 and fields.get(7) == 2


def _top_level_fields(data: bytes) -> Iterator[tuple[int, int]]:
    """(number, wire type) of the fields of a protobuf message, up to the first that is none of ONNX."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if not 1 <= number <= 25 or wire not in (0, 2):
            return
        yield number, wire
        value, position = _varint(data, position)
        position += value if wire == 2 else 0


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length integer of a protobuf, at most ten bytes, and the position after it."""
    value = 0
    for shift, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, position + shift + 1
    return value, len(data)


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
