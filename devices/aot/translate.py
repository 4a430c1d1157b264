"""A container's `mcu` module as C functions, and its memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from container import dsp
from container.abi import PROGRESS_BYTES, Profile
from container.errors import ContainerError
from container.manifest import Manifest, MemoryPlan
from container.sections import Container
from devices.aot.module import FunctionType, Module, parse
from devices.aot.rewrite import Function, functions_of, may_recurse
from devices.aot.wasm2c import module_to_c

NULL_BYTES = 16
"""What the builder's linker leaves free below the first constant."""
MEMORY_ALIGNMENT = 8
"""Of the linear memory in RAM: what the widest access wants."""

Marks: TypeAlias = Literal["stages", "operators"]
"""Which operators the code tells the agent of: the first of each stage, or all."""


@dataclass(frozen=True)
class Translation:
    """A container in C, for any machine."""

    manifest: Manifest
    digest: str
    """SHA-256 of the container, in hexadecimal."""
    plan: MemoryPlan
    module: Module
    functions: tuple[Function, ...]
    recursive: bool
    """Whether the depth of calls is unknown before it runs: then the code checks the stack."""
    constants: bytes
    """The linear memory from address 0 that nothing stores to."""
    ram: bytes
    """The rest of it, at the beginning; from `ram_start` on."""

    @property
    def ram_start(self) -> int:
        """The linear address at which RAM begins."""
        return len(self.constants) // MEMORY_ALIGNMENT * MEMORY_ALIGNMENT

    @property
    def numbers(self) -> list[int]:
        """Of the functions."""
        return [function.number for function in self.functions]

    def name_of(self, function: int) -> str:
        """What people call a function of the module."""
        exported = [name for name, number in sorted(self.module.exports.items()) if number == function]
        name = exported[0] if exported else self.module.names.get(function, "")
        printable = "".join(letter for letter in name[:80] if letter.isprintable())
        return printable or f"function {function}"

    def marked(self, marks: Marks = "stages") -> list[int]:
        """The numbers of the operators that begin a stage, or of all."""
        plan = self.plan
        return list(range(len(plan.operators)) if marks == "operators" else plan.stage_starts)


def translate(container: Container) -> Translation:
    """The container's `mcu` module in C.

    Raises ContainerError when it has none, or one that asks for what boards do not have.
    """
    if Profile.MCU not in container.modules:
        raise ContainerError(
            "the container has no code for boards",
            hint="build it with `--profile mcu`, or without `--profile`",
        )
    module, plan = parse(container.modules[Profile.MCU]), container.manifest.plans[Profile.MCU]
    constant_bytes = _constant_bytes(module, plan)
    functions = functions_of(module_to_c(module.code_only), module)
    functions = [_with_helper(function, module) for function in functions]
    memory = bytes(module.initial_memory())
    return Translation(
        manifest=container.manifest,
        digest=container.digest,
        plan=plan,
        module=module,
        functions=tuple(functions),
        recursive=may_recurse(functions),
        constants=memory[:constant_bytes],
        ram=memory[constant_bytes // MEMORY_ALIGNMENT * MEMORY_ALIGNMENT :],
    )


def _constant_bytes(module: Module, plan: MemoryPlan) -> int:
    """Size of the lowest part of the memory, which holds constants alone.  The plan may have been made up."""
    if module.memory_bytes > plan.linear_memory:
        raise ContainerError(
            f"the module wants {module.memory_bytes:,} bytes of memory, "
            f"the manifest plans {plan.linear_memory:,}"
        )
    constant_bytes = NULL_BYTES + plan.read_only if plan.read_only else 0
    if plan.progress % PROGRESS_BYTES or not (
        constant_bytes <= plan.progress <= module.memory_bytes - PROGRESS_BYTES
    ):
        raise ContainerError(f"the manifest's progress cell at {plan.progress:#x} lies outside of the RAM")
    return constant_bytes


def _with_helper(function: Function, module: Module) -> Function:
    """A DSP helper as what stands for it in instructions.h; any other function as it is."""
    for name, count in dsp.helpers().items():
        fits = module.type_of(function.number) == FunctionType(("u32",) * count, ("u32",))
        if fits and module.exports.get(name) == function.number:
            arguments = ", ".join(f"var_p{n}" for n in range(count))
            body = f"  return {name}({arguments});\n"
            return replace(function, body=body, calls=frozenset(), calls_indirectly=False, is_helper=True)
    return function
