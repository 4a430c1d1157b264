"""Reads what `torch.export.save` writes, and makes an archive of it that PyTorch may be given.

The loader unpickles parts of an archive, imports modules that it names and calls any function below `torch`:
a file could run code.  So nothing is handed to it but a new archive of the parts that were checked here: raw
weights, and a graph of ATen operators with static shapes.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from builder.importers.ports import MAXIMUM_ELEMENTS, model_port
from container.errors import CompileError
from runefile.signatures import ModelPort, ModelSignature

MAXIMUM_BYTES = 1 << 30
MAXIMUM_FILES = 20_000
MAXIMUM_GRAPH_BYTES = 32 << 20
MAXIMUM_RANK = 16

_INTEGERS = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    28: "uint16",
    34: "uint32",
    35: "uint64",
}
DTYPES: Mapping[int, str] = _INTEGERS | {6: "float16", 7: "float32", 8: "float64", 12: "bool", 13: "bfloat16"}
"""By the numbers of ScalarType in torch/_export/serde/schema.py."""
_MODEL = "models/model.json"
_WEIGHTS, _CONSTANTS = "data/weights/", "data/constants/"
_CONFIGS = {
    _WEIGHTS: "model_weights_config.json",
    _CONSTANTS: "model_constants_config.json",
}
_RAW = {_WEIGHTS: re.compile(r"weight_\d+"), _CONSTANTS: re.compile(r"tensor_\d+")}
_OPERATOR = re.compile(
    r"torch\.ops\.aten\.(_?[a-z][a-z0-9_]*|__(?:and|or|xor)__)\.[A-Za-z0-9][A-Za-z0-9_]*|_operator\.getitem"
)
_WITH_TEXT = {
    *("conv1d", "conv2d", "conv3d", "div", "div_", "einsum", "gelu", "gelu_", "meshgrid", "pad"),
    *("scatter_reduce", "searchsorted"),
}
"""Operators that may have text among their arguments: others (`from_file`) take it for the name of a file."""
_UNSAFE_ARGUMENTS = {"as_expr", "as_custom_obj", "as_graph", "as_operator"}
_NAME = re.compile(r"[A-Za-z0-9_.]*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")
_EXPORT = "torch.export.save(torch.export.export(model.eval(), example), 'model.pt2')"
_DAMAGE_HINT = f"the file is truncated or was changed; export it again: {_EXPORT}"
_STATIC_HINT = "export with static shapes: torch.export.export(model.eval(), example) without dynamic_shapes"


@dataclass(frozen=True)
class _Archive:
    """The parts of a `.pt2` file that matter, checked."""

    program: dict[str, Any]
    configs: Mapping[str, Any]
    """By folder."""
    tensors: Mapping[str, bytes]
    inputs: tuple[ModelPort, ...]
    outputs: tuple[ModelPort, ...]


def is_exported_program(data: bytes) -> bool:
    """Whether the bytes are a ZIP archive that holds a graph where `torch.export.save` puts it."""
    if data[:4] != b"PK\x03\x04":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.count("/") == 2 and name.endswith("/" + _MODEL) for name in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError):
        return False


def signature(data: bytes, file: str) -> ModelSignature:
    """Inputs and outputs of the exported program, without PyTorch.  Raises CompileError."""
    archive = _read(data, file)
    return ModelSignature(archive.inputs, archive.outputs, "pytorch")


def harmless_archive(data: bytes, file: str) -> bytes:
    """An archive of the checked parts alone, without sample inputs.  Raises CompileError."""
    archive = _read(data, file)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as out:
        out.writestr(f"model/{_MODEL}", json.dumps(archive.program))
        for folder, config in archive.configs.items():
            out.writestr(f"model/{folder}{_CONFIGS[folder]}", json.dumps(config))
        for name, content in archive.tensors.items():
            out.writestr(f"model/{name}", content)
        out.writestr("model/data/sample_inputs/model.pt", b"")
        for name, text in (("archive_format", "pt2"), ("archive_version", "0"), (".data/version", "6\n")):
            out.writestr(f"model/{name}", text)
        out.writestr("model/byteorder", "little")
    return buffer.getvalue()


def _read(data: bytes, file: str) -> _Archive:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _checked(archive, file)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as fault:
        _damaged(file, str(fault), fault)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        RecursionError,
        RuntimeError,
    ) as fault:
        # What json and zipfile raise, and what comes of JSON of another form than ours.
        _damaged(file, f"{type(fault).__name__}: {fault}"[:200], fault)


def _damaged(file: str, why: str, fault: BaseException | None = None) -> NoReturn:
    raise CompileError(f"{file}: damaged PyTorch model: {why}", hint=_DAMAGE_HINT) from fault


def _checked(archive: zipfile.ZipFile, file: str) -> _Archive:
    entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAXIMUM_FILES or total > MAXIMUM_BYTES:
        _damaged(file, f"{len(entries)} parts of together {total} bytes are more than any model needs")
    root = next(e.filename for e in entries if e.filename.endswith("/" + _MODEL)).removesuffix(_MODEL)
    byteorder = archive.read(f"{root}byteorder") if f"{root}byteorder" in archive.namelist() else b"little"
    if byteorder != b"little":
        _damaged(file, "its weights are not little-endian")
    program = _json(archive, root + _MODEL, file)
    inputs, outputs = _ports(program, file)
    configs, tensors = {}, {}
    for folder, config_name in _CONFIGS.items():
        configs[folder] = _json(archive, f"{root}{folder}{config_name}", file)
        for name in _raw_tensors(configs[folder], folder, file):
            tensors[folder + name] = archive.read(f"{root}{folder}{name}")
    return _Archive(_harmless_program(program, file), configs, tensors, inputs, outputs)


def _json(archive: zipfile.ZipFile, name: str, file: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > MAXIMUM_GRAPH_BYTES:
        _damaged(file, f"{name} is larger than {MAXIMUM_GRAPH_BYTES} bytes")
    value = json.loads(archive.read(name))
    if not isinstance(value, dict):
        _damaged(file, f"{name} holds no object")
    return value


def _raw_tensors(config: Mapping[str, Any], folder: str, file: str) -> set[str]:
    """Names of the files of a folder that hold weights as plain bytes; anything else is refused."""
    names = set()
    elements = 0
    for tensor, entry in config["config"].items():
        name = entry["path_name"]
        if entry["use_pickle"] is not False or not _RAW[folder].fullmatch(name):
            raise CompileError(
                f"{file}: {tensor!r} is no plain tensor but a pickled object, which could run code when read",
                hint="keep only dense tensors as parameters, buffers and constants of the module",
            )
        # Strides of 0 make any number of elements of few bytes.
        elements += math.prod(_shape(tensor, entry["tensor_meta"], file))
        _dtype(tensor, entry["tensor_meta"], file)
        if entry["tensor_meta"]["device"]["type"] != "cpu":
            raise CompileError(f"{file}: {tensor!r} is not on the CPU", hint="export model.cpu().eval()")
        names.add(name)
    if elements > MAXIMUM_ELEMENTS:
        _damaged(file, f"its weights are {elements} elements; at most {MAXIMUM_ELEMENTS} are compiled")
    _check_names(config, file)
    return names


def _ports(program: Mapping[str, Any], file: str) -> tuple[tuple[ModelPort, ...], tuple[ModelPort, ...]]:
    graph = program["graph_module"]["graph"]
    for name, meta in graph["tensor_values"].items():
        _shape(name, meta, file)
    found = program["graph_module"]["signature"]
    inputs = [_only(spec, file) for spec in found["input_specs"]]
    outputs = [_only(spec, file) for spec in found["output_specs"]]
    for kind, _ in inputs:
        if kind not in ("user_input", "parameter", "buffer", "tensor_constant"):
            raise CompileError(f"{file}: its input of kind {kind!r} is no tensor", hint=_tensors_only())
    for kind, _ in outputs:
        if kind != "user_output":
            raise CompileError(
                f"{file}: it keeps or changes something besides its outputs: {kind!r}",
                hint="export the model for inference, model.eval(), and take state as inputs and outputs",
            )
    ports = [
        tuple(_port(value["arg"], graph["tensor_values"], file) for kind, value in specs if kind in _USER)
        for specs in (inputs, outputs)
    ]
    return ports[0], ports[1]


_USER = ("user_input", "user_output")


def _tensors_only() -> str:
    return "export a module whose inputs and outputs are tensors, alone or in a tuple"


def _only(union: Mapping[str, Any], file: str) -> tuple[str, Any]:
    """Name and value of a union, which is written as an object of one field."""
    if len(union) != 1:
        _damaged(file, f"{str(union)[:80]} should have one field")
    return next(iter(union.items()))


def _port(argument: Mapping[str, Any], tensors: Mapping[str, Any], file: str) -> ModelPort:
    kind, value = _only(argument, file)
    if kind != "as_tensor":
        raise CompileError(f"{file}: an input or output is no tensor but {kind!r}", hint=_tensors_only())
    name, meta = str(value["name"]), tensors[value["name"]]
    return model_port(name, _dtype(name, meta, file), _shape(name, meta, file), file)


def _dtype(name: str, meta: Mapping[str, Any], file: str) -> str:
    if meta["dtype"] not in DTYPES:
        raise CompileError(
            f"{file}: tensor {name!r} has PyTorch's scalar type {meta['dtype']!r}, which cannot be compiled",
            hint="export the model in float32: model.float()",
        )
    return DTYPES[meta["dtype"]]


def _shape(name: str, meta: Mapping[str, Any], file: str) -> tuple[int, ...]:
    sizes = []
    for size in meta["sizes"]:
        kind, value = _only(size, file)
        if kind != "as_int":
            raise CompileError(
                f"{file}: tensor {name!r} has a size that is known only when running", hint=_STATIC_HINT
            )
        if type(value) is not int or value < 0:
            _damaged(file, f"tensor {name!r} has the size {value!r}")
        sizes.append(value)
    if len(sizes) > MAXIMUM_RANK or math.prod(max(size, 1) for size in sizes) > MAXIMUM_ELEMENTS:
        _damaged(file, f"tensor {name!r} has the shape {sizes}: more than {MAXIMUM_ELEMENTS} elements")
    return tuple(sizes)


def _harmless_program(program: dict[str, Any], file: str) -> dict[str, Any]:
    """The program without what only debuggers want, checked: nothing in it can name foreign code."""
    module = program["graph_module"]
    unsafe = next((key for key, _ in _fields(module) if key in _UNSAFE_ARGUMENTS), None)
    if unsafe is not None:
        raise CompileError(f"{file}: it holds {unsafe!r}, which cannot be compiled", hint=_STATIC_HINT)
    for node in module["graph"]["nodes"]:
        _check_operator(node, file)
        node["metadata"] = {}
    calls = [call for call in module["module_call_graph"] if call["fqn"] == ""]
    for call in calls:
        for tree in ("in_spec", "out_spec"):
            _check_tree(json.loads(call["signature"][tree])[1], file)
    symbols: dict[str, Any] = {
        key: {} for key in ("sym_int_values", "sym_bool_values", "sym_float_values", "custom_obj_values")
    }
    graph = {**module["graph"], **symbols}
    parts = ("forward_arg_names", "inputs", "outputs")
    names = [call["signature"][part] for call in calls for part in parts]
    _check_names([graph, module["signature"], names], file)
    module = {**module, "graph": graph, "module_call_graph": calls, "metadata": {}}
    module["treespec_namedtuple_fields"] = {}
    return {**program, "graph_module": module, "range_constraints": {}, "guards_code": []}


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of every object of a JSON value."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _check_names(value: Any, file: str) -> None:
    """Refuses names that are more than names: PyTorch pastes them into Python code, which it runs."""
    texts = [
        text for key, item in _fields({"": value}) if key != "as_string" for text in (key, *_texts(item))
    ]
    strange = next((text for text in texts if not _NAME.fullmatch(text)), None)
    if strange is not None:
        _damaged(file, f"{strange[:100]!r} is no name")


def _texts(item: Any) -> list[str]:
    """The text that a field holds, alone or in lists."""
    if isinstance(item, list):
        return [text for element in item for text in _texts(element)]
    return [item] if isinstance(item, str) else []


def _check_operator(node: Mapping[str, Any], file: str) -> None:
    found = _OPERATOR.fullmatch(node["target"])
    if found is None:
        raise CompileError(
            f"{file}: operator {node['target'][:100]!r} is none of PyTorch's own ATen operators",
            hint="replace it by operators of torch and torch.nn; docs/models.md says what is compiled",
        )
    has_text = any(key in ("as_string", "as_strings") for key, _ in _fields(node["inputs"]))
    if has_text and found[1] not in _WITH_TEXT:
        raise CompileError(f"{file}: operator {node['target']!r} takes text, which cannot be compiled")


def _check_tree(tree: Mapping[str, Any], file: str) -> None:
    """Refuses arguments and results in anything but tuples, lists and dicts by plain names."""
    context = json.loads(tree["context"]) if tree["context"] is not None else None
    is_plain = context is None or (
        isinstance(context, list) and all(_IDENTIFIER.fullmatch(k) for k in context)
    )
    if tree["type"] not in _CONTAINERS or not is_plain:
        raise CompileError(
            f"{file}: its arguments or results come in a {str(tree['type'])[:60]!r}", hint=_tensors_only()
        )
    for child in tree["children_spec"]:
        _check_tree(child, file)
