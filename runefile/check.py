"""Checks a Runefile: from the syntax tree to the typed pipeline, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from container.errors import RuneError
from container.manifest import StageKind, StageRecord
from runefile.diagnostics import AbandonedError, Diagnostic, Diagnostics, as_error, has_errors
from runefile.graph import Graph
from runefile.inference import Inference
from runefile.pipeline import TypedPipeline
from runefile.reading import parse
from runefile.resources import Resources
from runefile.signatures import BlockCatalog, ModelReader
from runefile.source import Source
from runefile.syntax import Document


@dataclass(frozen=True)
class CheckResult:
    """The pipeline, or None where there are errors; and all diagnostics, warnings too."""

    pipeline: TypedPipeline | None
    diagnostics: tuple[Diagnostic, ...]
    source: Source

    def error(self) -> RuneError:
        """The errors as one exception: RunefileError, or CompileError when all of them are of compiling."""
        return as_error(self.diagnostics, self.source)


def check(
    document: Document,
    *,
    directory: Path,
    name: str,
    blocks: BlockCatalog,
    models: ModelReader,
    found: Sequence[Diagnostic] = (),
) -> CheckResult:
    """Check a document whose files are in `directory`.

    `found` are the diagnostics of its reading, which the result holds too.  Raises nothing for bad input.
    """
    diagnostics = Diagnostics(list(found))
    pipeline = None
    with suppress(AbandonedError):
        pipeline = _check(document, directory, name, blocks, models, diagnostics)
    failed = has_errors(diagnostics.found)
    return CheckResult(None if failed else pipeline, diagnostics.sorted(), document.source)


def check_file(
    path: Path, *, blocks: BlockCatalog, models: ModelReader, name: str | None = None
) -> CheckResult:
    """Read and check a Runefile.  `name` is the pipeline's; without it, that of the file's folder.

    Raises RunefileError only when the file cannot be read at all.
    """
    parsed = parse(path)
    if parsed.document is None:
        return CheckResult(None, parsed.diagnostics, parsed.source)
    directory = path.parent
    return check(
        parsed.document,
        directory=directory,
        name=name or directory.resolve().name,
        blocks=blocks,
        models=models,
        found=parsed.diagnostics,
    )


def load(path: Path, *, blocks: BlockCatalog, models: ModelReader, name: str | None = None) -> TypedPipeline:
    """The typed pipeline of a Runefile.

    Raises RunefileError, or CompileError when only models are at fault; its message is all diagnostics.
    """
    result = check_file(path, blocks=blocks, models=models, name=name)
    if result.pipeline is None:
        raise result.error()
    return result.pipeline


def _check(
    document: Document,
    directory: Path,
    name: str,
    blocks: BlockCatalog,
    models: ModelReader,
    diagnostics: Diagnostics,
) -> TypedPipeline | None:
    graph = Graph(document, diagnostics)
    graph.check()
    resources = Resources(document, directory, diagnostics)
    inference = Inference(graph, directory, resources, blocks, models, diagnostics)
    inference.run()
    resources.report_unused()
    stages = graph.ordered()
    if any(stage.name not in inference.records for stage in stages):
        return None
    ports = _ports([inference.records[stage.name] for stage in graph.stages.values()])
    records = tuple(replace(inference.records[stage.name], port=ports.get(stage.name)) for stage in stages)
    return TypedPipeline(name, records, inference.model_files, inference.block_signatures)


def _ports(records: Sequence[StageRecord]) -> Mapping[str, int]:
    """Numbers of the sensors and of the outputs, in the order in which they are declared."""
    sensors = outputs = 0
    ports = {}
    for record in records:
        if record.kind is StageKind.CAPABILITY:
            ports[record.name] = sensors
            sensors += 1
        elif record.kind is StageKind.OUT:
            ports[record.name] = outputs
            outputs += len(record.inputs)
    return ports
