"""Microseconds of an inference here, beside LiteRT, native and in JavaScript: `tasks.py bench host_kernels`.

The `simd` module runs in a loop that is WebAssembly, too, so that neither Python nor the calls of `read` and
`write` are measured, on one thread.  LiteRT (XNNPACK, one thread, package `ai-edge-litert`) and LiteRT.js
(benchmarks/litert_js.py) run in turn with it, in many short rounds; a ratio is the median of the rounds',
since the parts of a round share what else the machine does.  Other models can be named.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime

from benchmarks.litert_js import litert_js
from benchmarks.models import MODELS, container_of, model_path
from container.abi import Profile
from container.sections import Container
from rune.text import table

ROUND_S = 0.01
"""Of one engine's half of a round."""
SAMPLING_S = 0.5
WARMING_S = 2.0
"""JavaScript's compiler takes that long to see what is worth its best."""
_HOST = """(module
  (table (export "host") 2 funcref)
  (type $call (func (param i32 i32 i32) (result i32)))
  (func (export "read") (type $call)
    (call_indirect (type $call) (local.get 0) (local.get 1) (local.get 2) (i32.const 0)))
  (func (export "write") (type $call)
    (call_indirect (type $call) (local.get 0) (local.get 1) (local.get 2) (i32.const 1))))"""
"""What the container imports.  It exists before the memory that it reads and writes, hence the table."""
_DRIVER = """(module
  (type $call (func (param i32 i32 i32) (result i32)))
  (import "container" "memory" (memory $guest 1))
  (import "container" "run" (func $run (result i32)))
  (import "host" "host" (table $host 2 funcref))
  (memory $sample (export "sample") 64)
  (func $read (type $call)
    (memory.copy $guest $sample (local.get 1) (i32.const 0) (local.get 2)) (local.get 2))
  (func $write (type $call) (local.get 2))
  (elem (table $host) (i32.const 0) func $read $write)
  (func (export "loop") (param $count i32)
    (loop $again
      (if (call $run) (then unreachable))
      (br_if $again (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))"""


class LoopedContainer:
    """The `simd` module of a container, that runs on one sample again and again."""

    def __init__(self, container: Container) -> None:
        engine = wasmtime.Engine()
        store, linker = wasmtime.Store(engine), wasmtime.Linker(engine)
        host = linker.instantiate(store, wasmtime.Module(engine, _HOST))
        linker.define_instance(store, "rune", host)
        linker.define_instance(store, "host", host)
        module = wasmtime.Module(engine, container.modules[Profile.SIMD])
        instance = linker.instantiate(store, module)
        linker.define_instance(store, "container", instance)
        driver = linker.instantiate(store, wasmtime.Module(engine, _DRIVER)).exports(store)
        self._plan = container.manifest.plans[Profile.SIMD]
        self._base = _address(instance.exports(store)["memory"], store)
        self._store, self._loop = store, driver["loop"]
        values = np.random.default_rng(0).integers(0, 256, 1 << 20, "uint8").tobytes()
        ctypes.memmove(_address(driver["sample"], store), values, len(values))

    def run(self, count: int) -> None:
        self._loop(self._store, count)  # type: ignore[operator]

    def shares(self) -> list[tuple[str, int, float]]:
        """Name, MACs and part of the time of each operator, by looking at the progress cell meanwhile."""
        cell = ctypes.c_uint32.from_address(self._base + self._plan.progress)
        thread = threading.Thread(target=_for_about, args=(self.run, SAMPLING_S))
        seen: Counter[int] = Counter()
        thread.start()
        while thread.is_alive():
            seen[cell.value] += 1
            time.sleep(0.000_05)
        total = seen.total()
        return [
            (operator.name, operator.macs, seen[number] / total)
            for number, operator in enumerate(self._plan.operators)
        ]


def _address(memory: Any, store: wasmtime.Store) -> int:
    return ctypes.addressof(memory.data_ptr(store).contents)


def _for_about(run: Callable[[int], None], duration_s: float) -> None:
    run(max(1, round(duration_s / _seconds(run, 10))))


def _seconds(run: Callable[[int], None], count: int) -> float:
    """Of one inference, the mean of `count`."""
    begin = time.perf_counter()
    run(count)
    return (time.perf_counter() - begin) / count


def litert(model: bytes) -> Callable[[int], None] | None:
    """Runs a model so many times in LiteRT; None where it is not installed."""
    if importlib.util.find_spec("ai_edge_litert") is None:
        return None
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    generator = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        values = generator.integers(-128, 128, detail["shape"]).astype(detail["dtype"])
        interpreter.set_tensor(detail["index"], values)

    def run(count: int) -> None:
        for _ in range(count):
            interpreter.invoke()

    return run


def in_turn(engines: Sequence[Callable[[int], None]], rounds: int) -> list[list[float]]:
    """Microseconds of one inference in each engine, round by round, once all are warm."""
    for engine in engines:
        _for_about(engine, WARMING_S)
    counts = [max(1, round(ROUND_S / _seconds(engine, 20))) for engine in engines]
    return [
        [_seconds(engine, count) * 1e6 for engine, count in zip(engines, counts, strict=True)]
        for _ in range(rounds)
    ]


@dataclass(frozen=True)
class Measured:
    """Microseconds of an inference in each engine, round by round; no rounds of a peer that is not there."""

    model: str
    ours: Sequence[float]
    native: Sequence[float]
    javascript: Sequence[float]

    def ratio(self) -> float | None:
        """Ours to native LiteRT."""
        return _ratio(self.ours, self.native)

    def javascript_ratio(self) -> float | None:
        """LiteRT.js to native LiteRT."""
        return _ratio(self.javascript, self.native)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True)) if ours and theirs else None


def measure(file: Path, rounds: int, shares: bool = False) -> Measured:
    """One model; what each operator takes is printed where asked for."""
    container = LoopedContainer(container_of(file, [Profile.SIMD]))
    peers = [litert(file.read_bytes()), litert_js(file)]
    times = in_turn([container.run, *(peer for peer in peers if peer)], rounds)
    columns = iter(list(column) for column in zip(*times, strict=True))
    ours, *others = next(columns), *(next(columns) if peer else [] for peer in peers)
    if shares:
        _print_shares(container, min(ours))
    return Measured(file.stem, ours, *others)


def _print_shares(container: LoopedContainer, inference_us: float) -> None:
    rows = [["operator", "us", "MACs/ns"]]
    for name, macs, share in container.shares():
        time_us = share * inference_us
        rows.append([name, f"{time_us:.2f}", f"{macs / time_us / 1000:.1f}" if macs and time_us else ""])
    print(table(rows, right=(1, 2)), end="\n\n")


def row(found: Measured) -> list[str]:
    """The fastest round of each engine, and both ratios."""
    fastest = [f"{min(times):.1f}" if times else "" for times in (found.ours, found.native, found.javascript)]
    ratios = [f"{ratio:.1f}" if ratio else "" for ratio in (found.ratio(), found.javascript_ratio())]
    return [found.model, *fastest, *ratios]


HEADINGS = ["model", "ours us", "LiteRT us", "LiteRT.js us", "ours / LiteRT", "LiteRT.js / LiteRT"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=100, help="of 10 ms for each engine")
    parser.add_argument("--ops", action="store_true", help="also what each operator takes, an estimate")
    options = parser.parse_args()
    models = options.models or [model_path(name) for name in list(MODELS)[:3]]
    rows = [row(measure(model, options.rounds, options.ops)) for model in models]
    print(table([HEADINGS, *rows], right=range(1, 6)))


if __name__ == "__main__":
    main()
