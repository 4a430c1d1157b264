"""A board that speaks docs/device-protocol.md, written from that page alone, for faults a real one will not
make.

It takes and gives SMP messages; `serve` adds the framing.  Its container is a Python function.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from smp.header import OP, Flag, Header, Version
from smpclient.transport.serial.framing import SerialFraming

from devices.image import BoardImage
from devices.link.framing import framings

Compute = Callable[[Mapping[int, bytes]], Mapping[int, bytes]]
UNKNOWN, NO_MEMORY, INVALID, NOT_FOUND, BAD_STATE, UNSUPPORTED, CORRUPT = 1, 2, 3, 5, 6, 8, 9


class Refusal(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


@dataclass
class Slot:
    data: bytes = b""
    pending: bool = False
    confirmed: bool = False

    @property
    def image(self) -> BoardImage | None:
        try:
            return BoardImage.parse(self.data)
        except Exception:
            return None


@dataclass
class Inference:
    number: int
    samples: dict[int, bytes] = field(default_factory=dict)
    values: list[tuple[int, bytes]] | None = None
    """What is still to be written, once all was read."""
    part: bytes = b""
    """Of the sample that is being read."""
    call: int = 0
    fault: Mapping[str, int] | None = None


class FakeBoard:
    """`sources` are (number, bytes) of what the container reads, in its order; then it writes what `compute`
    gives."""

    def __init__(
        self,
        sources: Mapping[int, int],
        compute: Compute,
        *,
        name: str = "nrf52840",
        serial: str = "F00D",
        buffer: int = 512,
        own_sensors: bool = False,
    ) -> None:
        self.sources, self.compute = dict(sources), compute
        self.name, self.serial, self.buffer, self.own_sensors = name, serial, buffer, own_sensors
        self.slots = [Slot(), Slot()]
        self.active: int | None = None
        self.inference: Inference | None = None
        self.memory = 0
        """Inferences since the container was instantiated."""
        self.looping = False
        self.notify = 0
        self.runs = self.faults = self.resets = 0
        self.fault: Mapping[str, int] | None = None
        self.next_fault: Mapping[str, int] | None = None
        """What the next inference, or instantiation, ends with."""
        self.uploading: dict[str, Any] | None = None
        self.handled: list[tuple[int, int]] = []
        """Group and command of each request."""

    # Messages.

    def handle(self, message: bytes) -> bytes | None:
        """The answer to a message; None for what is none."""
        try:
            header = Header.loads(message[: Header.SIZE])
            request = cbor2.loads(message[Header.SIZE :])
        except Exception:
            return None
        if header.length != len(message) - Header.SIZE or header.op not in (OP.READ, OP.WRITE):
            return None
        self.handled.append((int(header.group_id), int(header.command_id)))
        try:
            answer = self._command(header, request)
        except Refusal as refusal:
            answer = {"rc": refusal.code}
        return encoded(OP(header.op + 1), header.group_id, header.command_id, header.sequence, answer)

    def _command(self, header: Header, request: dict[str, Any]) -> dict[str, Any]:
        commands = {
            (0, 0): lambda: {"r": request["d"]},
            (0, 5): self._reset,
            (1, 0): lambda: self._states(header.op, request),
            (1, 1): lambda: self._upload(request),
            (1, 5): lambda: self._erase(request),
            (64, 0): self._facts,
            (64, 1): lambda: self._control(request),
            (64, 2): lambda: self._run(request),
            (64, 3): lambda: self._feed(request),
            (64, 4): lambda: self._take(request),
            (64, 5): self._statistics,
        }
        command = commands.get((int(header.group_id), int(header.command_id)))
        if command is None:
            raise Refusal(UNSUPPORTED)
        return command()

    # Slots.

    def power_cycle(self) -> None:
        """RAM is lost; flash, with what is there of an upload, stays."""
        self.resets += 1
        self.inference, self.uploading, self.looping, self.notify = None, None, False, 0
        self.runs = self.faults = 0
        self._start()

    def _reset(self) -> dict[str, Any]:
        self.power_cycle()
        return {}

    def _start(self) -> None:
        pending = next((i for i, slot in enumerate(self.slots) if slot.pending and slot.image), None)
        confirmed = next((i for i, slot in enumerate(self.slots) if slot.confirmed), None)
        self.active = pending if pending is not None else confirmed
        self.memory, self.inference = 0, None
        if pending is not None:
            self.slots[pending].pending = False
        if self.next_fault and self.active is not None:
            self._failed()
            self.active = confirmed
        self.looping = self.can_loop
        self.runs += self.looping

    @property
    def can_loop(self) -> bool:
        return self.active is not None and self.own_sensors

    def _states(self, operation: OP, request: dict[str, Any]) -> dict[str, Any]:
        if operation is OP.WRITE:
            slot = self._find(request.get("hash"))
            if request.get("confirm"):
                for other in self.slots:
                    other.confirmed = False
                slot.confirmed = True
            else:
                slot.pending = True
        return {"images": [self._state(i) for i in range(2) if self.slots[i].image]}

    def _find(self, digest: bytes | None) -> Slot:
        if digest is None and self.active is not None:
            return self.slots[self.active]
        for slot in self.slots:
            if slot.image and slot.image.sha256 == digest:
                return slot
        raise Refusal(NOT_FOUND)

    def _state(self, index: int) -> dict[str, Any]:
        slot = self.slots[index]
        assert slot.image is not None
        flags = {"pending": slot.pending, "confirmed": slot.confirmed, "active": index == self.active}
        shown = {name: True for name, value in flags.items() if value}
        return {"slot": index, "version": "1.0.0", "hash": slot.image.sha256, "bootable": True, **shown}

    def _free(self) -> int:
        free = [i for i in range(2) if i != self.active and not self.slots[i].confirmed]
        if not free:
            raise Refusal(BAD_STATE)
        return free[0]

    def _upload(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["off"] == 0:
            index = self._free()
            if not request.get("len"):
                raise Refusal(INVALID)
            slot = self.slots[index]
            whole = slot.image is not None and hashlib.sha256(slot.data).digest() == request.get("sha")
            if not whole and getattr(slot, "sha", None) != request.get("sha"):
                slot.data, slot.pending = b"", False
            slot.sha = request.get("sha")  # type: ignore[attr-defined]
            self.uploading = {"slot": slot, "len": request["len"]}
        if self.uploading is None:
            return {"off": 0}
        slot, length = self.uploading["slot"], self.uploading["len"]
        if request["off"] == len(slot.data) < length:
            left = length - len(slot.data)
            data = request["data"]
            slot.data += data[:left] if len(data) >= left else data[: len(data) // 4 * 4]
            if len(slot.data) == length and not slot.image:
                slot.data, self.uploading = b"", None
                raise Refusal(CORRUPT)
        return {"off": len(slot.data)}

    def _erase(self, request: dict[str, Any]) -> dict[str, Any]:
        index = request.get("slot", self._free())
        if index == self.active or self.slots[index].confirmed:
            raise Refusal(BAD_STATE)
        self.slots[index], self.uploading = Slot(), None
        return {}

    # The container.

    def _facts(self) -> dict[str, Any]:
        image = self.slots[self.active].image if self.active is not None else None
        held = {"container": image.header.container_sha256} if image else {}
        return {
            "board": self.name,
            "abi": 1,
            "agent": "0.1",
            "serial": self.serial,
            "mpu": True,
            "ram": [0x20000000, 0x3E000],
            "slots": [[0x10000, 0x70000], [0x80000, 0x70000]],
            "hz": 64_000_000,
            "buf": self.buffer,
            "caps": ["rand"],
            **held,
        }

    def _control(self, request: dict[str, Any]) -> dict[str, Any]:
        if request.get("start"):
            self._start()
        if request.get("run") and not self.can_loop:
            raise Refusal(UNSUPPORTED)
        self.looping = request.get("run", self.looping)
        self.notify = request.get("notify", self.notify)
        return self._status()

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.active is None:
            return {"st": 6}
        if self.inference is None or self.inference.number != request["n"]:
            if request.get("reset"):
                self.memory = 0
            self.looping = False
            self.inference = Inference(request["n"])
            if self.next_fault:
                self._failed()
            self._advance()
        return self._status()

    def _failed(self) -> None:
        self.faults += 1
        self.fault, self.next_fault = self.next_fault, None
        if self.inference:
            self.inference.fault = self.fault

    def _advance(self) -> None:
        """Once everything is read, compute."""
        now = self.inference
        assert now is not None
        if now.values is None and now.samples.keys() == self.sources.keys() and not now.fault:
            now.values = list(self.compute(now.samples).items())
        if now.values == []:
            self.runs, self.memory = self.runs + 1, self.memory + 1

    def _feed(self, request: dict[str, Any]) -> dict[str, Any]:
        now = self.inference
        waiting = self._is_here(request) and now is not None and now.values is None and not now.fault
        if now is not None and waiting and request["off"] == len(now.part):
            port = next(port for port in self.sources if port not in now.samples)
            now.part += request["data"][: self.sources[port] - len(now.part)]
            if len(now.part) == self.sources[port]:
                now.samples[port], now.part, now.call = now.part, b"", now.call + 1
                self._advance()
        return self._status()

    def _is_here(self, request: dict[str, Any]) -> bool:
        now = self.inference
        return now is not None and (now.number, now.call) == (request["n"], request["call"])

    def _take(self, request: dict[str, Any]) -> dict[str, Any]:
        now = self.inference
        if now is None or not self._is_here(request) or not now.values:
            return self._status()
        value = now.values[0][1]
        if request["off"] == len(value):
            del now.values[0]
            now.call += 1
            self._advance()
            return self._status()
        room = self.buffer - 4 - 8 - 80
        return {**self._status(), "off": request["off"], "data": value[request["off"] :][:room]}

    def _status(self) -> dict[str, Any]:
        now = self.inference
        if self.looping:
            return {"st": 5}
        if self.active is None:
            return {"st": 6}
        if now is None:
            return {"st": 0}
        if now.fault:
            return {"st": 4, "n": now.number, "cycles": 99, **now.fault}
        if now.values is None:
            port = next(port for port in self.sources if port not in now.samples)
            size = {"len": self.sources[port], "off": len(now.part)}
            return {"st": 1, "n": now.number, "port": port, "call": now.call, **size}
        if now.values:
            port, value = now.values[0]
            return {"st": 2, "n": now.number, "port": port, "len": len(value), "off": 0, "call": now.call}
        return {"st": 3, "n": now.number, "code": 0, "cycles": 64_000}

    def _statistics(self) -> dict[str, Any]:
        fault = {"fault": {**self.fault, "slot": 0}} if self.fault else {}
        return {"runs": self.runs, "faults": self.faults, "cycles": 64_000, "marks": [], **fault}

    # The loop.

    def output(
        self, sequence: int, port: int, data: bytes, offset: int = 0, length: int | None = None
    ) -> bytes:
        """A notification."""
        fields = {
            "seq": sequence,
            "port": port,
            "len": len(data) if length is None else length,
            "off": offset,
        }
        return encoded(OP.WRITE_RSP, 64, 6, 0, {**fields, "data": data})


def encoded(operation: OP, group: Any, command: Any, sequence: int, fields: Mapping[str, Any]) -> bytes:
    body = cbor2.dumps(fields)
    return bytes(Header(operation, Version.V2, Flag(0), len(body), group, sequence, command)) + body


class Wire:
    """The board's end of a line: bytes in, bytes out, in the framing of the request."""

    def __init__(self, board: FakeBoard, understands: tuple[str, ...] = ("cobs", "console")) -> None:
        self.board = board
        self._framings: dict[str, SerialFraming] = {
            name: framing for name, framing in framings().items() if name in understands
        }
        self._last = self._framings[understands[0]]

    def receive(self, data: bytes) -> bytes:
        """What the board answers to these bytes."""
        answers = b""
        for framing in self._framings.values():
            framing.feed(data)
            while (message := framing.take()) is not None:
                answer = self.board.handle(message)
                if answer is not None:
                    self._last = framing
                    answers += b"".join(framing.encode(answer))
        return answers

    def notify(self, message: bytes) -> bytes:
        """A notification's bytes."""
        return b"".join(self._last.encode(message))
