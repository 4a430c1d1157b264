"""Intel HEX: bytes with their addresses, as programmers and debug probes take them."""

from __future__ import annotations

import io


def encode(data: bytes, address: int) -> bytes:
    """The file of bytes that lie at an address (Intel, "Hexadecimal Object File Format Specification")."""
    from intelhex import IntelHex

    image, text = IntelHex(), io.StringIO()
    image.puts(address, data)
    image.write_hex_file(text)
    return text.getvalue().encode("ascii")
