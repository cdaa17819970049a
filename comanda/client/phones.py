"""One member's phone in an example session: its connection, its network, and all that it has heard."""

import json
from collections.abc import Callable
from functools import partial
from typing import Literal
from urllib.parse import quote, urlsplit

import httpx
import trio

from comanda.actors.domain.messages import Ack, CartSnapshot, ClientSettings, Error, Pong, Told

from .connection import TableConnection, open_table, resume_table
from .facts import Happening
from .happenings import Happenings
from .link import Link, LinkEnd, run_link
from .settings import ClientLimits
from .surroundings import REAL, Surroundings, http_transport, open_tcp

ANSWER_SECONDS = 10.0
"""A frame that was sent is answered within this time, or not at all."""


class Network(httpx.AsyncBaseTransport):
    """A phone's way to the server, which can be taken away: wholly, or for websockets alone."""

    def __init__(self) -> None:
        self._http = http_transport()
        self.down: Literal["network", "websocket"] | None = None

    async def open_stream(self, host: str, port: int, tls: bool) -> trio.abc.Stream:
        """As a phone's system: a stream, or `OSError` while there is no network."""
        if self.down is not None:
            await trio.lowlevel.checkpoint()
            raise OSError("there is no network")
        return await open_tcp(host, port, tls)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on, or fail as where there is no network."""
        if self.down == "network":
            await trio.lowlevel.checkpoint()
            raise httpx.ConnectError("there is no network", request=request)
        return await self._http.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class Phone:
    """A member's phone. What it hears stands in `heard`, in order; `on_heard` is told at once.

    `next_sight` is the index of the first happening that no expectation has looked at yet, `since` and
    `since_seq` the end of what was there before the table was last changed by a step.
    """

    def __init__(
        self,
        name: str,
        server_url: str,
        table_code: str,
        on_heard: Callable[[str, Happening], None],
    ) -> None:
        self.name = name
        self.heard: list[Happening] = []
        self.next_sight = 0
        self.since = 0
        self.since_seq = 0
        self._server_url = server_url
        self._table_code = table_code
        self._on_heard = on_heard
        self._table: TableConnection | None = None
        self._network = Network()
        self._settings: ClientSettings | None = None
        self._leaving = trio.Event()
        self._left = trio.Event()
        self._news = trio.Event()

    @property
    def table(self) -> TableConnection:
        """The connection of now, or the last one."""
        assert self._table is not None, "the session file is checked: nobody acts before they join"
        return self._table

    @property
    def joined(self) -> bool:
        """Whether the member has ever sat down."""
        return self._table is not None

    # --- What a person does with it ---------------------------------------------------------------

    async def join(self, nursery: trio.Nursery, pin: str | None = None) -> None:
        """Sit down, saying the table's PIN where somebody knows it; the connection lives in `nursery` until
        `leave`. Errors as `open_table`'s."""
        await nursery.start(partial(self._sit, resume=False, pin=pin))

    async def leave(self) -> None:
        """Close the page, with a goodbye."""
        self._leaving.set()
        await self._left.wait()

    def cut(self, what: Literal["network", "websocket"]) -> None:
        """The connection breaks, and no new one comes before `come_back`."""
        self._network.down = what
        self.table.cut()

    async def come_back(self, nursery: trio.Nursery) -> None:
        """The network is there again; after `leave`, the page is opened again."""
        if self._left.is_set():
            self._network = Network()
            self._leaving, self._left = trio.Event(), trio.Event()
            await nursery.start(partial(self._sit, resume=True))
        self._network.down = None
        self.table.reconnect_now()
        await self.until_connected(True)

    async def until_connected(self, wanted: bool) -> None:
        """Wait until the websocket is there, or gone.

        Raises:
            trio.TooSlowError: not within `ANSWER_SECONDS`.
            TableClosed: the membership has ended.
        """
        await self.table.wait_for(lambda _: self.table.connected is wanted, ANSWER_SECONDS)

    async def send_frame(self, frame: str) -> Ack | Error | Pong | LinkEnd | None:
        """Send `frame` as it is over a connection of its own; the answer, None where none came."""
        parts = urlsplit(self._server_url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        path = f"{parts.path.rstrip('/')}/ws/sessions/{quote(self.table.session_pid, safe='')}"
        call = _Call()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(
                call.run, f"{scheme}://{parts.netloc}{path}", self.table.member_token
            )
            with trio.move_on_after(ANSWER_SECONDS):
                await call.ask(frame)
            nursery.cancel_scope.cancel()
        return call.answer

    # --- What it hears ----------------------------------------------------------------------------

    async def more(self) -> None:
        """Wait for the next happening."""
        await self._news.wait()

    async def _sit(
        self, *, resume: bool, pin: str | None = None, task_status: trio.TaskStatus[None]
    ) -> None:
        around = Surroundings(
            chance=REAL.chance,
            open_stream=self._network.open_stream,
            http_transport=self._network,
        )
        if resume:
            seat = resume_table(
                self._server_url,
                self.table.session_pid,
                self.table.member_id,
                self.table.member_token,
                settings=self._settings,
                surroundings=around,
            )
        else:
            seat = open_table(
                self._server_url, self._table_code, self.name, pin=pin, surroundings=around
            )
        try:
            async with seat as table, trio.open_nursery() as nursery:
                self._table, self._settings = table, table.settings
                nursery.start_soon(self._listen, table.events())
                task_status.started()
                await self._leaving.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._left.set()

    async def _listen(self, happenings: Happenings) -> None:
        with happenings:
            async for happening in happenings:
                self.heard.append(happening)
                self._on_heard(self.name, happening)
                self._news.set()
                self._news = trio.Event()


class _Call:
    """One frame and its answer."""

    def __init__(self) -> None:
        self.answer: Ack | Error | Pong | LinkEnd | None = None
        self._link: Link | None = None
        self._open = trio.Event()
        self._answered = trio.Event()

    async def run(self, url: str, token: str) -> None:
        end = await run_link(
            url,
            token,
            self,
            join_timeout_seconds=ANSWER_SECONDS,
            limits=ClientLimits(),
            surroundings=REAL,
        )
        self._finish(end)

    async def ask(self, frame: str) -> None:
        await self._open.wait()
        if self._link is not None:
            await self._link.send(frame)
        await self._answered.wait()

    def joined(self, link: Link, snapshot: CartSnapshot) -> None:
        self._link = link
        self._open.set()

    def told(self, link: Link, message: Told) -> None:
        if isinstance(message, Ack | Error | Pong):
            self._finish(message)

    def _finish(self, answer: Ack | Error | Pong | LinkEnd) -> None:
        if self.answer is None:
            self.answer = answer
        self._open.set()
        self._answered.set()


def filled_in(value: object, line_ids: dict[str, str]) -> object:
    """`value` with `{name}` in its texts replaced by the id of the line of that name."""
    if isinstance(value, str):
        for name, public_id in line_ids.items():
            value = value.replace("{" + name + "}", public_id)
        return value
    if isinstance(value, dict):
        return {key: filled_in(one, line_ids) for key, one in value.items()}
    return [filled_in(one, line_ids) for one in value] if isinstance(value, list) else value


def as_frame(message: object) -> str:
    """The JSON text of a frame."""
    return json.dumps(message, ensure_ascii=False)
