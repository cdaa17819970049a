"""A member of a table: one websocket at a time, and one command in flight."""

import asyncio
from collections.abc import Callable
from time import monotonic

from picows import (
    WSError,
    WSFrame,
    WSHandshakeError,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from .dialect import Asked, Dialect, Refused, Seat, SeatRefused
from .table import Command, Table
from .tally import Tally

CONNECT_SECONDS = 30.0
"""For one handshake, and for the snapshot after it. A server that starts a street at once is slow."""

BACKOFF_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between tries of a server that does not answer or take a connection; then it is given up."""

LONGEST_WAIT_SECONDS = 30.0
"""Of a server's Retry-After: more is not waited for at once."""

READ_BUFFER_BYTES = 2048
"""Of a connection, to begin with: picows takes 16 KiB, which ten thousand members do not need."""


class _Line(WSListener):
    """One websocket of a member. What an older one still brings is not heard."""

    def __init__(self, member: "Member") -> None:
        self.member = member
        self.transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        member = self.member
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                member.closed_with(int(frame.get_close_code().value))
                transport.disconnect()
            return
        if member.line is not self:
            return
        try:
            member.table.hear(member, frame.get_payload_as_bytes(), monotonic())
        except Exception as error:
            member.crash(error)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.member.lost(self)


class Member:
    """One of a table. `seq` is the newest event they were told; -1 before the first."""

    def __init__(
        self,
        table: Table,
        number: int,
        dialect: Dialect,
        tally: Callable[[], Tally],
        crash: Callable[[Exception], None],
        asks_for_acks: bool,
    ) -> None:
        self.table = table
        self.number = number
        self.who = f"member {number + 1}"
        self.asks_for_acks = asks_for_acks
        self.crash = crash
        self.name = ""
        self.seat: Seat | None = None
        self.seq = -1
        self.seated = False
        self.line: _Line | None = None
        self.command: Command | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.gone = asyncio.Event()
        self._arrived = asyncio.Event()
        self._dialect = dialect
        self._tally = tally
        self._asked = 0
        self._leaving = False

    # --- Coming and going ---------------------------------------------------------------------

    async def sit_down(self) -> bool:
        """Take a seat and connect. False: the server would not."""
        self.seat = await self._take_seat()
        if self.seat is None:
            return False
        self.name = self.seat.member
        self.table.name(self, self.name)
        return await self.connect()

    async def _take_seat(self) -> Seat | None:
        """Ask again as long as the server says "not now", and some times where it does not answer."""
        silent = 0
        while not self._leaving and silent < len(BACKOFF_SECONDS):
            try:
                return await self._dialect.seat(self.table.number, self.number)
            except SeatRefused as error:
                self._tally().fail(f"join {error.code}")
                if not error.again:
                    return None
                wait = min(max(error.retry_after, BACKOFF_SECONDS[0]), LONGEST_WAIT_SECONDS)
            except OSError as error:
                self._tally().fail(f"join {type(error).__name__}")
                wait = BACKOFF_SECONDS[silent]
                silent += 1
            await asyncio.sleep(wait)
        return None

    async def connect(self) -> bool:
        """Open the websocket and wait until seated. False: it would not be, again and again."""
        for wait in (*BACKOFF_SECONDS, None):
            if await self._connect_once():
                return True
            if wait is None or self._leaving:
                break
            await asyncio.sleep(wait)
        return False

    async def _connect_once(self) -> bool:
        assert self.seat is not None
        line = _Line(self)
        self.line = line
        self._arrived.clear()
        self.gone.clear()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, _ = await ws_connect(
                    lambda: line,
                    self.seat.url,
                    websocket_handshake_timeout=CONNECT_SECONDS,
                    read_buffer_init_size=READ_BUFFER_BYTES,
                )
                if self.seat.hello is not None:
                    transport.send(WSMsgType.TEXT, self.seat.hello)
                if not self.seat.greeted:
                    self.table.sit_unseen(self)
                await self._arrived.wait()
        except (OSError, WSError, TimeoutError) as error:
            self._tally().fail(f"connect {_in_words(error)}")
            self._cut(line)
            return False
        return self.seated  # else it was closed instead of greeted

    def sits(self) -> None:
        """The server has greeted: the member is seated, and asks once more for what was not answered."""
        self._arrived.set()
        command, line = self.command, self.line
        if command is not None and line is not None and line.transport is not None:
            line.transport.send(WSMsgType.TEXT, command.asked.frame)

    def lost(self, line: _Line) -> None:
        """A connection is over."""
        if self.line is not line:
            return
        self.line = None
        if self.seated and not self._leaving:
            self._tally().fail("connection lost")
        self.table.leave(self)
        if self.command is not None and self.command.request_id is None:
            self._end(self.command)  # its fate is not known, and cannot be asked for
        self.gone.set()
        self._arrived.set()

    def closed_with(self, code: int) -> None:
        """The server has closed the connection with a code."""
        if not self._leaving:
            self._tally().fail(f"close {code}")

    def leave(self, *, politely: bool) -> None:
        """End the connection: with a closing handshake, or cut."""
        line, self.line = self.line, None
        self.table.leave(self)
        if line is None or line.transport is None:
            return
        if politely:
            line.transport.send_close()
            line.transport.disconnect()
        else:
            line.transport.disconnect(graceful=False)

    def leave_for_good(self) -> None:
        """The run is over."""
        self._leaving = True
        self.leave(politely=True)

    def _cut(self, line: _Line) -> None:
        if self.line is line:
            self.line = None
        self.table.leave(self)
        if line.transport is not None:
            line.transport.disconnect(graceful=False)

    # --- Asking -------------------------------------------------------------------------------

    def next_request_id(self) -> str | None:
        """The id of the next command; None where nobody asks for acks."""
        if not self.asks_for_acks:
            return None
        self._asked += 1
        return f"{self.table.number}-{self.number}-{self._asked}"

    def ask(self, asked: Asked, request_id: str | None, began: float) -> Command:
        """Send a command, which is counted from `began` on. There must be none in flight."""
        assert self.command is None
        self.command = Command(self, asked, request_id, began)
        self.free.clear()
        line = self.line
        if line is not None and line.transport is not None and self.seated:
            line.transport.send(WSMsgType.TEXT, asked.frame)
        return self.command

    def echoed(self, command: Command, now: float) -> None:
        """The sender has heard of their own command."""
        if command.asked.kind == "edit":
            self._tally().edits += 1
            self._tally().record("own_echo", now - command.began)
        else:
            self._tally().orders += 1
            self._tally().record("locked", now - command.began)
        if command.done:
            self._end(command)

    def all_heard(self, command: Command, now: float) -> None:
        """Every seated member has heard of an edit."""
        self._tally().record("last_member", now - command.began)
        if command.done:
            self._end(command)

    def answered(self, command: Command) -> None:
        """The command was acknowledged; its event may be told yet."""
        if command.seq is not None or command.acked is not None:
            self._end(command)

    def refused(self, heard: Refused) -> None:
        """The command in flight was refused."""
        command = self.command
        if command is None or (heard.request_id or None) != command.request_id:
            return
        self._end(command)
        self.table.on_refused(command)

    def _end(self, command: Command) -> None:
        if self.command is command:
            self.command = None
            self.free.set()


def _in_words(error: Exception) -> str:
    """The status with which a handshake was refused, else what went wrong."""
    if isinstance(error, WSHandshakeError) and error.response is not None:
        return f"status {int(error.response.status)}"
    return type(error).__name__
