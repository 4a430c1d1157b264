"""The chip between two resets: its core, its memory map, and when exceptions are taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from devices.emulators.nrf52840 import exceptions as ex
from devices.emulators.nrf52840 import mpu
from devices.emulators.nrf52840.analog import DEFAULT_CELSIUS, Rng, Saadc, Temp
from devices.emulators.nrf52840.clock import CLOCK_HZ, Clock
from devices.emulators.nrf52840.cpu import (
    RAM_BYTES,
    RAM_START,
    AccessError,
    Cpu,
    ProtectionError,
    StackError,
    Stop,
    StopReason,
)
from devices.emulators.nrf52840.exceptions import Exceptions, Masks
from devices.emulators.nrf52840.gpio import GPIO_START, Gpio
from devices.emulators.nrf52840.mpu import Mpu, Piece
from devices.emulators.nrf52840.nvmc import FLASH_BYTES, PAGE_BYTES, Flash, Nvmc
from devices.emulators.nrf52840.peripherals import (
    PERIPHERAL_BYTES,
    PERIPHERALS_START,
    Peripheral,
    Wiring,
)
from devices.emulators.nrf52840.power import Power, ResetReason
from devices.emulators.nrf52840.timer import CycleCounter, SysTick, Timer
from devices.emulators.nrf52840.uart import Uart, Wire

SLICE_CYCLES = CLOCK_HZ // 1000
"""Executed at once: input is looked for in between."""
MASKED_CYCLES = 1
"""... while an exception waits for the program to unmask it: a block at a time."""
POISON = 0xA5
"""RAM after a reset: what a program finds there must not matter to it."""
_PERIPHERAL_COUNT = 48
_FICR_START = 0x1000_0000
_SCS_START = 0xE000_E000
_DWT_START = 0xE000_1000
_PAGE = 0x1000
_TIMERS = (8, 9, 10, 26, 27)
_WRITE_ONE_REGISTERS = range(0x100, 0x300)
_CFSR = 0xD28
_USAGE = {StopReason.UNDEFINED: ex.UNDEFINSTR, StopReason.INVALID_STATE: ex.INVSTATE}
_MPU_REGISTERS = range(mpu.TYPE, mpu.ALIASES.stop)
_ERASED_WORD = 0xFFFF_FFFF


@dataclass
class Surroundings:
    """What a chip meets outside of itself."""

    wire: Wire
    report: Callable[[str], None]
    on_pin: Callable[[int, bool], None] = lambda pin, high: None
    """Told of outputs that change."""
    celsius: float = DEFAULT_CELSIUS
    analog: Callable[[int], int] = lambda source: 0
    """The reading of an analog input."""
    random: random.Random = field(default_factory=lambda: random.Random(0))


class Device(Protocol):
    """Registers of 32 bits."""

    def read(self, offset: int) -> int: ...

    def write(self, offset: int, value: int) -> None: ...


class Ficr:
    """Factory information (product specification, "FICR"); the rest reads as erased flash does."""

    _WORDS: ClassVar = {
        0x010: PAGE_BYTES,
        0x014: FLASH_BYTES // PAGE_BYTES,
        0x060: 0x5255_4E45,
        0x064: 0x5284_0001,
        0x100: 0x5_2840,
        0x104: 0x4141_4330,
        0x108: 0x2004,
        0x10C: 256,
        0x110: FLASH_BYTES // 1024,
    }

    def read(self, offset: int) -> int:
        return self._WORDS.get(offset, _ERASED_WORD)

    def write(self, offset: int, value: int) -> None:
        raise AccessError


class Chip:
    """An nRF52840 from a reset to the next."""

    def __init__(self, clock: Clock, flash: Flash, surroundings: Surroundings, reason: ResetReason) -> None:
        self.clock = clock
        self.reset_reason: ResetReason | None = None
        """Set when the chip is to be reset."""
        self._next_event: int | None = None
        """None where it has to be found out anew."""
        self._cpu = Cpu(clock, flash.memory, POISON)
        self._exceptions = Exceptions(clock.interrupt, lambda: self._request_reset(ResetReason.SOFTWARE))
        self._systick = SysTick(clock, lambda: self._exceptions.pend(ex.SYSTICK))
        wiring = Wiring(clock, self._exceptions.set_line, self._reschedule, surroundings.report)
        self.uart = Uart(wiring, surroundings.wire)
        self._nvmc = Nvmc(wiring, flash)
        self._peripherals: dict[int, Peripheral] = {
            peripheral.number: peripheral
            for peripheral in (
                Power(wiring, reason),
                self.uart,
                self._nvmc,
                Rng(wiring, surroundings.random),
                Temp(wiring, surroundings.celsius),
                Saadc(wiring, surroundings.analog, self._store),
                *(Timer(wiring, number) for number in _TIMERS),
            )
        }
        self._mpu = Mpu()
        self._protected = (False, 0)
        """Whether memory is as unprivileged code may see it, by which version of the MPU's registers."""
        self._report = surroundings.report
        self._unknown: set[int] = set()
        self._flash = flash
        self._seen_changes = flash.changes
        self._map(Gpio(surroundings.on_pin))

    def run(self) -> bool:
        """Executes for a while; returns whether the program sleeps."""
        self.uart.poll()
        self._advance()
        self._take_exceptions()
        if self.reset_reason is not None:
            return False
        self._protect()
        now = self.clock.now
        longest = MASKED_CYCLES if self._exceptions.wakes() else SLICE_CYCLES
        stop = self._cpu.run(max(now + 1, min(now + longest, self.next_event())))
        self.uart.flush()
        if self._flash.changes != self._seen_changes:
            self._seen_changes = self._flash.changes
            self._flash.settle()
            self._cpu.forget_code()
        return self._after(stop)

    def _after(self, stop: Stop) -> bool:
        """Deals with what ended the execution; returns whether the program sleeps."""
        if self.reset_reason is not None:
            return False
        if stop.reason is StopReason.SLEEP:
            self._advance()
            return not self._exceptions.wakes()
        self._handle(stop)
        return False

    def next_event(self) -> int:
        """The cycle at which something will happen of itself."""
        if self._next_event is None:
            events = [peripheral.next_event() for peripheral in self._peripherals.values()]
            self._next_event = min(self._systick.next_event(), *events)
        return self._next_event

    def wakes(self) -> bool:
        """Whether a sleeping program goes on."""
        self.uart.poll()
        self._advance()
        return self._exceptions.wakes()

    def _reschedule(self) -> None:
        self._next_event = None
        self.clock.interrupt()

    def _advance(self) -> None:
        if self.clock.now < self.next_event():
            return
        self._next_event = None
        self._systick.advance()
        for peripheral in self._peripherals.values():
            peripheral.advance()

    def _protect(self) -> None:
        """Make memory what the code about to run may see of it."""
        restricted = self._mpu.enabled and not self._cpu.privileged
        wanted = (restricted, self._mpu.version if restricted else 0)
        if wanted != self._protected:
            self._protected = wanted
            for start, size in ((0, FLASH_BYTES), (RAM_START, RAM_BYTES)):
                pieces = self._mpu.pieces(start, size)
                self._cpu.protect(
                    pieces if restricted else [Piece(piece.start, piece.size, mpu.ALL) for piece in pieces]
                )

    def _take_exceptions(self) -> None:
        if self._exceptions.wakes() and (exception := self._exceptions.take(self._masks())) is not None:
            self._enter(exception)

    def _handle(self, stop: Stop) -> None:
        """What ended the execution; a fault is raised before the next instruction."""
        if stop.reason is StopReason.SVC:
            self._raise(ex.SVC)
        elif stop.reason is StopReason.EXCEPTION_RETURN:
            self._return()
        elif stop.reason is StopReason.BREAKPOINT:
            self._exceptions.hfsr |= ex.HFSR_DEBUGEVT
            self._raise(ex.HARD_FAULT)
        elif stop.reason in _USAGE and not self._can_execute(self._cpu.pc):
            self._fetch_fault(self._cpu.pc)
        elif stop.reason in _USAGE:
            self._usage_fault(_USAGE[stop.reason])
        elif stop.reason is StopReason.PROTECTED_ACCESS:
            self._exceptions.fault(ex.DACCVIOL, stop.address)
            self._raise(ex.MEM_MANAGE)
        elif stop.reason is StopReason.ACCESS:
            self._access_fault(stop.address)
        elif stop.reason is StopReason.FETCH:
            self._fetch_fault(stop.address)

    def _access_fault(self, address: int) -> None:
        # The memory protection unit refuses before the bus finds that there is nothing.
        if self._protected[0] and not self._mpu.rights(address):
            self._exceptions.fault(ex.DACCVIOL, address)
            self._raise(ex.MEM_MANAGE)
        else:
            self._exceptions.fault(ex.PRECISERR, address)
            self._raise(ex.BUS_FAULT)

    def _can_execute(self, address: int) -> bool:
        # Peripherals and the system region can never be executed (DDI 0403, B3.1).
        if 0x4000_0000 <= address < 0x6000_0000 or address >= 0xA000_0000:
            return False
        return not self._protected[0] or bool(self._mpu.rights(address) & mpu.EXECUTE)

    def _fetch_fault(self, address: int) -> None:
        if not self._can_execute(address):
            self._exceptions.fault(ex.IACCVIOL)
            self._raise(ex.MEM_MANAGE)
        else:
            self._exceptions.fault(ex.IBUSERR)
            self._raise(ex.BUS_FAULT)

    def _usage_fault(self, status: int) -> None:
        self._exceptions.fault(status)
        self._raise(ex.USAGE_FAULT)

    def _return(self) -> None:
        exception = self._cpu.exception
        if not exception:
            # In thread mode these are addresses as any other.
            self._handle(Stop(StopReason.FETCH, self._cpu.pc))
            return
        try:
            if not self._cpu.leave():
                self._usage_fault(ex.INVPC)
                return
        except StackError:
            self._exceptions.fault(ex.UNSTKERR)
            self._raise(ex.BUS_FAULT)
            return
        self._exceptions.end(exception)

    def _raise(self, exception: int) -> None:
        try:
            self._enter(self._exceptions.raise_now(exception, self._masks()))
        except ex.LockUp:
            self._report(f"the core locks up at {self._cpu.pc:#x}, which resets the chip")
            self._request_reset(ResetReason.LOCKUP)

    def _enter(self, exception: int) -> None:
        try:
            self._cpu.enter(exception, self._exceptions.vectors, self._is_writable)
        except StackError:
            fault, status = (ex.MEM_MANAGE, ex.MSTKERR) if self._protected[0] else (ex.BUS_FAULT, ex.STKERR)
            self._exceptions.fault(status)
            if exception not in (fault, ex.HARD_FAULT):
                self._redirect(exception, fault)

    def _redirect(self, exception: int, fault: int) -> None:
        """An exception could not save registers: the fault comes before it, where it is more urgent."""
        instead = self._exceptions.replace(exception, fault)
        if instead is not None:
            self._cpu.redirect(instead, self._exceptions.vectors)

    def _is_writable(self, address: int) -> bool:
        return not self._protected[0] or bool(self._mpu.rights(address) & mpu.WRITE)

    def _request_reset(self, reason: ResetReason) -> None:
        self.reset_reason = reason
        self.clock.interrupt()

    def _masks(self) -> Masks:
        return Masks(*self._cpu.masks)

    def _store(self, address: int, data: bytes) -> None:
        try:
            self._cpu.store(address, data)
        except StackError:
            self._report(f"SAADC: there is no RAM at {address:#x}")

    def _map(self, gpio: Gpio) -> None:
        self._cpu.on_flash_write(self._write_flash)
        self._cpu.map_device(
            PERIPHERALS_START,
            _PERIPHERAL_COUNT * PERIPHERAL_BYTES,
            self._read_peripheral,
            self._write_peripheral,
        )
        for start, device in ((_FICR_START, Ficr()), (GPIO_START, gpio)):
            self._map_words(start, device)
        self._map_words(_DWT_START, CycleCounter(self.clock), privileged=True)
        self._map_words(_SCS_START, self, privileged=True)

    def _map_words(self, start: int, device: Device, *, privileged: bool = False) -> None:
        """Maps registers that may be accessed in parts, as priorities are."""

        def read(offset: int, size: int) -> int:
            self._check_access(start + offset, privileged=privileged)
            return device.read(offset & ~3) >> 8 * (offset & 3) & (1 << 8 * size) - 1

        def write(offset: int, size: int, value: int) -> None:
            self._check_access(start + offset, privileged=privileged)
            word, shift = offset & ~3, 8 * (offset & 3)
            if size < 4:
                mask = (1 << 8 * size) - 1 << shift
                rest = 0 if word in _WRITE_ONE_REGISTERS or word == _CFSR else device.read(word) & ~mask
                value = rest | value << shift & mask
            device.write(word, value)

        self._cpu.map_device(start, _PAGE, read, write)

    def _check_access(self, address: int, *, privileged: bool = False) -> None:
        """Whether the code that runs may use a device; where the MPU restricts it, that decides."""
        if self._protected[0] and not self._mpu.rights(address):
            raise ProtectionError
        if privileged and not self._cpu.privileged:
            raise AccessError

    def read(self, offset: int) -> int:
        """A register of the system control space."""
        if 0x010 <= offset < 0x020:
            return self._systick.read(offset)
        return self._mpu.read(offset) if offset in _MPU_REGISTERS else self._exceptions.read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register of the system control space."""
        if 0x010 <= offset < 0x020:
            self._systick.write(offset, value)
            self._reschedule()
        elif offset in _MPU_REGISTERS:
            self._mpu.write(offset, value)
        else:
            self._exceptions.write(offset, value)

    def _peripheral(self, offset: int) -> Peripheral | None:
        number = offset // PERIPHERAL_BYTES
        if number not in self._peripherals and number not in self._unknown:
            self._unknown.add(number)
            self._report(f"there is no model of the peripheral at {PERIPHERALS_START + number * _PAGE:#x}")
        return self._peripherals.get(number)

    def _read_peripheral(self, offset: int, size: int) -> int:
        self._check_access(PERIPHERALS_START + offset)
        peripheral = self._peripheral(offset)
        value = peripheral.read(offset % PERIPHERAL_BYTES & ~3) if peripheral else 0
        return value >> 8 * (offset & 3)

    def _write_peripheral(self, offset: int, size: int, value: int) -> None:
        self._check_access(PERIPHERALS_START + offset)
        peripheral = self._peripheral(offset)
        if peripheral:
            peripheral.write(offset % PERIPHERAL_BYTES, value)

    def _write_flash(self, address: int, size: int, value: int) -> None:
        if self._protected[0] and not self._mpu.rights(address) & mpu.WRITE:
            raise ProtectionError
        self._nvmc.write_flash(address, size, value)
