"""A server of one table, in memory: the real rules over memory streams, and any trouble."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import httpx
import msgspec
import trio
import trio.testing
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream

from comanda.actors.domain.inputs import Admit, Admitted, ByMember, Decision, Input
from comanda.actors.domain.messages import (
    CartCommand,
    Error,
    Event,
    Join,
    Ping,
    PlaceOrder,
    Rejection,
    decode_command,
    encode,
)
from comanda.client import Surroundings

from ..actors.domain.helpers import ATable

URL = "http://comanda.test"


@dataclass
class Heard:
    """A command as it came in: on which connection (counted from 1), by whom."""

    connection: int
    member_id: str
    command: CartCommand


class FakeServer:
    """Serves one table. Its switches are plain attributes, to be set at any time.

    `reachable`: TCP connections are taken. `answers_http`: HTTP calls get answers. `listens`: commands are
    decided upon. `replies`: they are answered. `refuse_next`: the next command's refusal.
    `close_joins_with`: a close code for every `join`. `after_command` is called when one was decided.
    """

    def __init__(self, nursery: trio.Nursery, table: ATable | None = None) -> None:
        self.table = table or ATable("Ben")
        self.heard: list[Heard] = []
        self.http_calls: list[str] = []
        self.confirmed: list[object] = []
        self.connections = 0
        self.refused_connections = 0
        self.close_codes: list[int] = []
        self.ws_url = "ws://comanda.test"
        self.reachable = True
        self.answers_http = True
        self.listens = True
        self.replies = True
        self.accepts_joins = True
        self.hangs_up_handshakes = False
        self.http_takes_seconds = 0.0
        self.refuse_next: Rejection | None = None
        self.close_joins_with: int | None = None
        self.after_command: Callable[[CartCommand], None] = lambda _: None
        self.reject_handshakes_with: tuple[int, str] | None = None
        self._nursery = nursery
        self._open: dict[WebSocketConnection, trio.MemorySendChannel[object]] = {}
        self._streams: dict[WebSocketConnection, trio.abc.Stream] = {}
        self._ids = count(1)

    def surroundings(self) -> Surroundings:
        """What a client needs to find this server; no jitter, ids that count."""
        return Surroundings(
            chance=lambda: 0.5,
            new_id=lambda: f"request-{next(self._ids)}",
            open_stream=self._open_stream,
            http_transport=httpx.MockTransport(self.answer),
        )

    @property
    def commands(self) -> list[CartCommand]:
        """What the members have said, in order."""
        return [heard.command for heard in self.heard]

    def orders_placed(self) -> list[PlaceOrder]:
        """The `place_order`s among the commands."""
        return [command for command in self.commands if isinstance(command, PlaceOrder)]

    def hears(self, said: Input) -> Decision:
        """Something that must be accepted happens at the table; everybody hears its events."""
        decision = self.table.hears(said)
        self.tell_all(*decision.events)
        return decision

    def tell_all(self, *messages: object) -> None:
        """Send to every connection."""
        for channel in self._open.values():
            for message in messages:
                channel.send_nowait(message)

    def tells(self, *events: Event) -> None:
        """As `tell_all`, for what a step of the table gave."""
        self.tell_all(*events)

    def close_all(self, code: int, reason: str = "") -> None:
        """Close every websocket with this code."""
        for websocket in tuple(self._open):
            self._nursery.start_soon(websocket.aclose, code, reason)

    async def cut_all(self) -> None:
        """Break every connection without goodbye."""
        for stream in tuple(self._streams.values()):
            await trio.aclose_forcefully(stream)

    def freeze(self) -> None:
        """Neither read nor write any more, and keep the connections: a host that vanished."""
        for stream in self._streams.values():
            assert isinstance(stream, trio.StapledStream)
            stream.send_stream.send_all_hook = trio.sleep_forever
            stream.receive_stream.receive_some_hook = trio.sleep_forever

    # --- HTTP -------------------------------------------------------------------------------------

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """One HTTP call."""
        await trio.lowlevel.checkpoint()
        path = request.url.path
        self.http_calls.append(f"{request.method} {path}")
        if not self.answers_http:
            raise httpx.ConnectError("nobody there")
        if path.endswith("/join"):
            name = msgspec.json.decode(request.content)["name"]
            admitted = self.hears(Admit(name)).reply
            assert isinstance(admitted, Admitted)
            member_id = admitted.member_id
            return self._json(
                201,
                {
                    "session_pid": self.table.session.pid,
                    "member_id": member_id,
                    "member_token": f"token of {member_id}",
                    "ws_url": f"{self.ws_url}/ws/sessions/{self.table.session.pid}",
                    "restaurant": {"id": 7, "name": "Roma", "currency": "INR", "minor_digits": 2},
                    "table": {"code": "table-code", "label": "T12"},
                    "settings": {"order_timeout_seconds": 10, "a_newer_setting": True},
                    "a_newer_field": 1,
                },
            )
        if not request.headers.get("authorization", "").startswith("Bearer token of "):
            problem = {"title": "No", "status": 401, "code": "unauthorized", "detail": "No token"}
            return self._json(401, problem)
        if path.endswith("/cart"):
            snapshot = msgspec.json.decode(encode(self._snapshot()))
            del snapshot["type"]
            await trio.sleep(self.http_takes_seconds)  # on its way, it grows old
            return self._json(200, snapshot)
        if path.endswith("/orders"):
            return self._json(200, {"orders": list(self.confirmed), "next": None})
        return self._json(404, {"status": 404, "code": "not_found", "detail": "No such thing"})

    def _json(self, status: int, body: object) -> httpx.Response:
        return httpx.Response(
            status, content=encode(body), headers={"content-type": "application/json"}
        )

    def _snapshot(self) -> object:
        return self.table.session.snapshot(frozenset(self.table.session.members))

    # --- WebSocket --------------------------------------------------------------------------------

    async def _open_stream(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        assert (host, port, tls) == ("comanda.test", 80, False)
        if not self.reachable:
            self.refused_connections += 1
            raise OSError("connection refused")
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self.serve, ours)
        return theirs

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Talk to one websocket client; the handler of a TCP listener, too."""
        async with stream, trio.open_nursery() as nursery:
            if self.hangs_up_handshakes:
                await stream.receive_some()
                return
            request = await wrap_server_stream(nursery, stream)
            if self.reject_handshakes_with is not None:
                status, retry_after = self.reject_handshakes_with
                headers = [(b"Retry-After", retry_after.encode()), (b"Content-Length", b"0")]
                await request.reject(status, extra_headers=headers)
                nursery.cancel_scope.cancel()
                return
            websocket = await request.accept()
            self.connections += 1
            try:
                await self._talk(websocket, stream, self.connections, nursery)
            except ConnectionClosed as closed:
                self.close_codes.append(1006 if closed.reason is None else closed.reason.code)
            finally:
                channel = self._open.pop(websocket, None)
                if channel is not None:
                    channel.close()
                self._streams.pop(websocket, None)
            nursery.cancel_scope.cancel()

    async def _talk(
        self,
        websocket: WebSocketConnection,
        stream: trio.abc.Stream,
        number: int,
        nursery: trio.Nursery,
    ) -> None:
        join = decode_command(await websocket.get_message())
        assert isinstance(join, Join)
        member_id = join.token.removeprefix("token of ")
        if self.close_joins_with is not None:
            await websocket.aclose(self.close_joins_with, "as the test wants it")
            self.close_codes.append(self.close_joins_with)
            return
        if not self.accepts_joins:
            await trio.sleep_forever()
        send, receive = trio.open_memory_channel[object](1000)
        send.send_nowait(self._snapshot())
        self._open[websocket] = send
        self._streams[websocket] = stream
        nursery.start_soon(self._write, websocket, receive)
        while True:
            command = decode_command(await websocket.get_message())
            assert not isinstance(command, Join | Ping)
            self.heard.append(Heard(number, member_id, command))
            self._decide(member_id, command, send)

    async def _write(
        self, websocket: WebSocketConnection, channel: trio.MemoryReceiveChannel[object]
    ) -> None:
        try:
            async for message in channel:
                await websocket.send_message(encode(message).decode())
        except ConnectionClosed:
            return

    def _decide(
        self, member_id: str, command: CartCommand, sender: trio.MemorySendChannel[object]
    ) -> None:
        if not self.listens:
            return
        if self.refuse_next is not None:
            rejection, self.refuse_next = self.refuse_next, None
            sender.send_nowait(rejection.as_error(command.request_id))
            return
        outcome = self.table.decide(ByMember(member_id, command))
        reply: object
        if isinstance(outcome, Decision):
            reply = outcome.reply
            if reply is None:  # `resolve_now` is no change, and so is not remembered
                reply = {"type": "ack", "request_id": command.request_id, "seq": self.seq}
        else:
            reply = outcome.rejection.as_error(command.request_id)
        if self.replies or isinstance(reply, Error):
            sender.send_nowait(reply)
        if isinstance(outcome, Decision):
            self.tell_all(*outcome.events)
        self.after_command(command)

    @property
    def seq(self) -> int:
        """The session's."""
        return self.table.session.seq
