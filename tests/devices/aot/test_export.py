"""The C for one's own firmware: it compiles alone, and answers on this machine as the container does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from container.golden import GoldenVector
from container.manifest import Manifest
from container.sections import Container
from devices.aot.build import export_c
from tests.devices.aot import containers
from tests.devices.aot.guests import of_text
from tests.tools import needs

HARNESS = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
void rune_instantiate(void);
int32_t rune_run(void);
uint32_t rune_on_read(uint32_t source, void *sample, uint32_t bytes) {
  (void)source;
  return (uint32_t)fread(sample, 1, bytes, stdin);
}
uint32_t rune_on_write(uint32_t output, const void *value, uint32_t bytes) {
  (void)output;
  return (uint32_t)fwrite(value, 1, bytes, stdout);
}
_Noreturn void rune_on_trap(uint32_t cause) { exit(100 + (int)cause); }
int main(void) {
  rune_instantiate();
  return rune_run();
}
"""
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")


def compiled(container: Container, folder: Path) -> Path:
    needs("gcc")
    (folder / "container.c").write_text(export_c(container))
    (folder / "main.c").write_text(HARNESS)
    subprocess.run(["gcc", *FLAGS, "container.c", "main.c", "-o", "run"], cwd=folder, check=True)
    return folder / "run"


def given(manifest: Manifest, vector: GoldenVector) -> bytes:
    return b"".join(vector.inputs[stage.name] for _, stage in sorted(manifest.sources.items()))


@pytest.mark.parametrize("path", ["sine", "sine/int8.Runefile", "digits", "blocks"])
def test_examples_in_a_program_of_ones_own(path: str, tmp_path: Path) -> None:
    container = containers.example(path)
    program = compiled(container, tmp_path)
    for vector in containers.vectors(container):
        sample = given(container.manifest, vector)
        done = subprocess.run([program], input=sample, capture_output=True, check=True)
        assert done.stdout == b"".join(value for _, value in sorted(vector.outputs.items()))


def test_a_trap_reaches_the_firmware(tmp_path: Path) -> None:
    text = """(module (memory (export "memory") 1) (func (export "run") (result i32) (local i32)
      (loop (i32.store (local.get 0) (i32.const 1))
        (local.set 0 (i32.add (local.get 0) (i32.const 4))) (br 0))
      unreachable))"""
    assert subprocess.run([compiled(of_text(text), tmp_path)], check=False).returncode == 101


def test_recursion_has_a_limit(tmp_path: Path) -> None:
    text = """(module (memory (export "memory") 1)
      (func $deep (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))
        (i32.rotl (call $deep (i32.or (local.get 0) (i32.load (i32.const 64)))) (local.get 0)))
      (func (export "run") (result i32) (call $deep (i32.const 8))))"""
    assert subprocess.run([compiled(of_text(text), tmp_path)], check=False).returncode == 107


def test_the_text_is_the_same_every_time() -> None:
    container = containers.example("digits")
    assert export_c(container) == export_c(container)
    assert "You define:" in export_c(container)[:1500]
