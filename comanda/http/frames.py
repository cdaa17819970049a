"""Websocket frames: whole ones built for members, and messages read from a peer within bounds.

Pure: bytes in, bytes and events out. A server's frames are not masked, so one serves every member.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wsproto.frame_protocol import FrameDecoder, Opcode, ParseFailed

_FINAL = 0x80
_FINAL_TEXT = _FINAL | Opcode.TEXT
_MASKED = 0x80
_SHORT_HEAD = 6  # Two bytes and the mask; then up to 125 bytes.
_LONG_HEAD = 8
MAX_REASON_BYTES = 123  # A control frame holds 125 bytes, two are the code.
NO_CODE = 1005
# What RFC 6455 section 7.4 and its registry let a peer put into a close frame.
PEER_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


def text_frame(payload: bytes) -> bytes:
    """The whole, unmasked text frame of a UTF-8 payload: built once, sent to any number."""
    return frame_of(Opcode.TEXT, payload)


def frame_of(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 65_536:
        return bytes((_FINAL | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big") + payload


def binary_frame(payload: bytes) -> bytes:
    """The whole, unmasked binary frame. Comanda sends none; an ASGI application may."""
    return frame_of(Opcode.BINARY, payload)


PING_FRAME = frame_of(Opcode.PING, b"")

_MISPLACED = "a fragment without its message, or a message within another"


class Violation(Exception):
    """The peer broke the protocol or a limit; `code` is the close code it gets for it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class PingReceived:
    payload: bytes


@dataclass(frozen=True)
class CloseReceived:
    code: int  # 1005 where the frame has none


class Part:
    """A frame that says nothing yet, or nothing at all: part of a message, or a pong."""


_PART = Part()


class FrameReader:
    """Whole text messages out of a peer's bytes, counted as bytes before anything is decoded.

    It holds at most one message of `message_bytes` and the bytes fed since the last event. A text that
    came whole in one frame and one read, as nearly all do, is taken out here; everything else goes
    through wsproto's decoder, until that has nothing left.
    """

    def __init__(self, message_bytes: int) -> None:
        self._limit = message_bytes
        self._decoder = FrameDecoder(client=False)
        self._message: bytearray | None = None
        self._plain = b""  # What was fed last, while the decoder is empty; looked at up to `_at`.
        self._at = 0

    def feed(self, data: bytes) -> None:
        if self._plain or self._decoder_is_empty():
            self._plain = self._plain[self._at :] + data
            self._at = 0
        else:
            self._decoder.receive_bytes(data)

    def next_event(self) -> str | PingReceived | CloseReceived | None:
        """The next text message, ping or close; None when more bytes are needed.

        Looks at as many frames as were fed. Raises `Violation` as `next_frame` does.
        """
        while isinstance(event := self.next_frame(), Part):
            pass
        return event

    def next_frame(self) -> str | PingReceived | CloseReceived | Part | None:
        """What the next frame says; None when more bytes are needed.

        It is one frame's work, however many were fed: one read may hold ten thousand empty ones. Raises
        `Violation`: 1002, 1003, 1007 or 1009. Nothing may be read after it.
        """
        if self._at < len(self._plain):
            text = self._take_plain()
            if text is not None:
                return text
            self._decoder.receive_bytes(self._plain[self._at :])
            self._plain, self._at = b"", 0
        elif self._plain:
            return None
        try:
            frame = self._decoder.process_buffer()
        except ParseFailed as error:
            raise Violation(int(error.code), str(error)) from None
        if frame is None:
            self._judge_announced()
            return None
        # wsproto's frame of a server-side decoder always has bytes, its type says more.
        payload: Any = frame.payload
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONTINUATION:
            whole = frame.frame_finished and frame.message_finished
            return self._take(frame.opcode, payload, whole)
        if frame.opcode is Opcode.PING:
            return PingReceived(payload)
        if frame.opcode is Opcode.CLOSE:
            return _close_received(payload)
        if frame.opcode is Opcode.BINARY:
            raise Violation(1003, "text frames only")
        return _PART

    def _decoder_is_empty(self) -> bool:
        decoder = self._decoder
        return self._message is None and decoder.header is None and not len(decoder.buffer)

    def _take_plain(self) -> str | None:
        """The next text, if all of it is here in one good frame of at most 65,535 bytes."""
        data, at = self._plain, self._at
        left = len(data) - at
        if left < _SHORT_HEAD or data[at] != _FINAL_TEXT or data[at + 1] < _MASKED:
            return None
        size = data[at + 1] - _MASKED
        start = at + _SHORT_HEAD
        if size >= 126:
            if size == 127 or left < _LONG_HEAD:
                return None
            size = int.from_bytes(data[at + 2 : at + 4], "big")
            start = at + _LONG_HEAD
            if size < 126:  # Not its shortest form: a violation, for the decoder to name.
                return None
        end = start + size
        if end > len(data) or size > self._limit:
            return None
        key = int.from_bytes(data[start - 4 : start] * (size // 4 + 1), "little")
        masked = int.from_bytes(data[start:end], "little")
        bits = (1 << size * 8) - 1
        self._at = end
        return _decoded((masked ^ key & bits).to_bytes(size, "little"))

    def _take(self, opcode: Opcode, payload: bytes, whole: bool) -> str | Part:
        if (opcode is Opcode.CONTINUATION) is (self._message is None):
            raise Violation(1002, _MISPLACED)
        if len(payload) + len(self._message or b"") > self._limit:
            raise Violation(1009, f"a message is at most {self._limit} bytes")
        if self._message is None:
            if whole:
                return _decoded(payload)
            self._message = bytearray()
        self._message += payload  # In place: a message may come in as many parts as it has bytes.
        if not whole:
            return _PART
        message, self._message = self._message, None
        return _decoded(message)

    def _judge_announced(self) -> None:
        """Refuse a frame for what its header announces, before its payload has come."""
        header = self._decoder.header
        if header is None or header.opcode.iscontrol():
            return
        if header.opcode is Opcode.BINARY:
            raise Violation(1003, "text frames only")
        consumed = self._decoder.payload_consumed
        if not consumed and (header.opcode is Opcode.CONTINUATION) is (self._message is None):
            raise Violation(1002, _MISPLACED)
        missing = header.payload_len - consumed
        if missing + len(self._message or b"") > self._limit:
            raise Violation(1009, f"a message is at most {self._limit} bytes")


def _decoded(payload: bytes | bytearray) -> str:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Violation(1007, "the text is not UTF-8") from None


def _close_received(payload: bytes) -> CloseReceived:
    if not payload:
        return CloseReceived(NO_CODE)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in PEER_CODES or 3000 <= code <= 4999):
        raise Violation(1002, "a close frame without a valid code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(1007, "the close reason is not UTF-8") from None
    return CloseReceived(code)
