"""The core: unicorn executes instructions, this enters and leaves exceptions (DDI 0403, B1.5)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import Uc, UcError, uclib

from container.errors import LinkError
from devices.emulators.nrf52840.clock import Clock, counter_library
from devices.emulators.nrf52840.mpu import WRITE, Piece

RAM_START = 0x2000_0000
RAM_BYTES = 0x4_0000
_CORE_REGISTERS = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)
_FPU_REGISTERS = (*range(arm.UC_ARM_REG_S0, arm.UC_ARM_REG_S0 + 16), arm.UC_ARM_REG_FPSCR)
_CONTROL_NPRIV = 1
_CONTROL_SPSEL = 2
_CONTROL_FPCA = 4
_CONTROL_SFPA = 8
"""Of Armv8-M; unicorn has it on this core too, and forgets FPSCR where it is not set with FPCA."""
_XPSR_THUMB = 1 << 24
_XPSR_ALIGNED = 1 << 9
_XPSR_EXCEPTION = 0x1FF
_BASIC_WORDS = 8
_FPU_WORDS = 18
_EXC_RETURN = 0xFFFF_FFE1
_RETURN_THREAD = 8
_RETURN_PSP = 4
_RETURN_BASIC = 16
_WFI = 0xBF30
_WFE = 0xBF20
_EXCP_SWI = 2
_EXCP_BKPT = 7
_EXCP_EXCEPTION_EXIT = 8
"""Numbers that unicorn's hook of interrupts gets: QEMU's target/arm/cpu.h."""


class StopReason(Enum):
    """Why execution came to an end."""

    TIME = auto()
    SLEEP = auto()
    SVC = auto()
    EXCEPTION_RETURN = auto()
    BREAKPOINT = auto()
    UNDEFINED = auto()
    INVALID_STATE = auto()
    FETCH = auto()
    ACCESS = auto()
    PROTECTED_ACCESS = auto()


_REASONS = {
    unicorn.UC_MEM_FETCH_UNMAPPED: StopReason.FETCH,
    unicorn.UC_MEM_FETCH_PROT: StopReason.FETCH,
    unicorn.UC_MEM_READ_PROT: StopReason.PROTECTED_ACCESS,
    unicorn.UC_MEM_WRITE_PROT: StopReason.PROTECTED_ACCESS,
}
"""Of accesses that unicorn refuses; others lead to where there is nothing."""


@dataclass(frozen=True)
class Stop:
    reason: StopReason
    address: int = 0
    """Of the access, where that was the reason."""


class StackError(Exception):
    """There is no memory where an exception has to save or find registers."""


Read = Callable[[int, int], int]
Write = Callable[[int, int, int], None]


class AccessError(Exception):
    """Raised by what is mapped with `Cpu.map_device`: the access faults."""

    reason = StopReason.ACCESS


class ProtectionError(AccessError):
    """The memory protection unit refuses it."""

    reason = StopReason.PROTECTED_ACCESS


class Cpu:
    """A Cortex-M4F after reset, its flash at 0 and its RAM."""

    def __init__(self, clock: Clock, flash: ctypes.Array[ctypes.c_char], poison: int) -> None:
        self._clock = clock
        self._stop: Stop | None = None
        self._write_flash: Write | None = None
        self._rights: dict[tuple[int, int], int] = {}
        self._uc = _engine()
        # Single registers go past the binding, which takes several times as long.
        self._handle = self._uc._uch
        self._cell = ctypes.c_uint32()
        self._cell_address = ctypes.byref(self._cell)
        self._uc.mem_map_ptr(
            0, len(flash), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC, ctypes.addressof(flash)
        )
        self._uc.mem_map(RAM_START, RAM_BYTES)
        self._uc.mem_write(RAM_START, bytes([poison]) * RAM_BYTES)
        self._hook(flash)
        stack, self.pc = struct.unpack("<II", self._uc.mem_read(0, 8))
        self.pc |= 1
        self._write(arm.UC_ARM_REG_SP, stack & ~3)

    def map_device(self, start: int, size: int, read: Read, write: Write) -> None:
        """Hand accesses to a range over: `read(offset, bytes)`, `write(offset, bytes, value)`."""

        def on_read(uc: Any, offset: int, size: int, data: Any) -> int:
            try:
                return read(offset, size)
            except AccessError as error:
                self._fault(error, start + offset)
                return 0

        def on_write(uc: Any, offset: int, size: int, value: int, data: Any) -> None:
            try:
                write(offset, size, value)
            except AccessError as error:
                self._fault(error, start + offset)

        self._uc.mmio_map(start, size, on_read, None, on_write, None)

    def on_flash_write(self, write: Write) -> None:
        """Hand writes to the flash over: `write(address, bytes, value)`."""
        self._write_flash = write

    def protect(self, pieces: list[Piece]) -> None:
        """Give memory the rights that the code about to run has; the flash is never written to directly."""
        for piece in pieces:
            rights = piece.rights & ~WRITE if piece.start < RAM_START else piece.rights
            if self._rights.get((piece.start, piece.size)) != rights:
                self._uc.mem_protect(piece.start, piece.size, rights)
                self._rights[piece.start, piece.size] = rights

    def forget_code(self) -> None:
        """The flash has changed: translate it anew."""
        self._uc.ctl_flush_tb()

    def run(self, until_cycle: int) -> Stop:
        """Executes until then, or until something happens."""
        self._stop = None
        self._clock.run_until(until_cycle)
        try:
            self._uc.emu_start(self.pc | 1 if self._thumb else self.pc, 0xFFFF_FFFF)
        except UcError as error:
            self._check(error)
        self.pc = self._read(arm.UC_ARM_REG_PC)
        return self._stop or self._plain_stop()

    def _check(self, error: Exception) -> None:
        if self._stop is None:
            raise LinkError(f"unicorn cannot go on at {self.pc:#x}: {error}") from None

    def _plain_stop(self) -> Stop:
        if not self._clock.counter.stopped and self._is_at_end_of(_WFI, _WFE):
            return Stop(StopReason.SLEEP)
        return Stop(StopReason.TIME)

    @property
    def exception(self) -> int:
        """The number of the exception being handled; 0 in thread mode."""
        return self._read(arm.UC_ARM_REG_XPSR) & _XPSR_EXCEPTION

    @property
    def privileged(self) -> bool:
        return self.exception != 0 or not self._read(arm.UC_ARM_REG_CONTROL) & _CONTROL_NPRIV

    @property
    def masks(self) -> tuple[int, int, int]:
        """PRIMASK, FAULTMASK and BASEPRI."""
        if not self.privileged:
            # Unicorn shows zeros there to unprivileged code, and shows us what it shows to the code.
            return self._as_handler(self._masks)
        return self._masks()

    def load(self, address: int, size: int) -> bytes:
        """Memory.  Raises StackError where there is none."""
        try:
            return bytes(self._uc.mem_read(address, size))
        except UcError:
            raise StackError from None

    def store(self, address: int, data: bytes) -> None:
        """Write to memory.  Raises StackError where there is no RAM."""
        if not RAM_START <= address <= RAM_START + RAM_BYTES - len(data):
            raise StackError
        self._uc.mem_write(address, data)

    def enter(self, exception: int, vectors: int, writable: Callable[[int], bool]) -> None:
        """Saves the registers, if the stack is writable to the code that ran, and goes to a handler.

        Raises StackError, with the handler entered.
        """
        xpsr, control = self._read(arm.UC_ARM_REG_XPSR), self._read(arm.UC_ARM_REG_CONTROL)
        thread, extended = not xpsr & _XPSR_EXCEPTION, bool(control & _CONTROL_FPCA)
        sp = self._read(arm.UC_ARM_REG_SP)
        frame_sp = (sp - 4 * (_BASIC_WORDS + (_FPU_WORDS if extended else 0))) & ~7
        frame = self._frame(xpsr | (_XPSR_ALIGNED if sp & 4 else 0), extended)
        self._write(arm.UC_ARM_REG_SP, frame_sp)
        self._write(arm.UC_ARM_REG_XPSR, _XPSR_THUMB | exception)
        self._write(arm.UC_ARM_REG_CONTROL, control & (_CONTROL_NPRIV | _CONTROL_SPSEL))
        exc_return = _EXC_RETURN | (0 if extended else _RETURN_BASIC) | (_RETURN_THREAD if thread else 0)
        exc_return |= _RETURN_PSP if thread and control & _CONTROL_SPSEL else 0
        self._write(arm.UC_ARM_REG_LR, exc_return)
        self._go_to(exception, vectors)
        restricted = thread and control & _CONTROL_NPRIV
        if restricted and not (writable(frame_sp) and writable(frame_sp + len(frame) - 1)):
            raise StackError
        self.store(frame_sp, frame)

    def redirect(self, exception: int, vectors: int) -> None:
        """Goes to another handler than the one just entered."""
        self._write(arm.UC_ARM_REG_XPSR, _XPSR_THUMB | exception)
        self._go_to(exception, vectors)

    def leave(self) -> bool:
        """Returns from an exception, as the EXC_RETURN that was jumped to says; False where that is nonsense.

        Raises StackError.
        """
        exc_return = self.pc | 1
        thread, process_stack = bool(exc_return & _RETURN_THREAD), bool(exc_return & _RETURN_PSP)
        if not self.exception or exc_return & 0xFFFF_FFE3 != _EXC_RETURN or (process_stack and not thread):
            return False
        extended = not exc_return & _RETURN_BASIC
        stack = arm.UC_ARM_REG_PSP if process_stack else arm.UC_ARM_REG_MSP
        sp = self._read(stack)
        size = 4 * (_BASIC_WORDS + (_FPU_WORDS if extended else 0))
        words = struct.unpack(f"<{size // 4}I", self.load(sp, size))
        xpsr = words[7]
        if thread != (xpsr & _XPSR_EXCEPTION == 0):
            return False
        self._write(stack, sp + size + (4 if xpsr & _XPSR_ALIGNED else 0))
        self._return_to(xpsr & ~_XPSR_ALIGNED, thread, process_stack, extended)
        self._restore(words, extended)
        return True

    def _go_to(self, exception: int, vectors: int) -> None:
        (self.pc,) = struct.unpack("<I", self.load(vectors + 4 * exception, 4))
        self._thumb = bool(self.pc & 1)

    def _frame(self, xpsr: int, extended: bool) -> bytes:
        registers = self._uc.reg_read_batch(_CORE_REGISTERS)
        frame = struct.pack("<8I", *registers, self.pc & ~1, xpsr)
        if extended:
            singles = self._uc.reg_read_batch(_FPU_REGISTERS)
            frame += struct.pack("<18I", *singles, 0)
        return frame

    def _return_to(self, xpsr: int, thread: bool, process_stack: bool, extended: bool) -> None:
        """Changes mode and stack.  CONTROL is only written while the core is privileged."""
        control = self._read(arm.UC_ARM_REG_CONTROL) & _CONTROL_NPRIV
        self._write(arm.UC_ARM_REG_CONTROL, 0)
        self._write(arm.UC_ARM_REG_XPSR, xpsr)
        self._thumb = bool(xpsr & _XPSR_THUMB)
        control |= _CONTROL_FPCA | _CONTROL_SFPA if extended else 0
        control |= _CONTROL_SPSEL if thread and process_stack else 0
        self._write(arm.UC_ARM_REG_CONTROL, control)

    def _restore(self, words: tuple[int, ...], extended: bool) -> None:
        self.pc = words[6]
        self._uc.reg_write_batch(list(zip(_CORE_REGISTERS, words, strict=False)))
        if extended:
            self._uc.reg_write_batch(list(zip(_FPU_REGISTERS, words[_BASIC_WORDS:], strict=False)))

    def _hook(self, flash: ctypes.Array[ctypes.c_char]) -> None:
        self._thumb = True
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._uc.hook_add(unicorn.UC_HOOK_INSN_INVALID, self._on_invalid_instruction)
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_invalid_access)
        counter = self._clock.counter
        counter.code, counter.code_bytes = ctypes.addressof(flash), len(flash)
        counter.stop = ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value
        status = uclib.uc_hook_add(
            self._handle,
            ctypes.byref(ctypes.c_size_t()),
            ctypes.c_int(unicorn.UC_HOOK_BLOCK),
            ctypes.cast(counter_library().count_block, ctypes.c_void_p),
            ctypes.byref(counter),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != unicorn.UC_ERR_OK:
            raise LinkError(f"unicorn takes no hook: status {status}")

    def _on_interrupt(self, uc: Any, number: int, data: Any) -> None:
        reasons = {
            _EXCP_SWI: StopReason.SVC,
            _EXCP_EXCEPTION_EXIT: StopReason.EXCEPTION_RETURN,
            _EXCP_BKPT: StopReason.BREAKPOINT,
        }
        self._stop = Stop(reasons.get(number, StopReason.UNDEFINED))
        uc.emu_stop()

    def _on_invalid_instruction(self, uc: Any, data: Any) -> bool:
        thumb = self._read(arm.UC_ARM_REG_XPSR) & _XPSR_THUMB
        self._stop = Stop(StopReason.UNDEFINED if thumb else StopReason.INVALID_STATE)
        return False

    def _on_invalid_access(
        self, uc: Any, access: int, address: int, size: int, value: int, data: Any
    ) -> bool:
        if access == unicorn.UC_MEM_WRITE_PROT and address < RAM_START and self._write_flash is not None:
            try:
                self._write_flash(address, size, value & (1 << 8 * size) - 1)
                return True
            except AccessError as error:
                self._stop = Stop(error.reason, address)
                return False
        self._stop = Stop(_REASONS.get(access, StopReason.ACCESS), address)
        return False

    def _fault(self, error: AccessError, address: int) -> None:
        # Unicorn leaves the program counter at the instruction, which suits a fault.
        self._stop = Stop(error.reason, address)
        self._uc.emu_stop()

    def _is_at_end_of(self, *instructions: int) -> bool:
        if self.pc < 2:
            return False
        return int.from_bytes(self._uc.mem_read(self.pc - 2, 2), "little") in instructions

    def _masks(self) -> tuple[int, int, int]:
        return (
            self._read(arm.UC_ARM_REG_PRIMASK),
            self._read(arm.UC_ARM_REG_FAULTMASK),
            self._read(arm.UC_ARM_REG_BASEPRI),
        )

    def _as_handler(self, read: Callable[[], tuple[int, int, int]]) -> tuple[int, int, int]:
        xpsr = self._read(arm.UC_ARM_REG_XPSR)
        self._write(arm.UC_ARM_REG_XPSR, xpsr | 3)
        answer = read()
        self._write(arm.UC_ARM_REG_XPSR, xpsr)
        return answer

    def _read(self, register: int) -> int:
        uclib.uc_reg_read(self._handle, register, self._cell_address)
        return int(self._cell.value)

    def _write(self, register: int, value: int) -> None:
        self._cell.value = value
        uclib.uc_reg_write(self._handle, register, self._cell_address)


def _engine() -> Any:
    """Unicorn, whose functions have no types."""
    engine: Any = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    engine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
    return engine
