"""Infers the types along the graph and checks them against what is declared and what the models say.

The rule of agreement is `TensorType.accepts`: equal element types, and shapes equal but for dimensions of
one.  A stage's output has the element type, text width and quantisation that were inferred, in the shape that
was declared where one was.  A capability that feeds a model directly, in the model's element type, takes over
the model's quantisation: its numbers mean what the model takes them for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from container.errors import CompileError, ExitCode, RuneError
from container.manifest import Argument, OutputReference, StageKind, StageRecord
from container.tensors import TensorType
from runefile.arguments import ArgumentReader, normalized
from runefile.capabilities import CAPABILITIES, CapabilityUse
from runefile.diagnostics import Code, Diagnostics, did_you_mean, quoted
from runefile.explain import declaration_hint, edge_hint, show
from runefile.flow import (
    Outputs,
    block_name,
    declared_at,
    declared_outputs,
    declared_tensor,
    is_unknown,
    pick_number,
    reshaped,
)
from runefile.graph import Graph
from runefile.models import COMPILED_FORMATS, FORMAT, PARAMETERS, SIGNATURE, conversion_hint
from runefile.outputs import OUTPUTS, OutputKind, OutputUse
from runefile.pipeline import ModelFile
from runefile.resources import Resources
from runefile.scalars import ResourceName
from runefile.signatures import (
    BlockCatalog,
    BlockSignature,
    BlockUse,
    ModelReader,
    ModelSignature,
    TypeRuleError,
)
from runefile.source import Span
from runefile.syntax import Input, Stage

_OWN_BLOCK = ("./", "../", "/")
_OWN_BLOCK_FILES = (".py", ".c")


@dataclass(frozen=True)
class _Model:
    file: ModelFile
    signature: ModelSignature


@dataclass
class Inference:
    """The types of one pipeline, stage by stage."""

    graph: Graph
    directory: Path
    resources: Resources
    blocks: BlockCatalog
    models: ModelReader
    diagnostics: Diagnostics
    records: dict[str, StageRecord] = field(default_factory=dict)
    """The stages whose types are all known, by name."""
    model_files: dict[str, ModelFile] = field(default_factory=dict)
    block_signatures: dict[str, BlockSignature] = field(default_factory=dict)
    _models: dict[str, _Model | None] = field(default_factory=dict)
    _signatures: dict[tuple[str, str | None, str | None], ModelSignature] = field(default_factory=dict)
    _arguments: dict[str, Mapping[str, Argument] | None] = field(default_factory=dict)
    _outputs: dict[str, Outputs | None] = field(default_factory=dict)

    def run(self) -> None:
        """Check every stage; models are read first, since what they take tells others what to deliver."""
        self._reader = ArgumentReader(self.resources, self.diagnostics)
        stages = self.graph.ordered()
        for stage in stages:
            if stage.kind is StageKind.MODEL:
                self._arguments[stage.name] = self._reader.read(stage, PARAMETERS, "a model")
                self._models[stage.name] = self._read_model(stage)
        self._consumers = self._find_consumers()
        check = {
            StageKind.CAPABILITY: self._check_capability,
            StageKind.PROC_BLOCK: self._check_block,
            StageKind.MODEL: self._check_model,
            StageKind.OUT: self._check_out,
        }
        for stage in stages:
            self._outputs[stage.name] = None
            self._outputs[stage.name] = check[stage.kind](stage)

    # Models

    def _read_model(self, stage: Stage) -> _Model | None:
        arguments = self._arguments[stage.name]
        model_format = None if arguments is None else arguments.get(FORMAT.name)
        if isinstance(model_format, str) and model_format not in COMPILED_FORMATS:
            message = f"models of the format {model_format} cannot be compiled"
            span = next(item.value_span for item in stage.arguments if normalized(item.name) == FORMAT.name)
            hint = conversion_hint(model_format)
            self.diagnostics.error(Code.MODEL_FORMAT, message, span, hint, ExitCode.COMPILE)
            return None
        found = self._model_data(stage)
        if found is None or arguments is None:
            return None
        data, file = found
        named_format = model_format if isinstance(model_format, str) else None
        key = arguments.get(SIGNATURE.name)
        chosen = key if isinstance(key, str) else None
        signature = self._signature(stage, data, file, named_format, chosen)
        if signature is None:
            return None
        model = ModelFile(file, data, signature.format, chosen)
        self.model_files[stage.name] = model
        return _Model(model, signature)

    def _signature(
        self, stage: Stage, data: bytes, file: str, model_format: str | None, chosen: str | None
    ) -> ModelSignature | None:
        """What a model says of itself.  A file that several stages name is read once."""
        key = (file, model_format, chosen)
        if key not in self._signatures:
            try:
                self._signatures[key] = self.models(data, file, model_format, chosen)
            except RuneError as error:
                self._report_foreign(Code.MODEL, error, stage.target_span)
                return None
        return self._signatures[key]

    def _model_data(self, stage: Stage) -> tuple[bytes, str] | None:
        if isinstance(stage.target, ResourceName):
            return self.resources.binary(stage.target, stage.target_span)
        data = self.resources.file(stage.target, stage.target_span)
        return None if data is None else (data, stage.target)

    def _report_foreign(self, code: Code, error: RuneError, span: Span) -> None:
        exit_code = ExitCode.COMPILE if isinstance(error, CompileError) else ExitCode.RUNEFILE
        self.diagnostics.error(code, error.message, span, error.hint, exit_code)

    def _check_model(self, stage: Stage) -> Outputs | None:
        inputs = self._flows(stage)
        model = self._models[stage.name]
        if model is None:
            return declared_outputs(stage)
        wanted = tuple(port.type for port in model.signature.inputs)
        owner = f"{quoted(model.file.file)}"
        self._check_model_inputs(stage, owner, wanted, inputs)
        inferred = tuple(port.type for port in model.signature.outputs)
        outputs = self._agreed(stage, owner, inferred, [port.name for port in model.signature.outputs])
        self._record(stage, str(model.file.file), inputs, wanted, outputs)
        return outputs

    def _check_model_inputs(
        self,
        stage: Stage,
        owner: str,
        wanted: Sequence[TensorType],
        inputs: Sequence[TensorType | None],
    ) -> None:
        for given, what in ((stage.input_types, "declares"), (stage.inputs, "is given")):
            if given and len(given) != len(wanted):
                takes = _count(len(wanted), "input")
                message = f"{owner} takes {takes}, but {quoted(stage.name)} {what} {len(given)}"
                hint = "it takes: " + ", ".join(f"{show(tensor)}" for tensor in wanted)
                self.diagnostics.error(Code.COUNT_MISMATCH, message, stage.target_span, hint)
        for number, tensor in enumerate(wanted):
            declared = declared_at(stage.input_types, number)
            if declared is not None and not tensor.accepts(declared):
                says = f"{quoted(stage.name)} declares its input as {declared}"
                message = f"{says}, but {owner} takes {show(tensor)}"
                hint = declaration_hint(declared, tensor)
                self.diagnostics.error(Code.TYPE_MISMATCH, message, stage.input_types[number].span, hint)
            given_type = inputs[number] if number < len(inputs) else None
            if given_type is None or tensor.accepts(given_type):
                continue
            if declared is None or tensor.accepts(declared) or not declared.accepts(given_type):
                self._report_edge(stage, number, given_type, f"{owner} takes {show(tensor)}", tensor)

    # Blocks

    def _check_block(self, stage: Stage) -> Outputs | None:
        flows = self._flows(stage)
        block = self._find_block(stage)
        if block is None:
            return declared_outputs(stage)
        self.block_signatures[stage.name] = block
        owner = f"the proc block {quoted(block.name)}"
        arguments = self._reader.read(stage, block.parameters, owner)
        inputs = self._block_inputs(stage, flows)
        if arguments is None or inputs is None or any(is_unknown(port) for port in stage.outputs):
            return declared_outputs(stage)
        declared = tuple(declared_tensor(port.type) for port in stage.outputs)
        use = BlockUse(inputs, arguments, declared, self._consumers.get(stage.name))
        inferred = self._infer(stage, block, use)
        if inferred is None:
            return declared_outputs(stage)
        self._arguments[stage.name] = arguments
        outputs = self._agreed(stage, owner, inferred, [None] * len(inferred))
        self._record(stage, block.name, flows, inputs, outputs)
        return outputs

    def _find_block(self, stage: Stage) -> BlockSignature | None:
        path = str(stage.target)
        if path.startswith(_OWN_BLOCK) or path.endswith(_OWN_BLOCK_FILES):
            return self._load_block(stage, path)
        name = block_name(path)
        block = self.blocks.find(name)
        if block is None:
            message = f"there is no proc block {quoted(name)}"
            own = "a block of your own is named by its path: ./block.py"
            hint = did_you_mean(name, self.blocks.names()) or own
            self.diagnostics.error(Code.UNKNOWN_BLOCK, message, stage.target_span, hint)
        return block

    def _load_block(self, stage: Stage, path: str) -> BlockSignature | None:
        try:
            return self.blocks.load(self.directory / path)
        except (FileNotFoundError, ValueError):
            message = f"there is no proc block at {quoted(path)}"
            hint = f"a block of your own is a .py or .c file, or a folder that holds one, in {self.directory}"
            self.diagnostics.error(Code.FILE, message, stage.target_span, hint)
        except OSError as error:
            message = f"{quoted(path)} cannot be read: {error.strerror}"
            self.diagnostics.error(Code.FILE, message, stage.target_span)
        except RuneError as error:
            self._report_foreign(Code.BLOCK, error, stage.target_span)
        return None

    def _block_inputs(
        self, stage: Stage, flows: Sequence[TensorType | None]
    ) -> tuple[TensorType, ...] | None:
        """What a block's rule sees: what flows in, in the declared shape where one is declared."""
        if stage.input_types and len(stage.input_types) != len(flows):
            declares = _count(len(stage.input_types), "input")
            message = f"{quoted(stage.name)} declares {declares}, but is given {len(flows)}"
            self.diagnostics.error(
                Code.COUNT_MISMATCH, message, stage.name_span, "connect one stage for each"
            )
            return None
        inputs = [self._block_input(stage, number, flow) for number, flow in enumerate(flows)]
        known = [tensor for tensor in inputs if tensor is not None]
        return tuple(known) if known and len(known) == len(inputs) else None

    def _block_input(self, stage: Stage, number: int, flow: TensorType | None) -> TensorType | None:
        declared = declared_at(stage.input_types, number)
        if flow is None or declared is None:
            return flow or declared
        if not declared.accepts(flow):
            says = f"{quoted(stage.name)} declares its input as {declared}"
            message = f"{says}, but {quoted(str(stage.inputs[number]))} gives {show(flow)}"
            hint = declaration_hint(declared, flow)
            self.diagnostics.error(Code.TYPE_MISMATCH, message, stage.input_types[number].span, hint)
            return None
        return reshaped(flow, declared.shape)

    def _infer(self, stage: Stage, block: BlockSignature, use: BlockUse) -> tuple[TensorType, ...] | None:
        try:
            return tuple(block.infer(use))
        except TypeRuleError as error:
            message = f"{block.name}: {error.message}"
            self.diagnostics.error(Code.BLOCK, message, _rule_span(stage, block, error), error.hint)
        except RuneError as error:
            self._report_foreign(Code.BLOCK, error, stage.target_span)
        except Exception as error:
            # The rule may be of a user's own block, and do anything.
            message = f"the type rule of {quoted(block.name)} failed: {type(error).__name__}: {error}"
            self.diagnostics.error(Code.BLOCK, message, stage.target_span)
        return None

    # Capabilities and outputs

    def _check_capability(self, stage: Stage) -> Outputs | None:
        kind = CAPABILITIES.get(str(stage.target))
        if kind is None:
            message = f"there is no capability {quoted(str(stage.target))}"
            hint = did_you_mean(str(stage.target), CAPABILITIES)
            self.diagnostics.error(Code.UNKNOWN_KIND, message, stage.target_span, hint)
            return declared_outputs(stage)
        arguments = self._reader.read(stage, kind.parameters, kind.name)
        if arguments is None or any(is_unknown(port) for port in stage.outputs):
            return declared_outputs(stage)
        declared = declared_at(stage.outputs, 0)
        consumer = self._consumers.get(stage.name)
        try:
            delivered, self._arguments[stage.name] = kind.rule(CapabilityUse(arguments, declared, consumer))
        except TypeRuleError as error:
            code = Code.WRONG_ARGUMENT if error.argument else Code.TYPE_MISMATCH
            span = _argument_span(stage, (error.argument or "",)) or _output_span(stage)
            self.diagnostics.error(code, error.message, span, error.hint)
            return declared_outputs(stage)
        if consumer is not None and consumer.accepts(delivered):
            delivered = replace(delivered, quantization=reshaped(consumer, delivered.shape).quantization)
        outputs = self._agreed(stage, kind.name, (delivered,), [None])
        self._record(stage, kind.name, (), (), outputs)
        return outputs

    def _check_out(self, stage: Stage) -> Outputs | None:
        flows = self._flows(stage)
        kind = OUTPUTS.get(str(stage.target))
        if kind is None:
            message = f"there is no output {quoted(str(stage.target))}"
            hint = did_you_mean(str(stage.target), OUTPUTS)
            self.diagnostics.error(Code.UNKNOWN_KIND, message, stage.target_span, hint)
            return None
        self._arguments[stage.name] = self._reader.read(stage, kind.parameters, kind.name)
        self._check_out_rule(stage, kind, flows)
        self._record(stage, kind.name, flows, flows, Outputs((), ()))
        return None

    def _check_out_rule(self, stage: Stage, kind: OutputKind, flows: Sequence[TensorType | None]) -> None:
        most = kind.maximum_inputs
        if most is not None and len(flows) > most:
            message = (
                f"{kind.name} takes {_count(most, 'input')}, but {quoted(stage.name)} is given {len(flows)}"
            )
            hint = f"give each its own {kind.name}"
            self.diagnostics.error(Code.COUNT_MISMATCH, message, stage.inputs[most].span, hint)
            return
        arguments = self._arguments[stage.name]
        known = tuple(flow for flow in flows if flow is not None)
        if arguments is None or not known or len(known) < len(flows):
            return
        try:
            kind.rule(OutputUse(known, arguments))
        except TypeRuleError as error:
            self._report_out(stage, error)

    def _report_out(self, stage: Stage, error: TypeRuleError) -> None:
        code, span = Code.MISSING_ARGUMENT, stage.target_span
        if error.argument is not None:
            code, span = Code.WRONG_ARGUMENT, _argument_span(stage, (error.argument,)) or span
        elif error.input is not None:
            code, span = Code.TYPE_MISMATCH, stage.inputs[error.input].span
        self.diagnostics.error(code, error.message, span, error.hint)

    # Edges

    def _flows(self, stage: Stage) -> tuple[TensorType | None, ...]:
        return tuple(self._flow(edge) for edge in stage.inputs)

    def _flow(self, edge: Input) -> TensorType | None:
        outputs = self._outputs.get(edge.stage)
        if outputs is None:
            return None
        number = self._picked(edge, outputs)
        return None if number is None else outputs.types[number]

    def _picked(self, edge: Input, outputs: Outputs) -> int | None:
        """The number of the output that an edge picks; None when there is no such, which is reported."""
        number = pick_number(edge, outputs)
        if number is not None:
            return number
        count = _count(len(outputs.types), "output")
        ways = [f"{edge.stage}.{name or position}" for position, name in enumerate(outputs.names)]
        if edge.pick is None:
            message, hint = f"{quoted(edge.stage)} has {count}: say which", "write " + " or ".join(ways[:8])
        else:
            message = f"{quoted(edge.stage)} has no output {quoted(str(edge.pick))}: it has {count}"
            hint = did_you_mean(str(edge), ways) or f"write {edge.stage}.0 to {edge.stage}.{len(ways) - 1}"
        self.diagnostics.error(Code.UNKNOWN_OUTPUT, message, edge.span, hint)
        return None

    def _report_edge(
        self, stage: Stage, number: int, given: TensorType, demand: str, wanted: TensorType
    ) -> None:
        edge = stage.inputs[number]
        message = f"{quoted(str(edge))} gives {show(given)}, but {demand}"
        self.diagnostics.error(Code.TYPE_MISMATCH, message, edge.span, edge_hint(given, wanted))

    def _find_consumers(self) -> dict[str, TensorType]:
        """What the first model that takes a stage's first output expects, by the name of the stage."""
        found: dict[str, TensorType] = {}
        for consumer in self.graph.stages.values():
            model = self._models.get(consumer.name)
            wanted = () if model is None else model.signature.inputs
            for edge, port in zip(consumer.inputs, wanted, strict=False):
                if edge.pick in (None, 0):
                    found.setdefault(edge.stage, port.type)
        return found

    # Results

    def _agreed(
        self, stage: Stage, owner: str, inferred: Sequence[TensorType], names: Sequence[str | None]
    ) -> Outputs:
        """The outputs of a stage: as inferred, in the shapes and by the names that are declared."""
        ports = stage.outputs
        if ports and len(ports) != len(inferred):
            has = _count(len(inferred), "output")
            message = f"{owner} has {has}, but {quoted(stage.name)} declares {len(ports)}"
            hint = "declare: " + ", ".join(map(str, inferred))
            self.diagnostics.error(Code.COUNT_MISMATCH, message, _output_span(stage), hint)
            return Outputs(tuple(inferred), tuple(names))
        types = [self._agreed_type(stage, owner, number, tensor) for number, tensor in enumerate(inferred)]
        declared_names = [port.name for port in ports] or [None] * len(inferred)
        self._check_output_names(stage)
        found = (declared or name for declared, name in zip(declared_names, names, strict=True))
        return Outputs(tuple(types), tuple(found))

    def _agreed_type(self, stage: Stage, owner: str, number: int, inferred: TensorType) -> TensorType:
        declared = declared_at(stage.outputs, number)
        if declared is None:
            return inferred
        if inferred.accepts(declared):
            return reshaped(inferred, declared.shape)
        says = f"{quoted(stage.name)} declares its output as {declared}"
        message = f"{says}, but {owner} gives {show(inferred)}"
        hint = declaration_hint(declared, inferred)
        self.diagnostics.error(Code.TYPE_MISMATCH, message, stage.outputs[number].span, hint)
        return inferred

    def _check_output_names(self, stage: Stage) -> None:
        seen: set[str] = set()
        for port in stage.outputs:
            if port.name in seen:
                message = f"there is a second output named {quoted(port.name)}"
                self.diagnostics.error(Code.DUPLICATE_NAME, message, port.span, "rename one of them")
            if port.name is not None:
                seen.add(port.name)

    def _record(
        self,
        stage: Stage,
        target: str,
        flows: Sequence[TensorType | None],
        input_types: Sequence[TensorType | None],
        outputs: Outputs,
    ) -> None:
        """Keep what is known of a stage, if that is everything."""
        arguments = self._arguments.get(stage.name)
        types = [tensor for tensor in (*flows, *input_types, *outputs.types) if tensor is not None]
        if arguments is None or len(types) < len(flows) + len(input_types) + len(outputs.types):
            return
        self.records[stage.name] = StageRecord(
            stage.name,
            stage.kind,
            target,
            self._references(stage),
            tuple(tensor for tensor in input_types if tensor is not None),
            tuple(tensor for tensor in outputs.types if tensor is not None),
            tuple(name or "" for name in outputs.names) if any(outputs.names) else (),
            arguments,
        )

    def _references(self, stage: Stage) -> tuple[OutputReference, ...]:
        references = []
        for edge in stage.inputs:
            outputs = self._outputs[edge.stage]
            number = None if outputs is None else pick_number(edge, outputs)
            references.append(OutputReference(edge.stage, number or 0))
        return tuple(references)


def _output_span(stage: Stage) -> Span:
    return stage.outputs[0].span if stage.outputs else stage.target_span


def _argument_span(stage: Stage, names: Sequence[str]) -> Span | None:
    wanted = set(map(normalized, names))
    return next((item.value_span for item in stage.arguments if normalized(item.name) in wanted), None)


def _rule_span(stage: Stage, block: BlockSignature, error: TypeRuleError) -> Span:
    """Where a type rule's complaint belongs."""
    if error.argument is not None:
        parameter = next((item for item in block.parameters if item.name == error.argument), None)
        names = (error.argument, *(parameter.aliases if parameter else ()))
        return _argument_span(stage, names) or stage.target_span
    if error.input is not None and error.input < len(stage.inputs):
        ports = stage.input_types
        return ports[error.input].span if error.input < len(ports) else stage.inputs[error.input].span
    return stage.target_span


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
