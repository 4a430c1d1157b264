"""NVIC and SCB: which exceptions are pending, enabled, active, and taken next (DDI 0403, B3.2, B3.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

RESET, NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT = range(1, 7)
SVC, DEBUG_MONITOR, PEND_SV, SYSTICK = 11, 12, 14, 15
FIRST_IRQ = 16
IRQS = 48
THREAD_PRIORITY = 256
"""Lower than every exception's."""

IACCVIOL, DACCVIOL, MSTKERR, MMARVALID = 1 << 0, 1 << 1, 1 << 4, 1 << 7
IBUSERR, PRECISERR, UNSTKERR, STKERR, BFARVALID = 1 << 8, 1 << 9, 1 << 11, 1 << 12, 1 << 15
UNDEFINSTR, INVSTATE, INVPC = 1 << 16, 1 << 17, 1 << 18
HFSR_VECTTBL, HFSR_FORCED, HFSR_DEBUGEVT = 1 << 1, 1 << 30, 1 << 31

_FIXED = {RESET: -3, NMI: -2, HARD_FAULT: -1}
_PRIORITY_BITS = 0xE0
"""The chip implements three bits of priority (product specification, "CPU")."""
_CPUID = 0x410F_C241
_VECTKEY = 0x05FA
_SYSRESETREQ = 4
_ENABLES = {MEM_MANAGE: 1 << 16, BUS_FAULT: 1 << 17, USAGE_FAULT: 1 << 18}
_ACTIVE_BITS = {
    MEM_MANAGE: 0,
    BUS_FAULT: 1,
    USAGE_FAULT: 3,
    SVC: 7,
    DEBUG_MONITOR: 8,
    PEND_SV: 10,
    SYSTICK: 11,
}
_PENDING_BITS = {USAGE_FAULT: 12, MEM_MANAGE: 13, BUS_FAULT: 14, SVC: 15}


class LockUp(Exception):
    """A fault that nothing can handle any more."""


@dataclass(frozen=True)
class Masks:
    """PRIMASK, FAULTMASK and BASEPRI."""

    primask: int
    faultmask: int
    basepri: int


_UNMASKED = Masks(0, 0, 0)


