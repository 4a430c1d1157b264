"""The typed pipeline: what a Runefile means once it has been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from container.manifest import StageRecord
from runefile.signatures import BlockSignature


@dataclass(frozen=True)
class ModelFile:
    """The bytes of a model, and the file or resource they came from."""

    file: str
    data: bytes
    format: str
    """`tensorflow-lite`, `onnx` or `pytorch`."""
    signature: str | None = None
    """Key of the signature to run, where the model has several."""


@dataclass(frozen=True)
class TypedPipeline:
    """A checked pipeline: every reference resolved, every type known, every file read."""

    name: str
    stages: tuple[StageRecord, ...]
    """In an order of execution: a stage comes after those it takes its inputs from, else as written."""
    models: Mapping[str, ModelFile]
    """By the name of the model stage."""
    blocks: Mapping[str, BlockSignature]
    """By the name of the proc block stage."""
