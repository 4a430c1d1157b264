"""Pieces of the agent's core on this machine, under the sanitizers, against independent implementations."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smp.packet import decode, encode
from smpclient.transport.serial import Cobs

from tests.tools import needs

CORE = Path(__file__).parents[3] / "devices" / "firmware" / "core"
SOURCES = ("framing.c", "cbor.c", "crc.c", "outputs.c", "sources.c", "container.c")
BUFFER_BYTES = 512
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
Piece = Callable[[bytes], str]


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Piece]]:
    """Starts a piece of the core; it answers a line of bytes with a line of text."""
    compiler, folder = needs("gcc"), tmp_path_factory.mktemp("core")
    sources = [str(CORE / name) for name in SOURCES] + [str(Path(__file__).with_name("host.c"))]
    flags = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-no-pie", "-fshort-enums", *SANITIZERS]
    command = [compiler, *flags, f"-DFRAMING_BUFFER_BYTES={BUFFER_BYTES}", f"-I{CORE}", *sources]
    subprocess.run([*command, "-o", folder / "core"], check=True)
    with ExitStack() as stack:
        yield lambda name: _started(stack, folder / "core", name)


def _started(stack: ExitStack, program: Path, name: str) -> Piece:
    process = stack.enter_context(
        subprocess.Popen([program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )

    def ask(data: bytes) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data.hex() + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        assert answer.endswith("\n"), "the core crashed"
        return answer[:-1]

    return ask


FIRST_BYTES = st.sampled_from([b"\x00\x00", b"\x02\x00", b"\x08\x00", b"\x0a\x00"])
PACKETS = st.builds(
    lambda first, rest: first + rest, FIRST_BYTES, st.binary(min_size=6, max_size=BUFFER_BYTES - 8)
)
FRAMINGS: dict[str, Callable[[bytes], bytes]] = {
    "console": lambda packet: b"".join(encode(packet)),
    "cobs": lambda packet: b"".join(Cobs().encode(packet)),
}
JUNK = st.binary(max_size=40).map(lambda junk: junk.replace(b"\x06", b"?").replace(b"\x04", b"?"))


def exchanged(line: str) -> list[tuple[bytes, bytes]]:
    """Each packet that was understood, and what was sent for it."""
    pairs = [word.split(">") for word in line.split()]
    return [(bytes.fromhex(packet), bytes.fromhex(sent)) for packet, sent in pairs]


@pytest.mark.parametrize("framing", FRAMINGS)
@settings(max_examples=150)
@given(packet=PACKETS, zeros=st.booleans(), run=st.integers(250, 260))
def test_packets_arrive_and_are_sent_as_clients_do(
    piece: Callable[[str], Piece], framing: str, packet: bytes, zeros: bool, run: int
) -> None:
    ask = _piece(piece, "framing")
    if zeros:
        packet = packet[:8] + b"\x00" + b"x" * run + packet[8:200]
    ((received, sent),) = exchanged(ask(FRAMINGS[framing](packet)))
    assert received == packet
    assert received_by_client(framing, sent) == packet


def received_by_client(framing: str, sent: bytes) -> bytes | None:
    if framing == "cobs":
        cobs = Cobs()
        cobs.feed(sent)
        return cobs.take()
    decoder = decode()
    next(decoder)
    lines = sent.splitlines(keepends=True)
    assert max(map(len, lines)) <= 127
    for line in lines[:-1]:
        decoder.send(line)
    with pytest.raises(StopIteration) as done:
        decoder.send(lines[-1])
    return bytes(done.value.value)


_PIECES: dict[tuple[int, str], Piece] = {}


def _piece(start: Callable[[str], Piece], name: str) -> Piece:
    """One process for all examples of a test."""
    key = (id(start), name)
    if key not in _PIECES:
        _PIECES[key] = start(name)
    return _PIECES[key]


@settings(max_examples=200)
@given(packets=st.lists(st.tuples(PACKETS, st.sampled_from(sorted(FRAMINGS))), max_size=4), junk=JUNK)
def test_framings_mix_on_one_line(
    piece: Callable[[str], Piece], packets: list[tuple[bytes, str]], junk: bytes
) -> None:
    ask = _piece(piece, "framing")
    line = b"".join(FRAMINGS[framing](packet) for packet, framing in packets)
    found = [packet for packet, _ in exchanged(ask(junk + b"\x00\n" + line))]
    assert found[-len(packets) :] == [packet for packet, _ in packets] or not packets


def has_its_length(packet: bytes) -> bool:
    """Whether it has as many bytes as its header says: what is cut may have a right checksum."""
    return len(packet) >= 8 and len(packet) == 8 + int.from_bytes(packet[2:4], "big")


@settings(max_examples=150)
@given(packet=PACKETS, framing=st.sampled_from(sorted(FRAMINGS)), data=st.data())
def test_a_damaged_frame_is_dropped_and_the_next_one_understood(
    piece: Callable[[str], Piece], packet: bytes, framing: str, data: st.DataObject
) -> None:
    ask = _piece(piece, "framing")
    packet = b"\x0a\x00" + struct.pack(">H", len(packet) - 8) + packet[4:]
    frame = bytearray(FRAMINGS[framing](packet))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= 1 << data.draw(st.integers(0, 7))
    after = b"\x0a\x00 the next one"
    found = [other for other, _ in exchanged(ask(bytes(frame) + b"\x00" + FRAMINGS[framing](after)))]
    assert found[-1:] == [after]
    assert all(other in (packet, after) or not has_its_length(other) for other in found)


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=300), st.sampled_from([b"\x06\x09", b"\x04\x14", b"\n", b"\x00", b"AAAA"])
        )
    )
)
def test_noise_never_breaks_the_framing(piece: Callable[[str], Piece], noise: list[bytes]) -> None:
    ask = _piece(piece, "framing")
    ask(b"".join(noise))
    packet = b"\x0a\x00 still here"
    assert exchanged(ask(b"\x00" + FRAMINGS["cobs"](packet)))[-1][0] == packet


def test_what_is_too_long_is_dropped(piece: Callable[[str], Piece]) -> None:
    ask = piece("framing")
    for framing in FRAMINGS.values():
        fits, too_long = b"\x0a\x00" + b"x" * (BUFFER_BYTES - 2), b"\x0a\x00" + b"x" * (BUFFER_BYTES + 10)
        assert [packet for packet, _ in exchanged(ask(framing(too_long) + b"\x00" + framing(fits)))] == [fits]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**33), 2**33)
    | st.floats(allow_nan=False)
    | st.binary()
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["n", "b", "d", "t", "other", ""])


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def expected(request: dict[str, Any]) -> str:
    """What the reader must find of the four keys."""

    def word(key: str, right: Callable[[Any], bool], show: Callable[[Any], str]) -> str:
        if key not in request:
            return "absent"
        return show(request[key]) if right(request[key]) else "wrong"

    return " ".join(
        [
            word("n", lambda v: type(v) is int and 0 <= v < 1 << 32, str),
            word("b", lambda v: type(v) is bool, lambda v: str(int(v))),
            word("d", lambda v: type(v) is bytes, lambda v: v.hex()),
            word("t", lambda v: type(v) is str, lambda v: v.encode().hex()),
            "",
        ]
    )


@settings(max_examples=200)
@given(request=st.dictionaries(KEYS, VALUES, max_size=5))
def test_requests_are_read(piece: Callable[[str], Piece], request: dict[str, Any]) -> None:
    found = _piece(piece, "cbor")(cbor2.dumps(request))
    assert found == (expected(request) if depth(request) <= 4 else "malformed")


@settings(max_examples=200)
@given(request=st.dictionaries(KEYS, VALUES, max_size=5), data=st.data())
def test_what_is_cut_or_continued_is_malformed(
    piece: Callable[[str], Piece], request: dict[str, Any], data: st.DataObject
) -> None:
    ask, encoded = _piece(piece, "cbor"), cbor2.dumps(request)
    assert ask(encoded[: data.draw(st.integers(0, len(encoded) - 1))]) == "malformed"
    assert ask(encoded + b"\x00") == "malformed"


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(piece: Callable[[str], Piece], data: bytes) -> None:
    assert _piece(piece, "cbor")(b"\xa5" + data)


@settings(max_examples=200)
@given(number=st.integers(-(2**31), 2**31 - 1), text=st.text(max_size=60), room=st.integers(0, 255))
def test_answers_are_written_or_said_to_be_too_long(
    piece: Callable[[str], Piece], number: int, text: str, room: int
) -> None:
    raw = text.encode()
    answer = _piece(piece, "writer")(struct.pack("<iB", number, room) + raw)
    right = {"i": number, "u": number & 0xFFFFFFFF, "b": number % 2 == 1, "a": [raw, text]}
    if answer == "full":
        assert room < len(cbor2.dumps(right)) + 2  # two more, as its lengths are not told ahead
    else:
        assert cbor2.loads(bytes.fromhex(answer)) == right


@given(st.integers(-(2**24) + 1, 2**24 - 1))
def test_temperatures_become_floats(piece: Callable[[str], Piece], celsius_64ths: int) -> None:
    sample = _piece(piece, "temperature")(struct.pack("<i", celsius_64ths))
    assert bytes.fromhex(sample) == np.float32(celsius_64ths / 64).tobytes()


ELEMENTS = {0: "u1", 1: "i1", 2: "u2", 3: "i2", 4: "u4", 5: "i4", 8: "f4"}


@given(element=st.sampled_from(sorted(ELEMENTS)), value=st.binary(min_size=4, max_size=4), data=st.data())
def test_a_pin_follows_a_threshold(
    piece: Callable[[str], Piece], element: int, value: bytes, data: st.DataObject
) -> None:
    kind = np.dtype("<" + ELEMENTS[element])
    first = np.frombuffer(value[: kind.itemsize], kind)[0]
    wide = np.dtype("<f4" if element == 8 else "<i4" if kind.kind == "i" else "<u4")
    near = data.draw(st.sampled_from([first.astype(wide).tobytes(), np.zeros((), wide).tobytes(), value]))
    threshold = np.frombuffer(near, wide)[0]
    high = _piece(piece, "above")(struct.pack("<B", element) + near + value)
    assert high == str(int(bool(first.astype(wide) >= threshold)))


@pytest.mark.parametrize(
    ("label", "text", "high"),
    [
        (b"yes\0", b"yes", 1),
        (b"yes\0", b"yes\0\0", 1),
        (b"yes\0", b"ye", 0),
        (b"yes\0", b"yesterday", 0),
        (b"yes\0", b"no", 0),
        (b"\0", b"", 1),
        (b"yes", b"yes", 0),  # a label that has no end
    ],
)
def test_a_pin_follows_a_label(piece: Callable[[str], Piece], label: bytes, text: bytes, high: int) -> None:
    assert _piece(piece, "label")(bytes([len(label)]) + label + text) == str(high)
