"""What it costs to bound a container's time from inside: wasmtime's fuel and epochs on a tight kernel.

    python benchmarks/metering.py

The kernel is the inner loop of an integer convolution: the dot products of two pixels with four channels,
eight int16 at a time, everything in registers.  A container's deadline is kept from outside
(runtime/process.py) because of these numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import wasmtime

REPETITIONS = 40
CALLS = 10_000
LENGTH = 1024
"""int16 elements of each vector."""
PIXELS, CHANNELS = 2, 4
MACS = PIXELS * CHANNELS * LENGTH
WEIGHTS = 8192
"""Address of the weights; the pixels are at 0."""
SUMS = 32768
"""Address of the sums."""


def kernel() -> str:
    """Text of a module whose `run` does the eight dot products `CALLS` times."""
    pairs = [(pixel, channel) for pixel in range(PIXELS) for channel in range(CHANNELS)]
    sums = " ".join(f"(local $s{pixel}{channel} v128)" for pixel, channel in pairs)
    vectors = " ".join(f"(local $x{pixel} v128)" for pixel in range(PIXELS))
    loads = " ".join(
        f"(local.set $x{pixel} (v128.load offset={2 * LENGTH * pixel} (local.get $k)))"
        for pixel in range(PIXELS)
    )
    steps = " ".join(_channel(channel) for channel in range(CHANNELS))
    stores = " ".join(
        f"(v128.store offset={SUMS + 16 * number} (i32.const 0) (local.get $s{pixel}{channel}))"
        for number, (pixel, channel) in enumerate(pairs)
    )
    return f"""(module (memory (export "memory") 1)
      (func $dot {sums} {vectors} (local $w v128) (local $k i32)
        (loop $l {loads} {steps}
          (local.set $k (i32.add (local.get $k) (i32.const 16)))
          (br_if $l (i32.lt_u (local.get $k) (i32.const {2 * LENGTH}))))
        {stores})
      (func (export "run") (local $n i32)
        (local.set $n (i32.const {CALLS}))
        (loop $l (call $dot) (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""


def _channel(channel: int) -> str:
    load = f"(local.set $w (v128.load offset={WEIGHTS + 2 * LENGTH * channel} (local.get $k)))"
    products = [
        f"(local.set $s{pixel}{channel} (i32x4.add (local.get $s{pixel}{channel}) "
        f"(i32x4.dot_i16x8_s (local.get $x{pixel}) (local.get $w))))"
        for pixel in range(PIXELS)
    ]
    return " ".join([load, *products])


def prepare(*, fuel: bool = False, epochs: bool = False) -> Callable[[], None]:
    """The kernel, compiled with one way of bounding it."""
    config = wasmtime.Config()
    config.consume_fuel = fuel
    config.epoch_interruption = epochs
    store = wasmtime.Store(wasmtime.Engine(config))
    if fuel:
        store.set_fuel(1 << 62)
    if epochs:
        store.set_epoch_deadline(1 << 30)
    module = wasmtime.Module(store.engine, kernel())
    run = wasmtime.Instance(store, module, []).exports(store)["run"]
    assert isinstance(run, wasmtime.Func)
    return partial(run, store)


def measure(kernels: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """The least time of each in seconds; they take turns, so that a busy moment hits all alike."""
    fastest = dict.fromkeys(kernels, float("inf"))
    for _ in range(REPETITIONS):
        for name, run in kernels.items():
            begin = time.perf_counter()
            run()
            fastest[name] = min(fastest[name], time.perf_counter() - begin)
    return fastest


def main() -> None:
    times = measure(
        {"a deadline outside": prepare(), "fuel": prepare(fuel=True), "epochs": prepare(epochs=True)}
    )
    plain = times["a deadline outside"]
    print(f"{'bounded by':<22}{'GMAC/s':>8}{'slower by':>11}")
    for name, time_s in times.items():
        print(f"{name:<22}{MACS * CALLS / time_s / 1e9:8.1f}{time_s / plain - 1:11.0%}")


if __name__ == "__main__":
    main()
