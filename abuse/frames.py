"""A client's websocket frames, right and wrong, and a server's taken apart."""

import base64
import random
from collections.abc import Iterator
from typing import Final

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
FINAL: Final = 0x80

_SERVERS = frozenset(FINAL | opcode for opcode in (TEXT, CLOSE, PING, PONG))
"""First bytes that a server may send: whole texts and control frames, no reserved bits."""


class NoFrame(Exception):
    """What the server has sent is no frame that it may send; the text shows it."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    first: int | None = None,
    mask: bytes | None = b"\x00\x00\x00\x00",
    announced: int | None = None,
    wide: int = 0,
) -> bytes:
    """One frame of a client.

    Args:
        first: the whole first byte, where it is not `FINAL` and the opcode.
        mask: four bytes, which cost nothing where they are zero; None for none.
        announced: the length that is written, where it is not the payload's.
        wide: write the length in 2 or 8 bytes though fewer would do.
    """
    size = len(payload) if announced is None else announced
    masked = 0 if mask is None else 0x80
    head = bytes([FINAL | opcode if first is None else first])
    if size < 126 and not wide:
        head += bytes([masked | size])
    elif size < 65536 and wide != 8:
        head += bytes([masked | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([masked | 127]) + size.to_bytes(8, "big")
    if mask is None:
        return head + payload
    if any(mask):
        repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
        mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
        payload = mixed.to_bytes(len(payload), "big")
    return head + mask + payload


def text(payload: bytes, chance: random.Random | None = None) -> bytes:
    """A whole text frame, masked by chance or with zeros."""
    mask = b"\x00\x00\x00\x00" if chance is None else chance.randbytes(4)
    return frame(TEXT, payload, mask=mask)


def close(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


def handshake(path: str, chance: random.Random, *more: str) -> bytes:
    """The upgrade request for a websocket, with further header lines."""
    key = base64.b64encode(chance.randbytes(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


def take_frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """The whole frames of a server at the beginning of `buffer`, which are taken out of it.

    Raises:
        NoFrame: it begins with none.
    """
    at = 0
    try:
        while len(buffer) - at >= 2:
            first, size = buffer[at], buffer[at + 1]
            start = at + 2
            if first not in _SERVERS or size > 127:
                raise NoFrame(f"{bytes(buffer[at : at + 20])!r}")
            if size == 126:
                start += 2
                size = int.from_bytes(buffer[at + 2 : start], "big")
            elif size == 127:
                start += 8
                size = int.from_bytes(buffer[at + 2 : start], "big")
            if len(buffer) < start + size:
                return
            at = start + size
            yield first & 0x0F, bytes(buffer[start:at])
    finally:
        del buffer[:at]
