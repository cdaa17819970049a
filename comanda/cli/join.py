"""`comanda join`: sit down at a table from the terminal."""

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import httpx
import trio
import typer
from rich.console import Console

from comanda.actors.domain.messages import MAX_NAME_CHARACTERS
from comanda.client import (
    ApiError,
    CartStore,
    ClientError,
    CommandRefused,
    CouldNotConnect,
    MenuAnswer,
    TableClosed,
    TableConnection,
    open_table,
)

from .failing import first_of, give_up
from .join_lines import InputLines
from .join_screen import Screen
from .join_words import (
    HELP,
    Typed,
    Unclear,
    find_line,
    menu_lines,
    read_add,
    read_change,
    read_note,
    read_typed,
)
from .options import PinOption
from .phone import clean

DEFAULT_SERVER = "http://127.0.0.1:8080"

OUTCOME_SECONDS = 300.0
"""A script waits so long for an order's outcome: its retries, and a lock limit of a minute each."""

CTRL_C = 130


def join(
    table_code: Annotated[
        str, typer.Argument(metavar="TABLE_CODE", help="What the table's QR code carries: demo-1.")
    ],
    name: Annotated[str, typer.Option(help="How the others at the table see you.")],
    pin: PinOption = None,
    server: Annotated[
        str, typer.Option(help="The server's address.", envvar="COMANDA_SERVER")
    ] = DEFAULT_SERVER,
) -> None:
    """Sit down at a table: the live cart, and one letter for all that a guest does.

    Start a server with [bold]comanda serve[/bold], then in two terminals
    [bold]comanda join demo-1 --name Ana[/bold] and [bold]comanda join demo-1 --name Ben[/bold].
    [bold]m[/bold] shows the menu, [bold]a 456 2[/bold] adds two of item 456, [bold]o[/bold] orders,
    [bold]h[/bold] shows all commands.

    In a pipe every command is finished before the next is read, and
    [bold]o[/bold] waits for the outcome:
    [bold]printf 'a 456 2\\no\\n' | comanda join demo-1 --name Ana[/bold]

    Exit code 0 at the end of the input or after [bold]q[/bold]; 2 where there is no such
    server or table, the table is closed, or it asks for another PIN.
    """
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        give_up(f"--name must be 1 to {MAX_NAME_CHARACTERS} characters")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a narrow encoding
    raise typer.Exit(trio.run(_join, table_code, name, pin, server.rstrip("/")))