class Exceptions:
    """The registers of NVIC and SCB; offsets are from 0xE000E000."""

    def __init__(self, changed: Callable[[], None], reset: Callable[[], None]) -> None:
        """`changed` is called when an exception may have become takeable, `reset` for SYSRESETREQ."""
        self._changed = changed
        self._reset = reset
        self._pending: set[int] = set()
        self._active: set[int] = set()
        self._enabled: set[int] = {NMI, HARD_FAULT, SVC, PEND_SV, SYSTICK}
        self._priorities = [0] * (FIRST_IRQ + IRQS)
        self._lines: set[int] = set()
        self._registers = {0xD14: 0x200}
        self.vectors = 0
        self.cfsr = 0
        self.hfsr = 0
        self._group_mask = 0xFF

    def pend(self, exception: int) -> None:
        self._pending.add(exception)
        self._tell()

    def set_line(self, irq: int, high: bool) -> None:
        """The level of a peripheral's interrupt line."""
        exception = FIRST_IRQ + irq
        if not high:
            self._lines.discard(exception)
        elif exception not in self._lines:
            self._lines.add(exception)
            self.pend(exception)

    def wakes(self) -> bool:
        """Whether an exception could be taken but for PRIMASK and its kin: WFI ends then (B1.5.17)."""
        return bool(self._pending) and self._candidate(_UNMASKED) is not None

    def take(self, masks: Masks) -> int | None:
        """The exception to enter now, which becomes active."""
        exception = self._candidate(masks)
        if exception is not None:
            self._pending.discard(exception)
            self._active.add(exception)
        return exception

    def raise_now(self, exception: int, masks: Masks) -> int:
        """Makes a synchronous exception active: itself or the HardFault that it escalates to.

        Raises LockUp when not even that can be taken.
        """
        execution = self._execution_priority(masks)
        if exception not in self._enabled or self._group(exception) >= execution:
            if exception != HARD_FAULT:
                self.hfsr |= HFSR_FORCED
            if execution <= _FIXED[HARD_FAULT]:
                raise LockUp
            exception = HARD_FAULT
        self._active.add(exception)
        return exception

    def replace(self, exception: int, fault: int) -> int | None:
        """A fault arose while an exception was entered (B1.5.11): the handler to enter instead.

        None where the fault is not the more urgent one; it is pending then, otherwise what it displaced is.
        """
        if fault not in self._enabled:
            self.hfsr |= HFSR_FORCED
            fault = HARD_FAULT
        if self._group(fault) >= self._group(exception):
            self.pend(fault)
            return None
        self._active.discard(exception)
        self._active.add(fault)
        self.pend(exception)
        return fault

    def end(self, exception: int) -> None:
        """A handler has returned; a line that is still high pends anew."""
        self._active.discard(exception)
        if exception in self._lines:
            self._pending.add(exception)

    def fault(self, status: int, address: int | None = None) -> None:
        """Record in CFSR, and MMFAR or BFAR where an address is known."""
        self.cfsr |= status
        if address is not None:
            memory = status < IBUSERR
            self.cfsr |= MMARVALID if memory else BFARVALID
            self._registers[0xD34 if memory else 0xD38] = address

    def read(self, offset: int) -> int:
        if 0x100 <= offset < 0x400:
            return self._read_bits(offset)
        if 0x400 <= offset < 0x400 + IRQS:
            return self._priority_word(FIRST_IRQ + offset - 0x400)
        if 0xD18 <= offset <= 0xD20:
            return self._priority_word(4 + offset - 0xD18)
        special = {
            0x004: (IRQS - 1) // 32,
            0xD00: _CPUID,
            0xD04: self._icsr(),
            0xD08: self.vectors,
            0xD0C: 0xFA05_0000 | self._registers.get(0xD0C, 0),
            0xD24: self._shcsr(),
            0xD28: self.cfsr,
            0xD2C: self.hfsr,
        }
        return special.get(offset, self._registers.get(offset, 0))

    def write(self, offset: int, value: int) -> None:
        if 0x100 <= offset < 0x300:
            self._write_bits(offset, value)
        elif 0x400 <= offset < 0x400 + IRQS:
            self._set_priorities(FIRST_IRQ + offset - 0x400, value)
        elif 0xD18 <= offset <= 0xD20:
            self._set_priorities(4 + offset - 0xD18, value)
        elif offset == 0xF00:
            self.pend(FIRST_IRQ + value % 512)
        elif offset == 0xD28:
            self.cfsr &= ~value
        elif offset == 0xD2C:
            self.hfsr &= ~value
        elif offset in (0xD10, 0xD14, 0xD34, 0xD38, 0xD88, 0xDFC, 0xF34):
            self._registers[offset] = value
        else:
            self._write_control(offset, value)
        self._tell()

    def _write_control(self, offset: int, value: int) -> None:
        if offset == 0xD04:
            self._write_icsr(value)
        elif offset == 0xD08:
            self.vectors = value & ~0x7F
        elif offset == 0xD24:
            self._enabled -= set(_ENABLES)
            self._enabled |= {exception for exception, bit in _ENABLES.items() if value & bit}
            self._pending -= set(_PENDING_BITS)
            self._pending |= {exception for exception, bit in _PENDING_BITS.items() if value >> bit & 1}
        elif offset == 0xD0C and value >> 16 == _VECTKEY:
            self._registers[0xD0C] = value & 0x700
            # PRIGROUP n: the lowest n + 1 bits do not preempt.
            self._group_mask = 0xFF & ~((2 << (value >> 8 & 7)) - 1)
            if value & _SYSRESETREQ:
                self._reset()

    def _tell(self) -> None:
        if self.wakes():
            self._changed()

    def _candidate(self, masks: Masks) -> int | None:
        ready = self._pending & self._enabled
        if not ready:
            return None
        first = min(ready, key=lambda exception: (self._priority(exception), exception))
        return first if self._group(first) < self._execution_priority(masks) else None

    def _execution_priority(self, masks: Masks) -> int:
        priority = min((self._group(exception) for exception in self._active), default=THREAD_PRIORITY)
        if masks.basepri:
            priority = min(priority, masks.basepri & self._group_mask)
        if masks.primask:
            priority = min(priority, 0)
        return min(priority, -1) if masks.faultmask else priority

    def _priority(self, exception: int) -> int:
        return _FIXED.get(exception, self._priorities[exception])

    def _group(self, exception: int) -> int:
        priority = self._priority(exception)
        return priority if priority < 0 else priority & self._group_mask

    def _priority_word(self, exception: int) -> int:
        return int.from_bytes(bytes(self._priorities[exception : exception + 4]), "little")

    def _set_priorities(self, exception: int, value: int) -> None:
        for index in range(4):
            self._priorities[exception + index] = value >> 8 * index & _PRIORITY_BITS

    def _read_bits(self, offset: int) -> int:
        bank, first = offset & 0x380, FIRST_IRQ + (offset & 0x7F) * 8
        chosen = self._enabled if bank in (0x100, 0x180) else self._pending if bank < 0x300 else self._active
        return sum(1 << bit for bit in range(32) if first + bit in chosen)

    def _write_bits(self, offset: int, value: int) -> None:
        first = FIRST_IRQ + (offset & 0x7F) * 8
        named = {first + bit for bit in range(32) if value >> bit & 1 and first + bit < FIRST_IRQ + IRQS}
        bank = offset & 0x380
        chosen = self._enabled if bank in (0x100, 0x180) else self._pending
        if bank in (0x100, 0x200):
            chosen |= named
        else:
            chosen -= named
        if bank == 0x280:
            chosen |= named & self._lines

    def _icsr(self) -> int:
        ready = sorted(
            self._pending & self._enabled, key=lambda exception: (self._priority(exception), exception)
        )
        value = (ready[0] << 12 if ready else 0) | (max(self._active, default=0) and self._latest_active())
        value |= 1 << 28 if PEND_SV in self._pending else 0
        value |= 1 << 26 if SYSTICK in self._pending else 0
        value |= 1 << 22 if any(exception >= FIRST_IRQ for exception in ready) else 0
        return value | (1 << 11 if len(self._active) <= 1 else 0)

    def _latest_active(self) -> int:
        return min(self._active, key=lambda exception: (self._group(exception), exception))

    def _write_icsr(self, value: int) -> None:
        for bit, exception in ((31, NMI), (28, PEND_SV), (26, SYSTICK)):
            if value >> bit & 1:
                self._pending.add(exception)
        for bit, exception in ((27, PEND_SV), (25, SYSTICK)):
            if value >> bit & 1:
                self._pending.discard(exception)

    def _shcsr(self) -> int:
        value = sum(bit for exception, bit in _ENABLES.items() if exception in self._enabled)
        value |= sum(1 << bit for exception, bit in _ACTIVE_BITS.items() if exception in self._active)
        return value | sum(1 << bit for exception, bit in _PENDING_BITS.items() if exception in self._pending)
