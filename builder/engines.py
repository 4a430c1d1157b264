"""Independent engines: what computes the expected outputs of golden vectors.

An engine runs in a process of its own: a model that makes it crash or hang costs the golden vectors, not the
build.  This file is also that process's program.
"""

from __future__ import annotations

import importlib.metadata
import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from builder.importers import ONNX, PYTORCH, TENSORFLOW_LITE

Array: TypeAlias = np.ndarray[Any, Any]

_SECONDS = 120
_PACKAGES = str(Path(__file__).resolve().parents[1])
# Found by its place and not through the working directory, which may hold another package of that name.
_BOOT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from builder.engines import main
main(*sys.argv[1:])
"""


class EngineError(Exception):
    """The engine refused the model, crashed or took too long."""


class Engine(Protocol):
    """Runs a model file on a batch of inputs."""

    package: str
    """The PyPI package it needs."""
    format: str
    """The model format it runs."""

    def run(self, model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        """Outputs of each sample, from inputs in the order of the model file.

        A model with state starts afresh at each sample.  Raises any exception when the model is refused.
        """
        ...


class TFLiteMicro:
    """TensorFlow Lite Micro's reference kernels: the specification of every integer bit."""

    package = "tflite-micro"
    format = TENSORFLOW_LITE

    def run(self, model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        from tflite_micro import runtime

        results = []
        for inputs in samples:
            # A new one each time: its `reset` gives resource variables not what CALL_ONCE gave them.
            interpreter = runtime.Interpreter.from_bytes(model, arena_size=64 << 20)
            for position, value in enumerate(inputs):
                interpreter.set_input(value, position)
            interpreter.invoke()
            results.append([np.array(interpreter.get_output(k)) for k in range(_output_count(model))])
        return results


class TFLiteRuntime:
    """The old `tflite-runtime` with its reference kernels, where Python and NumPy still allow it."""

    package = "tflite-runtime"
    format = TENSORFLOW_LITE

    def run(self, model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        from tflite_runtime.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF
        )
        interpreter.allocate_tensors()
        results = []
        for inputs in samples:
            interpreter.reset_all_variables()
            for details, value in zip(interpreter.get_input_details(), inputs, strict=True):
                interpreter.set_tensor(details["index"], value)
            interpreter.invoke()
            results.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
        return results


class OnnxRuntime:
    """onnxruntime on the CPU, its graph optimisations off so that it computes what the file says."""

    package = "onnxruntime"
    format = ONNX

    def run(self, model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        return [
            [np.asarray(value) for value in session.run(None, dict(zip(names, inputs, strict=True)))]
            for inputs in samples
        ]


class PyTorch:
    """PyTorch on the CPU, one thread, running the exported program as it is."""

    package = "torch"
    format = PYTORCH

    def run(self, model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
        import torch

        from builder.importers.torch import load_program

        torch.set_num_threads(1)
        module = load_program(model, "model").module()
        with torch.no_grad():
            return [[value.numpy() for value in _flat(module, inputs)] for inputs in samples]


ENGINES: tuple[type[Engine], ...] = (TFLiteMicro, TFLiteRuntime, OnnxRuntime, PyTorch)
"""In order of preference."""


def installed_engine(format: str) -> type[Engine] | None:
    """The first engine for a model format whose package is installed."""
    return next((e for e in ENGINES if e.format == format and _version(e.package) is not None), None)


def described(package: str) -> str:
    """Name and version, as the manifest tells them."""
    return f"{package} {_version(package)}"


def run_engine(engine: type[Engine], model: bytes, samples: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Runs an engine in its own process.  Raises EngineError."""
    with tempfile.TemporaryDirectory(prefix="rune-golden-") as folder:
        work = Path(folder)
        (work / "model").write_bytes(model)
        (work / "inputs.npz").write_bytes(_pack(samples))
        command = [sys.executable, "-P", "-c", _BOOT, _PACKAGES, engine.__name__, folder]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as fault:
            raise EngineError(f"{engine.package} took longer than {_SECONDS} s") from fault
        outputs = work / "outputs.npz"
        if done.returncode != 0 or not outputs.exists():
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise EngineError(f"{engine.package} refused the model: {words[-1] if words else 'it crashed'}")
        return _unpack(outputs.read_bytes())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _flat(module: Any, inputs: Sequence[Array]) -> list[Any]:
    """Tensors of what a module of PyTorch gives, from inputs in the order of its graph."""
    import torch
    from torch.utils import _pytree

    arguments, named = _pytree.tree_unflatten([torch.from_numpy(i) for i in inputs], module._in_spec)
    return list(_pytree.tree_leaves(module(*arguments, **named)))


def _output_count(model: bytes) -> int:
    from builder.importers.tflite_file import read_subgraphs

    return len(read_subgraphs(model, "model")[0].outputs)


def _pack(samples: Sequence[Sequence[Array]]) -> bytes:
    buffer = io.BytesIO()
    arrays = {f"{i}.{k}": value for i, sample in enumerate(samples) for k, value in enumerate(sample)}
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def _unpack(data: bytes) -> list[list[Array]]:
    samples: dict[int, dict[int, Array]] = {}
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        for name in arrays.files:
            sample, position = map(int, name.split("."))
            samples.setdefault(sample, {})[position] = arrays[name]
    return [[samples[i][k] for k in sorted(samples[i])] for i in sorted(samples)]


def main(name: str, folder: str) -> None:
    """Run an engine on the model and inputs in a folder, and leave the outputs there."""
    engine = next(e for e in ENGINES if e.__name__ == name)()
    work = Path(folder)
    samples = _unpack((work / "inputs.npz").read_bytes())
    results = engine.run((work / "model").read_bytes(), samples)
    (work / "outputs.npz").write_bytes(_pack(results))
