"""`comanda top`: what a server does at this moment."""

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated

import httpx
import trio
import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from comanda.client import ApiError, StaffClient
from comanda.client.surroundings import http_transport

from .failing import first_of, give_up
from .phone import clean
from .staff import DEFAULT_SERVER, Server, StaffTokenFile, read_staff_token
from .top_figures import Samples, figures_between, read_samples
from .top_screen import OpenTable, Picture, by_urgency, drawn, plain

REFRESH_SECONDS = 2.0
"""Between two pictures: slow enough to be read, and no load on the server."""

FIRST_SECONDS = 1.0
"""From the first reading to the first picture: rates need two."""

ANSWER_SECONDS = 5.0
"""A server that has not answered by then does not answer."""

RESTAURANTS_MOST = 8
"""Restaurants whose tables are asked for at a time, unless one is chosen."""

_LOST = (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError, ApiError, ValueError)


def top(
    server: Server = DEFAULT_SERVER,
    restaurant: Annotated[
        int | None,
        typer.Option(
            help="Show the tables of this restaurant alone, by its id.",
            min=0,
            show_default=f"all, the first {RESTAURANTS_MOST}",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show one picture, of one second, and end.")
    ] = False,
    staff_token_file: StaffTokenFile = None,
) -> None:
    """Show what a server does now: rates, latencies, slow spots, and the tables that are open.

    All but the tables is read from the server's /metrics every 2 seconds; the tables need the staff's
    token ([bold]COMANDA_STAFF_TOKEN[/bold] or --staff-token-file). Figures are of the time between two
    readings. Lines that begin with ! name what is slow: a command over 0.25 s at p99, a POS over 5 s,
    storage that is busy 80 % of the time, 32 commands waiting for one table, and all that failed.

    q or Ctrl-C ends it. Where the output is no terminal each picture is plain lines. Exits with 2 where
    no Comanda server answers.
    """
    token = read_staff_token(staff_token_file)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a narrow encoding
    watch = _Watch(server.rstrip("/"), token, restaurant)
    try:
        trio.run(_once if once else _follow, watch)
    except KeyboardInterrupt:
        return
    except (*_LOST, BaseExceptionGroup) as error:
        first = first_of(error)
        if isinstance(first, KeyboardInterrupt):
            return
        if not isinstance(first, _LOST):
            raise
        give_up(f"{clean(server)}: {_why(first)}")


def _why(error: BaseException) -> str:
    """Why nothing was read, for a person."""
    if isinstance(error, ApiError):
        return f"the staff's token: {clean(error.message)}"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return f"this is no web address; one looks like {DEFAULT_SERVER}"
    if isinstance(error, httpx.HTTPError | trio.TooSlowError):
        return "no Comanda server answers here; name it with --server"
    return clean(str(error))


class _Watch:
    """Reads a server again and again. `open` it first; `look` then gives a picture."""

    def __init__(self, server: str, token: str | None, restaurant: int | None) -> None:
        self.server = server
        self._token = token
        self._restaurant = restaurant
        self._last: tuple[float, Samples] | None = None

    async def open(self, stack: AsyncExitStack) -> None:
        """Connect and take the first reading. Raises what `look` raises."""
        http = httpx.AsyncClient(transport=http_transport(), trust_env=False, timeout=None)
        self._http = await stack.enter_async_context(http)
        self._staff: StaffClient | None = None
        if self._token is not None:
            self._staff = await stack.enter_async_context(StaffClient(self.server, self._token))
        self._last = await self._read()

    async def look(self) -> Picture:
        """What happened since the last look. Raises one of `_LOST`: the next look may succeed."""
        assert self._last is not None
        before, now = self._last, await self._read()
        self._last = now
        figures = figures_between(before[1], now[1], now[0] - before[0])
        tables, remark = await self._tables()
        return Picture(self.server, datetime.now(UTC), figures, tables, remark)

    async def _read(self) -> tuple[float, Samples]:
        with trio.fail_after(ANSWER_SECONDS):
            answer = await self._http.get(f"{self.server}/metrics")
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"/metrics answers with {answer.status_code}")
        return trio.current_time(), read_samples(answer.text)

    async def _tables(self) -> tuple[tuple[OpenTable, ...] | None, str]:
        if self._staff is None:
            return None, "The tables need the staff's token: COMANDA_STAFF_TOKEN"
        opened = await self._staff.list_restaurants()
        chosen = [one for one in opened if self._restaurant in (None, one.id)]
        if not chosen:
            raise ValueError(f"the staff's token opens no restaurant {self._restaurant}")
        tables = [
            OpenTable(table.label, one.name, one.currency, table.party)
            for one in chosen[:RESTAURANTS_MOST]
            for table in (await self._staff.list_tables(one.id)).tables
            if table.party is not None
        ]
        more = len(chosen) - RESTAURANTS_MOST
        remark = f"{more} more restaurants: choose one with --restaurant" if more > 0 else ""
        return by_urgency(tables), remark


async def _once(watch: _Watch) -> None:
    async with AsyncExitStack() as stack:
        await watch.open(stack)
        await trio.sleep(FIRST_SECONDS)
        _print(Console(highlight=False), await watch.look())


async def _follow(watch: _Watch) -> None:
    console = Console(highlight=False)
    async with AsyncExitStack() as stack:
        await watch.open(stack)
        if not console.is_terminal:
            await _follow_plainly(watch, console)
            return
        nursery = await stack.enter_async_context(trio.open_nursery())
        stack.enter_context(_keys_at_once())
        live = stack.enter_context(Live(console=console, screen=True, auto_refresh=False))
        nursery.start_soon(_until_quit, nursery.cancel_scope)
        pause = FIRST_SECONDS
        while True:
            await trio.sleep(pause)
            pause = REFRESH_SECONDS
            try:
                live.update(drawn(await watch.look(), console), refresh=True)
            except _LOST as error:
                sentence = f"{clean(watch.server)}: {_why(error)}"
                live.update(Text(sentence, "bold red"), refresh=True)


async def _follow_plainly(watch: _Watch, console: Console) -> None:
    while True:
        await trio.sleep(REFRESH_SECONDS)
        _print(console, await watch.look())
        sys.stdout.flush()


def _print(console: Console, picture: Picture) -> None:
    if console.is_terminal:
        console.print(drawn(picture, console))
        return
    for line in plain(picture):
        print(line)
    print()


@contextmanager
def _keys_at_once() -> Iterator[None]:
    """The terminal hands over each key as it is pressed, and shows none; as before afterwards."""
    if not sys.stdin.isatty():
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


async def _until_quit(scope: trio.CancelScope) -> None:
    """End all when `q` is pressed. Where nobody can press one, wait for ever."""
    if not sys.stdin.isatty():
        return
    file = sys.stdin.fileno()
    while True:
        await trio.lowlevel.wait_readable(file)
        keys = b""
        with suppress(BlockingIOError):
            keys = os.read(file, 64)
        if not keys or b"q" in keys.lower():
            scope.cancel()
            return
