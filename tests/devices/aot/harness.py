"""Runs a board image on a bare Cortex-M of Unicorn's: the agent's part of container_abi.h in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import unicorn
from unicorn import arm_const as arm

from container.golden import GoldenVector
from container.manifest import Manifest
from devices.aot.build import Build
from devices.board import Architecture, Board
from devices.image import HEADER_BYTES

INSTANTIATE, RUN = 0, 1
FINISH, READ, WRITE, TRAP, MARK = range(5)
MAXIMUM_INSTRUCTIONS = 400_000_000

_CPUS = {
    Architecture.CORTEX_M0: arm.UC_CPU_ARM_CORTEX_M0,
    Architecture.CORTEX_M0PLUS: arm.UC_CPU_ARM_CORTEX_M0,
    Architecture.CORTEX_M3: arm.UC_CPU_ARM_CORTEX_M3,
    Architecture.CORTEX_M4F: arm.UC_CPU_ARM_CORTEX_M4,
    Architecture.CORTEX_M7F: arm.UC_CPU_ARM_CORTEX_M7,
}
_SVC_EXCEPTION = 2
_UNICORN: Any = unicorn
"""Its functions have no types."""
_PATTERN = 0xA5


def _core(board: Board) -> Any:
    core = _UNICORN.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(_CPUS[board.cpu.architecture])
    return core


class Trapped(Exception):
    """The container trapped: `cause` by container_abi.h, `pc` where."""

    def __init__(self, cause: int, pc: int) -> None:
        super().__init__(f"cause {cause} at {pc:#x}")
        self.cause, self.pc = cause, pc


@dataclass
class Machine:
    """A core with one image in its slot."""

    build: Build
    board: Board
    marks: list[int] = field(default_factory=list)
    """The numbers of all calls of RUNE_CALL_MARK."""
    read: Callable[[int, int], bytes] = lambda source, size: bytes(size)
    write: Callable[[int, bytes], None] = lambda output, value: None

    def __post_init__(self) -> None:
        header = self.build.image.header
        self._core = _core(self.board)
        self._core.mem_map(
            *_pages(header.address, self.build.flash_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        )
        self._core.mem_write(header.address, self.build.image.encode())
        self._core.mem_map(
            *_pages(header.ram_start, header.ram_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE
        )
        self.clear()
        self._core.mem_map(0xE000E000, 0x1000)
        self._core.hook_add(unicorn.UC_HOOK_INTR, self._interrupt)
        self._finished: int | None = None
        self._fault: Trapped | None = None

    def clear(self) -> None:
        """What the agent does before it instantiates a container."""
        header = self.build.image.header
        self._core.mem_write(header.ram_start, bytes([_PATTERN]) * header.stack_bytes)
        self._core.mem_write(
            header.ram_start + header.stack_bytes, bytes(header.ram_bytes - header.stack_bytes)
        )

    def task(self, task: int) -> int:
        """Perform a task; its code.  Raises Trapped."""
        header = self.build.image.header
        self._finished = self._fault = None
        if self.board.cpu.architecture in (Architecture.CORTEX_M4F, Architecture.CORTEX_M7F):
            self._core.reg_write(arm.UC_ARM_REG_C1_C0_2, 0xF << 20)
            self._core.reg_write(arm.UC_ARM_REG_FPEXC, 1 << 30)
        self._core.reg_write(arm.UC_ARM_REG_SP, header.ram_start + header.stack_bytes)
        self._core.reg_write(arm.UC_ARM_REG_R0, task)
        self._core.emu_start(header.entry | 1, 0xFFFFFFFE, count=MAXIMUM_INSTRUCTIONS)
        return self._outcome()

    def _outcome(self) -> int:
        if self._fault is not None:
            raise self._fault
        if self._finished is None:
            raise TimeoutError("the task did not finish")
        return self._finished - (1 << 32) if self._finished >> 31 else self._finished

    @property
    def progress(self) -> int:
        return int.from_bytes(self._core.mem_read(self.build.image.header.progress, 4), "little")

    @property
    def stack_used(self) -> int:
        """Bytes of the stack that were written to at some time."""
        header = self.build.image.header
        stack = self._core.mem_read(header.ram_start, header.stack_bytes)
        return header.stack_bytes - len(bytes(stack)) + len(bytes(stack).lstrip(bytes([_PATTERN])))

    def _interrupt(self, core: Any, number: int, _: object) -> None:
        pc = core.reg_read(arm.UC_ARM_REG_PC)
        call, *arguments = (core.reg_read(arm.UC_ARM_REG_R0 + n) for n in range(4))
        if number != _SVC_EXCEPTION:
            self._fault = Trapped(-number, pc)
        elif call == FINISH:
            self._finished = arguments[0]
        elif call == TRAP:
            self._fault = Trapped(arguments[0], pc - 2)
        elif call == MARK:
            self.marks.append(arguments[0])
            return
        else:
            core.reg_write(arm.UC_ARM_REG_R0, self._transfer(call, *arguments))
            return
        core.emu_stop()

    def _transfer(self, call: int, port: int, address: int, size: int) -> int:
        if call == READ:
            data = self.read(port, size)
            self._core.mem_write(address, data)
            return len(data)
        assert call == WRITE
        self.write(port, bytes(self._core.mem_read(address, size)))
        return size


def _pages(start: int, size: int) -> tuple[int, int]:
    """Unicorn maps whole pages."""
    first = start & ~0xFFF
    return first, (start + size - first + 0xFFF) & ~0xFFF


def run_vector(machine: Machine, manifest: Manifest, vector: GoldenVector) -> Mapping[int, bytes]:
    """One inference with a golden vector's inputs: what was written, by port."""
    outputs: dict[int, bytes] = {}
    sources = manifest.sources
    machine.read = lambda source, size: vector.inputs[sources[source].name]
    machine.write = outputs.__setitem__
    assert machine.task(RUN) == 0
    return outputs


__all__ = ["HEADER_BYTES", "INSTANTIATE", "RUN", "Machine", "Trapped", "run_vector"]