async def _join(table_code: str, name: str, pin: str | None, server: str) -> int:
    interrupted = False
    trouble: str | None = None
    async with trio.open_nursery() as nursery:

        async def until_signal(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            nonlocal interrupted
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    interrupted = True
                    nursery.cancel_scope.cancel()

        await nursery.start(until_signal)
        try:
            async with open_table(server, table_code, name, pin=pin) as table:
                await _sit(table, name)
        except* (ClientError, httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as group:
            trouble = _sentence(first_of(group), table_code, server)
        nursery.cancel_scope.cancel()
    if trouble is not None:
        give_up(trouble)
    return CTRL_C if interrupted else 0


def _sentence(error: BaseException, table_code: str, server: str) -> str:
    match error:
        case ApiError(code="not_found"):
            return f"There is no table “{clean(table_code)}” at {server}"
        case ApiError(code="pin_required"):
            return f"{clean(error.message)}, and give it with --pin"
        case ApiError() | CommandRefused():
            return clean(error.message)
        case TableClosed():
            return f"The table is closed: {clean(error.reason) or 'the party has left'}"
        case httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return f"“{clean(server)}” is no web address; one looks like {DEFAULT_SERVER}"
        case httpx.HTTPError() | CouldNotConnect() | trio.TooSlowError():
            return (
                f"No Comanda server answers at {clean(server)}; start one with `comanda serve`, "
                "or name another with --server"
            )
        case _:
            return clean(str(error))


async def _sit(table: TableConnection, name: str) -> None:
    """Show the table and do what is typed, until `q`, the end of the input or of the table.

    Raises:
        TableClosed: the table has ended.
    """
    console = Console(highlight=False)
    screen = Screen(console, table, name)
    with table.events() as happenings:
        snapshot = await table.fetch_snapshot()
        where = table.restaurant
        at = "" if where is None else f", {clean(where.name)}"
        label = "" if table.table is None else f" at table {clean(table.table.label)}"
        screen.say(f"You sit{label}{at}. h shows the commands, m the menu.", "bold")
        if snapshot.join_pin is not None:
            screen.say(f"PIN {clean(snapshot.join_pin)}: tell it to who sits with you.", "bold")
        screen.begin(snapshot)
        async with trio.open_nursery() as nursery:

            async def until_the_end() -> None:
                await screen.follow(happenings)
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_the_end)
            if console.is_terminal:
                nursery.start_soon(screen.count_down)
            await _Guest(table, screen).run(InputLines(sys.stdin.fileno()))
            nursery.cancel_scope.cancel()
    if table.ended is not None:
        raise table.ended


class _Guest:
    """Does what is typed, one command after the other."""

    def __init__(self, table: TableConnection, screen: Screen) -> None:
        self._table = table
        self._screen = screen
        self._waits_for_outcomes = not sys.stdin.isatty()
        self._does: dict[str, Callable[[str], Awaitable[None]]] = {
            "a": self._add,
            "c": self._change,
            "n": self._note,
            "r": self._remove,
            "o": self._order,
            "t": self._try_again,
            "s": self._show,
            "m": self._menu,
            "w": self._who,
            "h": self._help,
        }

    async def run(self, lines: InputLines) -> None:
        """Until `q` or the end of the input."""
        while True:
            self._screen.prompt()
            line = await lines.next()
            self._screen.line_was_read()
            if line is None:
                return
            try:
                typed = read_typed(line)
                if typed is None:
                    self._enter()
                elif typed.letter == "q":
                    return
                else:
                    await self._do(typed)
            except Unclear as unclear:
                self._screen.say(str(unclear), "yellow")

    async def _do(self, typed: Typed) -> None:
        """One command, to its end; what the server refuses is told."""
        try:
            await self._does[typed.letter](typed.rest)
        except TableClosed:
            raise
        except CommandRefused as refused:
            self._screen.say(clean(refused.message), "red")
        except ApiError as error:
            self._screen.say(clean(error.message), "red")
        except ClientError as error:
            self._screen.say(clean(str(error)).capitalize(), "red")
        except (httpx.HTTPError, trio.TooSlowError):
            self._screen.say("The server does not answer. Try again.", "red")
        await self._screen.caught_up_with(self._table.store.seq or 0)

    def _enter(self) -> None:
        """Enter alone: the tap that stops the automatic retry, or that reconnects at once."""
        if not self._table.connected:
            self._table.reconnect_now()
        elif not self._waits_for_outcomes:
            self._table.cancel_retry()

    async def _add(self, rest: str) -> None:
        wish = read_add(rest, await self._table.fetch_menu())
        await self._table.add_to_cart(wish.item.menu_item_id, wish.qty, wish.note)

    async def _change(self, rest: str) -> None:
        line, qty = read_change(rest, self._screen.lines)
        await self._table.update_cart_item(line.public_id, qty=qty)

    async def _note(self, rest: str) -> None:
        line, note = read_note(rest, self._screen.lines)
        await self._table.update_cart_item(line.public_id, note=note)

    async def _remove(self, rest: str) -> None:
        line = find_line(rest.strip(), self._screen.lines)
        await self._table.remove_from_cart(line.public_id)

    async def _order(self, rest: str) -> None:
        await self._table.place_order(rest.strip())
        await self._outcome()

    async def _try_again(self, _rest: str) -> None:
        store = self._table.store
        if store.cart_locked or store.in_doubt:
            await self._table.resolve_now()
            await self._outcome()
        elif store.last_order is not None and store.order_processing_status == "failed":
            await self._table.place_order(store.last_order.special_instructions)
            await self._outcome()
        else:
            self._screen.say("No order is on its way, and none has failed.", "yellow")

    async def _outcome(self) -> None:
        """For a script: wait until nothing more happens to the order by itself."""
        if not self._waits_for_outcomes:
            return

        def settled(store: CartStore) -> bool:
            return not store.cart_locked and self._table.retry_plan is None

        try:
            await self._table.wait_for(settled, OUTCOME_SECONDS)
        except trio.TooSlowError:
            self._screen.say(f"There is no outcome after {OUTCOME_SECONDS:.0f} s.", "red")

    async def _show(self, _rest: str) -> None:
        self._screen.show_cart()

    async def _menu(self, _rest: str) -> None:
        menu: MenuAnswer = await self._table.fetch_menu()
        restaurant = self._table.restaurant
        digits = 2 if restaurant is None else restaurant.minor_digits
        self._screen.say("\n".join(menu_lines(menu, digits)))

    async def _who(self, _rest: str) -> None:
        for member in self._table.store.members:
            you = " (you)" if member.member_id == self._table.member_id else ""
            away = "" if member.online else ", not connected"
            self._screen.say(f"  {clean(member.name)}{you}{away}")
        if self._table.store.join_pin is not None:
            self._screen.say(f"  PIN {clean(self._table.store.join_pin)} for who sits with you")

    async def _help(self, _rest: str) -> None:
        self._screen.say(HELP)
