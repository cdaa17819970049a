"""A member's connection to their table, as a front end uses it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import trio

from comanda.actors.domain.messages import (
    Ack,
    CartCommand,
    CartSnapshot,
    ClientSettings,
    MenuAnswer,
    OrderList,
    ResolveNow,
    RestaurantInfo,
    TableInfo,
)

from .api import Api
from .cart_store import CartStore
from .engine import Engine, Seat
from .errors import TableClosed
from .happenings import Happenings
from .retry import RetryPlan
from .settings import ClientLimits
from .surroundings import REAL, Surroundings


class TableConnection:
    """One member at one table. Made by `open_table` and `resume_table`; usable until that context is left.

    Commands may be called from any number of tasks. Each returns once the server has acknowledged it and
    the store has caught up with it, and raises `CommandRefused` for the server's no, `CartLockedError` for
    a locked cart, `TooManyCommands` at the bound, `CommandLost` when no reply came within
    `command_timeout_seconds`, `TableClosed` after the end. While there is no connection they wait for the
    next one. Cancelling one gives up waiting: it is not sent again, and whether it had its effect is not
    known.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # --- What a front end reads -------------------------------------------------------------------

    @property
    def store(self) -> CartStore:
        """The table as it is known here; the same object for as long as this lives."""
        return self._engine.store

    @property
    def settings(self) -> ClientSettings:
        """The settings that hold at this table."""
        return self._engine.seat.settings

    @property
    def session_pid(self) -> str:
        """The dining session."""
        return self._engine.seat.session_pid

    @property
    def member_id(self) -> str:
        """Who this is."""
        return self._engine.seat.member_id

    @property
    def member_token(self) -> str:
        """With the two above, what `resume_table` needs."""
        return self._engine.seat.member_token

    @property
    def restaurant(self) -> RestaurantInfo | None:
        """The restaurant; None where the table was resumed."""
        return self._engine.seat.restaurant

    @property
    def table(self) -> TableInfo | None:
        """The table; None where it was resumed."""
        return self._engine.seat.table

    @property
    def connected(self) -> bool:
        """A websocket is open and joined."""
        return self._engine.link is not None

    @property
    def ended(self) -> TableClosed | None:
        """Why this membership is over; None while it is not."""
        return self._engine.ended

    @property
    def order_timed_out(self) -> bool:
        """This member's order has had no outcome within the order timeout: offer `resolve_now`."""
        return self._engine.watch.timed_out

    @property
    def retry_plan(self) -> RetryPlan | None:
        """The automatic retry that is about to come."""
        return self._engine.watch.retry_plan

    @property
    def commands_in_flight(self) -> int:
        """Commands that wait for their reply."""
        return len(self._engine.commands)

    def events(self) -> Happenings:
        """All that happens from this call on, for one consumer. Ends after `Ended`, or when left."""
        return self._engine.feed.consumer()

    async def wait_for(
        self, predicate: Callable[[CartStore], bool], timeout_seconds: float
    ) -> None:
        """Wait until the store is as wanted; looks after each change, of the connection too.

        Raises:
            trio.TooSlowError: not within `timeout_seconds`.
            TableClosed: the membership ended before.
        """
        with trio.fail_after(timeout_seconds):
            await self._engine.until(lambda: predicate(self._engine.store))

    # --- Commands ---------------------------------------------------------------------------------

    async def add_to_cart(
        self, menu_item_id: int, qty: int = 1, note: str = "", public_id: str | None = None
    ) -> Ack:
        """Add a line."""
        return await self._edit(lambda: self.store.add_to_cart(menu_item_id, qty, note, public_id))

    async def update_cart_item(
        self, public_id: str, qty: int | None = None, note: str | None = None
    ) -> Ack:
        """Change a line's quantity, its note, or both."""
        return await self._edit(lambda: self.store.update_cart_item(public_id, qty, note))

    async def remove_from_cart(self, public_id: str) -> Ack:
        """Take a line out."""
        return await self._edit(lambda: self.store.remove_from_cart(public_id))

    async def clear_cart(self) -> Ack:
        """Take every line out."""
        return await self._edit(self.store.clear_cart)

    async def place_order(self, special_instructions: str = "") -> str:
        """Order what the store shows; gives the order's id once the table is locked for it.

        The outcome comes as an event and in `store.last_order`. An automatic retry that was about to come
        ends.

        Raises:
            OrderPassed: accepted, but over before the connection came back, and its id is not known.
        """
        self._engine.watch.cancel_retry("the order is placed by hand")
        return await self._engine.place(special_instructions)

    async def resolve_now(self) -> Ack:
        """Ask now for the outcome of the order in flight: the manual retry after a timeout."""
        return await self._engine.do(ResolveNow())

    def cancel_retry(self) -> bool:
        """The tap that ends the automatic retry; whether there was one."""
        return self._engine.watch.cancel_retry("cancelled by hand")

    async def _edit(self, make: Callable[[], CartCommand]) -> Ack:
        command = await self._engine.made(make)
        self._engine.watch.cancel_retry("the cart is edited")
        return await self._engine.do(command)

    # --- The connection ---------------------------------------------------------------------------

    def cut(self) -> None:
        """Break the TCP connection without goodbye, as a lost network does. It is joined again."""
        if self._engine.link is not None:
            self._engine.link.cut()

    def reconnect_now(self) -> None:
        """The tap, or the page that comes back: the next attempt at once."""
        self._engine.reconnector.now()

    async def refresh(self) -> None:
        """As a page loaded anew: all but the token is dropped, the snapshot read, the websocket joined.

        Commands in flight raise `CommandLost`. An automatic retry is dropped. Waits at most
        `open_timeout_seconds` for the websocket.

        Raises:
            ApiError, httpx.HTTPError, trio.TooSlowError: the snapshot could not be read; see `Api`.
            CouldNotConnect: the snapshot is there, the websocket not yet; attempts go on.
        """
        await self._engine.refresh()

    async def fetch_snapshot(self) -> CartSnapshot:
        """The cart snapshot over HTTP. The store does not take it: it may be older than what it has."""
        return await self._engine.api.cart(self.session_pid)

    async def fetch_orders(self) -> OrderList:
        """The session's confirmed orders over HTTP; the store takes them."""
        return await self._engine.fetch_orders()

    async def fetch_menu(self, restaurant_id: int | None = None) -> MenuAnswer:
        """The menu of the table's restaurant; where the table was resumed its id must be given."""
        if restaurant_id is None:
            if self.restaurant is None:
                raise ValueError("a resumed table does not know its restaurant: give its id")
            restaurant_id = self.restaurant.id
        return await self._engine.api.menu(restaurant_id)


