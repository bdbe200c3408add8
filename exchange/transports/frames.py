"""RFC 6455 frame headers, as far as the socket looks at them itself."""

from codecs import utf_8_decode
from struct import Struct

TEXT_FINAL = 0x81
PONG_FINAL = 0x8A
PING = b"\x89\x00"
MASKED = 0x80

_CONTROL = 0x08
_RESERVED = 0x70
_OPCODES = frozenset({0x0, 0x1, 0x2, 0x8, 0x9, 0xA})
_SHORT_BYTES = 125
_PIECE_BYTES = 64 * 1024

_HEADS = tuple(bytes((TEXT_FINAL, length)) for length in range(_SHORT_BYTES + 1))
_pack_16 = Struct("!BBH").pack
_pack_64 = Struct("!BBQ").pack


def text_frame(message: bytes) -> bytes:
    """Return the server's frame for a whole text message."""
    length = len(message)
    if length <= _SHORT_BYTES:
        return _HEADS[length] + message
    if length < 1 << 16:
        return _pack_16(TEXT_FINAL, 126, length) + message
    return _pack_64(TEXT_FINAL, 127, length) + message


def is_control(first: int) -> bool:
    """Tell whether a frame that begins with this byte is a ping, a pong or a close."""
    return bool(first & _CONTROL)


def flaw(first: int, second: int) -> str:
    """Return what is wrong with a client's frame that begins with these two bytes, or nothing (RFC 6455 5.1, 5.2, 5.5)."""
    if first & _RESERVED:
        return "reserved bits must be 0"
    if first & 0x0F not in _OPCODES:
        return "invalid opcode"
    if not second & MASKED:
        return "incorrect masking"
    if first & _CONTROL:
        if not first & 0x80:
            return "fragmented control frame"
        if second & 0x7F > _SHORT_BYTES:
            return "control frame too long"
    return ""


def extent(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return the bytes of the header and of the payload of the masked frame at ``at``, whose first two bytes are there.

    The payload's length is right only if the whole header is there.
    """
    length = data[at + 1] & 0x7F
    if length <= _SHORT_BYTES:
        return 6, length
    if length == 126:
        return 8, int.from_bytes(data[at + 2 : at + 4], "big")
    return 14, int.from_bytes(data[at + 2 : at + 10], "big")


def is_utf8(message: bytes) -> bool:
    """Tell whether a text message is what RFC 6455 8.1 demands."""
    if message.isascii():
        return True
    # In pieces: the text of a whole large message would take up to four times its bytes, and all of it is thrown away.
    rest = memoryview(message)
    try:
        while rest:
            _, taken_bytes = utf_8_decode(rest[:_PIECE_BYTES], "strict", len(rest) <= _PIECE_BYTES)
            rest = rest[taken_bytes:]
    except UnicodeDecodeError:
        return False
    return True
