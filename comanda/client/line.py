"""A stream that can be cut, and that tells when it has ended and when it was last heard."""

import contextlib
import socket
import struct

import trio

_ABORT_AT_CLOSE = struct.pack("ii", 1, 0)


class Line(trio.abc.Stream):
    """Wraps a stream. `ended` is set once nothing can come any more, from whichever side."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._cut = trio.CancelScope()
        self._hanging_up: trio.CancelScope | None = None
        self.ended = trio.Event()
        self.last_heard = trio.current_time()

    def cut(self) -> None:
        """Break the connection without goodbye: the other side sees a reset, ours a broken stream."""
        if isinstance(self._stream, trio.SocketStream):
            with contextlib.suppress(OSError):  # closed already
                self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT_AT_CLOSE)
        self._cut.cancel()
        self.ended.set()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """As the wrapped stream's; after `cut` a `BrokenResourceError`. One reader at a time, ever."""
        data: bytes | bytearray = b""
        try:
            if not self._cut.cancel_called:
                with self._cut:
                    data = await self._stream.receive_some(max_bytes)
        except BaseException:
            self.ended.set()
            raise
        if self._cut.cancel_called:
            raise trio.BrokenResourceError("the connection was cut")
        self._cut = trio.CancelScope()  # a scope serves once
        self.last_heard = trio.current_time()
        if not data:
            self.ended.set()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As the wrapped stream's; after `cut` a `BrokenResourceError`."""
        if self._cut.cancel_called:
            raise trio.BrokenResourceError("the connection was cut")
        await self._stream.send_all(data)
        if self._hanging_up is not None:
            self._hanging_up.cancel()

    def hang_up_after_sending(self, scope: trio.CancelScope) -> None:
        """Cancel `scope` once the next bytes are sent: nobody waits for an answer to them."""
        self._hanging_up = scope

    async def wait_send_all_might_not_block(self) -> None:
        """As the wrapped stream's."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the wrapped stream, without goodbye after a `cut`."""
        self.ended.set()
        if self._cut.cancel_called:
            await trio.aclose_forcefully(self._stream)
        else:
            await self._stream.aclose()
