"""The C of an AVR image: the container's unit, and the header that tells the runtime of it."""

from __future__ import annotations

import re

from container import __version__
from container.abi import ABI_VERSION
from container.errors import CompileError
from devices.aot.translate import Translation
from devices.aot.unit import code, literal, presets, runtime_file
from devices.avr.loop import Loop, loop_of
from devices.board import Board

SMALL_RAM_BYTES = 4096
"""Boards with less have the small buffer."""
SMALL_LINK_BYTES = 96
LINK_BYTES = 240
"""The largest packet with its CRC; the runtime counts its bytes with eight bits."""
FRAME_BYTES = 2
"""A length counts as part of the buffer in SMP, though COBS has none."""
CONSTANTS = "constants.bin"
"""The file with the constants of the linear memory."""
CONSTANTS_UNIT = f"""\
.section .progmem.constants,"a",@progbits
.global rune_constants
rune_constants: .incbin "{CONSTANTS}"
"""
"""`constants.S`: for avr-gcc itself an array has at most 32,767 bytes."""
LPM_BYTES = 0xF000
"""Constants beyond these may lie where the short instruction for program memory does not reach."""


def check_floats(translation: Translation) -> None:
    """Refuse code with 64-bit floats, which avr-gcc's `double` of 32 bits is not.  Raises CompileError."""
    users = [
        translation.name_of(function.number)
        for function in translation.functions
        if re.search(r"\bf64\b|_[Ff]64\b", function.head + function.body)
    ]
    if users or any(value.type == "f64" for value in translation.module.globals):
        where = ", ".join(users[:3]) or "a global"
        raise CompileError(
            f"`{translation.manifest.name}` computes with 64-bit floats ({where}): avr-gcc has none",
            hint="use 32-bit floats or integers in the stages, or choose a board with another core",
        )


def link_bytes(board: Board) -> int:
    """Size of the runtime's buffer."""
    return SMALL_LINK_BYTES if board.ram.size < SMALL_RAM_BYTES else LINK_BYTES


def image_header(translation: Translation, board: Board) -> str:
    """`image.h`: what the runtime must know of this board and container."""
    loop = loop_of(translation.manifest, board)
    facts = ", ".join(map(str, _facts(translation, board, loop)))
    return f"""\
#ifndef RUNE_AVR_IMAGE_H
#define RUNE_AVR_IMAGE_H

#define LINK_BYTES {link_bytes(board)}
#define IMAGE_BUFFER_BYTES {link_bytes(board) + FRAME_BYTES}
#define BAUD {board.uart.baud}UL
#define MEMORY_BYTES {translation.module.memory_bytes}UL
#define MEMORY_RAM_START {len(translation.constants)}UL
#define MEMORY_PROGRESS {translation.plan.progress}UL
#define IMAGE_FACTS {facts}
{loop.header if loop else "#define IMAGE_LOOPS 0"}

#endif
"""


def _facts(translation: Translation, board: Board, loop: Loop | None) -> bytes:
    """The answer to the command facts, which the runtime has ready in flash."""
    import cbor2

    facts = {
        "board": board.name,
        "abi": ABI_VERSION,
        "agent": __version__,
        "serial": "",
        "mpu": board.cpu.mpu,
        "ram": [board.ram.container.start, board.ram.container.size],
        "slots": [[slot.start, slot.size] for slot in board.flash.slots],
        "hz": board.cpu.clock_hz,
        "buf": link_bytes(board) + FRAME_BYTES,
        "caps": list(loop.capabilities) if loop else [],
        "container": bytes.fromhex(translation.digest),
    }
    return bytes(cbor2.dumps(facts))


def container_unit(translation: Translation) -> str:
    """`container.c`: the functions, and the linear memory without its constants."""
    parts = [
        '#include <avr/io.h>\n#include <avr/pgmspace.h>\n#include "runtime.h"\n',
        "#define RUNE_TRAP(cause) runtime_trap(cause)\n",
        _stack_check() if translation.recursive else "#define FUNC_PROLOGUE ((void)0)\n",
        "#define FUNC_EPILOGUE ((void)0)\n",
        runtime_file("numerics.h"),
        _memory(translation),
        _preset_tables(translation),
        code(translation),
        _entries(translation),
    ]
    return "\n".join(parts)


def _memory(translation: Translation) -> str:
    """The linear memory: its constants in program memory, the rest in RAM."""
    module, constants = translation.module, translation.constants
    far = "#define RUNE_CONSTANTS_FAR\n" if len(constants) > LPM_BYTES else ""
    return f"""\
#define RUNE_MEMORY_BYTES {module.memory_bytes}ul
#define RUNE_MEMORY_PAGES {module.memory_bytes // module.page_bytes}ul
#define RUNE_CONSTANT_BYTES {len(constants)}ul
{far}extern const u8 rune_constants[]; /* constants.S */
uint8_t container_memory[{module.memory_bytes - len(constants)}];
#define rune_ram container_memory
#include "memory.h"
#define RUNE_HELPER RUNE_CALLED
#define RUNE_HOST_READ runtime_read
#define RUNE_HOST_WRITE runtime_write
"""


def _stack_check() -> str:
    """In each function, where calls may go to any depth: what is below the limit belongs to the runtime, to
    library functions and to the frame of the next function."""
    return """\
extern uint8_t stack_limit; /* its address; given to the linker */
#define FUNC_PROLOGUE \\
  do { \\
    if (SP < (uint16_t)&stack_limit) \\
      RUNE_TRAP(RUNE_CAUSE_STACK); \\
  } while (0)
"""


def _presets(translation: Translation) -> list[tuple[int, bytes]]:
    """What instantiating copies to `container_memory`, which is zero before: offsets, and bytes."""
    gap = len(translation.constants) - translation.ram_start
    found = [(offset - gap, data) for offset, data in presets(translation)]
    return [(max(0, at), data[max(0, -at) :]) for at, data in found if at + len(data) > 0]


def _preset_tables(translation: Translation) -> str:
    """They are read by the short instruction."""
    tables = enumerate(_presets(translation))
    return "\n".join(f"static const u8 preset_{n}[] PROGMEM = {{{_bytes(data)}}};" for n, (_, data) in tables)


def _entries(translation: Translation) -> str:
    """What the runtime calls."""
    copies = [
        f"  memcpy_P(container_memory + {offset}, preset_{number}, {len(data)});"
        for number, (offset, data) in enumerate(_presets(translation))
    ]
    copies += [f"  g{number} = {literal(value)};" for number, value in enumerate(translation.module.globals)]
    return "\n".join(
        [
            "void container_instantiate(void) {",
            "  memset(container_memory, 0, sizeof container_memory);",
            *copies,
            "}",
            "uint8_t container_byte(uint32_t address) { return rune_load8(address, 0); }",
            f"uint32_t container_run(void) {{ return fn{translation.module.exports['run']}(); }}",
            "",
        ]
    )


def _bytes(data: bytes) -> str:
    return ",".join(map(str, data)) or "0"