@asynccontextmanager
async def open_table(
    server_url: str,
    table_code: str,
    name: str,
    *,
    pin: str | None = None,
    settings: ClientSettings | None = None,
    limits: ClientLimits | None = None,
    surroundings: Surroundings = REAL,
) -> AsyncGenerator[TableConnection, None]:
    """Sit down at a table and connect; leaving the context says goodbye (1000) within a bound.

    `pin` is the table's, where it asks for one. `settings` replaces those of the join answer.
    Cancellation leaves at once, after the close frame.

    Raises:
        ApiError, httpx.HTTPError, trio.TooSlowError: the HTTP join failed; see `Api`.
        CouldNotConnect: no websocket within `open_timeout_seconds`.
        TableClosed: the websocket was refused for good.
    """
    limits = limits or ClientLimits()
    async with Api(server_url, limits=limits, surroundings=surroundings) as api:
        answer = await api.join(table_code, name, pin)
        api.token = answer.member_token
        seat = Seat(
            session_pid=answer.session_pid,
            member_id=answer.member_id,
            member_token=answer.member_token,
            ws_url=_websocket_url(server_url, answer.ws_url),
            settings=settings or answer.settings,
            restaurant=answer.restaurant,
            table=answer.table,
        )
        async with _seated(seat, api, limits, surroundings, refreshed=False) as table:
            yield table


@asynccontextmanager
async def resume_table(
    server_url: str,
    session_pid: str,
    member_id: str,
    member_token: str,
    *,
    settings: ClientSettings | None = None,
    limits: ClientLimits | None = None,
    surroundings: Surroundings = REAL,
) -> AsyncGenerator[TableConnection, None]:
    """Come back after a refresh (specification 4.3): the snapshot over HTTP, then the websocket.

    Usable once the snapshot is there and one attempt at the websocket has been made; where that failed,
    attempts go on, and a pending order is polled meanwhile.

    Raises:
        ApiError, httpx.HTTPError, trio.TooSlowError: no snapshot; with 401 the session is over.
        TableClosed: the websocket was refused for good.
    """
    limits = limits or ClientLimits()
    path = f"/ws/sessions/{quote(session_pid, safe='')}"
    async with Api(server_url, member_token, limits=limits, surroundings=surroundings) as api:
        seat = Seat(
            session_pid=session_pid,
            member_id=member_id,
            member_token=member_token,
            ws_url=_websocket_url(server_url, path),
            settings=settings or ClientSettings(),
        )
        async with _seated(seat, api, limits, surroundings, refreshed=True) as table:
            yield table


@asynccontextmanager
async def _seated(
    seat: Seat, api: Api, limits: ClientLimits, surroundings: Surroundings, *, refreshed: bool
) -> AsyncGenerator[TableConnection, None]:
    raised: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            engine = Engine(seat, api, nursery, limits, surroundings)
            try:
                await engine.start(read_snapshot_first=refreshed)
                yield TableConnection(engine)
            except BaseException as error:
                raised = error
                raise
            finally:
                await engine.leave()
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The caller's own exception comes out as it went in; what broke in here stays a group.
        if raised is None or group.exceptions != (raised,):
            raise
    if raised is not None:
        raise raised


def _websocket_url(server_url: str, where: str) -> str:
    """`where` may be absolute or a path, and say http for ws."""
    parts = urlsplit(urljoin(server_url, where))
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme))
