"""What keeps a table true behind `TableConnection`: links come and go, store and commands stay."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import httpx
import trio
from msgspec import Struct
from msgspec.structs import replace

from comanda.actors.domain.messages import (
    Ack,
    BadMessage,
    CartCommand,
    CartSnapshot,
    ClientSettings,
    Error,
    OrderList,
    PlaceOrder,
    Pong,
    RestaurantInfo,
    ServerClosing,
    TableInfo,
    Told,
    decode_command,
    encode,
)

from .api import Api
from .cart_store import CartStore
from .commands import Command, Commands
from .errors import (
    ApiError,
    CartLockedError,
    CommandLost,
    CommandRefused,
    CouldNotConnect,
    OrderPassed,
    TableClosed,
)
from .facts import Ended, Happening, Reconnected, SeqGap
from .happenings import Feed
from .link import Link, LinkEnd
from .order_watch import OrderWatch
from .reconnector import Reconnector
from .settings import ClientLimits
from .surroundings import Surroundings

C = TypeVar("C")

UNAUTHORIZED = 401


class Seat(Struct, frozen=True):
    """What a member needs to sit down again. `restaurant` and `table` are None after a refresh."""

    session_pid: str
    member_id: str
    member_token: str
    ws_url: str
    settings: ClientSettings
    restaurant: RestaurantInfo | None = None
    table: TableInfo | None = None


class Engine:
    """One member's side of a table. All its tasks run in `nursery`, which its owner cancels at the end."""

    def __init__(
        self,
        seat: Seat,
        api: Api,
        nursery: trio.Nursery,
        limits: ClientLimits,
        surroundings: Surroundings,
    ) -> None:
        self.seat = seat
        self.api = api
        self.limits = limits
        self.store = CartStore(seat.member_id)
        self.feed = Feed(limits.happenings_buffer, limits.max_consumers)
        self.commands = Commands(limits.max_commands_in_flight)
        self.link: Link | None = None
        self.ended: TableClosed | None = None
        self._nursery = nursery
        self._surroundings = surroundings
        self._changed = trio.Event()
        self._poll_again = trio.Event()
        self.over = trio.Event()
        """Set at the end, when `ended` says why."""
        self._tried = False
        self._leaving = False
        self._orders_known = False
        self.reconnector = Reconnector(
            seat.ws_url,
            seat.member_token,
            self,
            seat.settings,
            limits,
            surroundings,
            tell=self.tell,
        )
        self.watch = OrderWatch(
            self.store,
            seat.settings,
            surroundings,
            nursery,
            tell=self.tell,
            place=self.place,
            until_connected=self._connected_soon,
        )

    def tell(self, happening: Happening) -> None:
        """Hand it to every consumer and wake who waits."""
        self.feed.tell(happening)
        self.wake()

    def wake(self) -> None:
        """Something has changed: who waits looks again."""
        self._changed.set()
        self._changed = trio.Event()
        if self._should_poll():
            self._poll_again.set()

    def check_open(self) -> None:
        """Raise `TableClosed` after the end."""
        if self.ended is not None:
            raise self.ended

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Wait for `predicate`, unbounded; raises `TableClosed` if the end comes first."""
        while not predicate():
            self.check_open()
            await self._changed.wait()

    # --- Begin and end ----------------------------------------------------------------------------

    async def start(self, *, read_snapshot_first: bool) -> None:
        """Connect. With the snapshot read first, one attempt at the websocket is waited for, no more."""
        if read_snapshot_first:
            await self.read_snapshot()
        self._nursery.start_soon(self._stay)
        self._nursery.start_soon(self._poll)
        if not read_snapshot_first:
            await self.until_connected()
            return
        with trio.move_on_after(self.limits.open_timeout_seconds):
            await self.until(lambda: self.link is not None or self._tried)

    async def leave(self) -> None:
        """Say goodbye, bounded; nothing can be done with this object afterwards."""
        self._leaving = True
        self.reconnector.leave()
        cancelled = trio.current_effective_deadline() <= trio.current_time()
        if self.link is not None and not cancelled:  # a cancelled link says it itself
            await self.link.say_goodbye()
        self._finish(TableClosed(1000, "the table was left"))

    async def until_connected(self) -> None:
        """Wait until a websocket has joined.

        Raises:
            CouldNotConnect: not within `open_timeout_seconds`; attempts go on.
        """
        with trio.move_on_after(self.limits.open_timeout_seconds):
            await self.until(lambda: self.link is not None)
            return
        raise CouldNotConnect("no websocket could be opened in time")

    async def refresh(self) -> None:
        """Drop all but the token, read the snapshot, join again."""
        self.check_open()
        self.commands.fail_all(CommandLost("the page was loaded anew"))
        self.watch.forget()
        self.store.reset()
        self.reconnector.hold(link_was_cut=self.link is not None)
        if self.link is not None:
            self.link.cut()
        self.link = None
        try:
            await self.read_snapshot()
        finally:
            self.reconnector.go_on()
        await self.until_connected()

    async def _stay(self) -> None:
        end = await self.reconnector.run()
        if not self._leaving:
            self.feed.tell(Ended(end.code, end.reason))
        self._finish(TableClosed(end.code, end.reason))

    def _finish(self, why: TableClosed) -> None:
        if self.ended is not None:
            return
        self.ended = why
        self.link = None
        self.watch.forget()
        self.store.unlock_cart()
        self.commands.fail_all(why)
        self.feed.end()
        self.over.set()
        self._poll_again.set()
        self.wake()

    # --- Heard from the link ----------------------------------------------------------------------

    def joined(self, link: Link, snapshot: CartSnapshot) -> None:
        """A new link has joined: take the truth, send again what was not answered."""
        self._orders_known = self._orders_known and snapshot.seq == self.store.seq
        self.link = link
        self._take(snapshot)
        if self.reconnector.told_lost:
            self.reconnector.told_lost = False
            self.tell(Reconnected())
        self._nursery.start_soon(self._send_waiting, link)
        if not self._orders_known and snapshot.seq > 1:  # at 1 a table has only its first member
            self._nursery.start_soon(self._catch_up_orders)

    def told(self, link: Link, message: Told) -> None:
        """A frame of the server."""
        if link is not self.link:
            return  # dropped by a refresh or a gap, and about to end
        match message:
            case Ack() | Error():
                self._replied(message)
            case CartSnapshot():
                self._take(message)
            case Pong():
                return
            case ServerClosing():
                self.reconnector.server_closes(message.retry_after)
                self.feed.tell(message)
            case _:
                applied = self.store.apply(message)
                if isinstance(applied, SeqGap):
                    self.feed.tell(applied)
                    self.link = None
                    link.cut()
                elif applied == "applied":
                    self.feed.tell(message)
                    self.watch.look()
        self.wake()

    def lost(self, end: LinkEnd) -> None:
        """There is no link now; the reconnector and the polling do their work."""
        self.link = None
        self._tried = True
        self.wake()

    def _replied(self, reply: Ack | Error) -> None:
        command = self.commands.take(reply)
        if command is None:
            if isinstance(reply, Error):
                self.feed.tell(reply)
            return
        if not isinstance(command.command, PlaceOrder):
            return
        if isinstance(reply, Ack):
            self.watch.acked(command.request_id, reply.seq)
        else:
            self.watch.refused(command.request_id)
        self.watch.look()

    def _take(self, snapshot: CartSnapshot) -> None:
        self.store.load_snapshot(snapshot)
        self.feed.tell(snapshot)
        self.watch.look()
        self.wake()

    # --- Commands ---------------------------------------------------------------------------------

    async def place(self, special_instructions: str) -> str:
        """Order what the store shows; see `TableConnection.place_order`."""
        self.check_open()
        command = await self.made(partial(self.store.place_order, special_instructions))
        request_id = self._surroundings.new_id()
        placed = self.watch.sending(request_id, special_instructions)
        self.wake()
        try:
            await self.carry(replace(command, request_id=request_id), request_id)
        finally:
            self.watch.gave_up(placed)  # where it was answered, this does nothing
            self.wake()
        if placed.order_id is None:
            raise OrderPassed(
                "the order was accepted, but came and went unseen: look at the orders"
            )
        return placed.order_id

    async def made(self, make: Callable[[], C]) -> C:
        """A command that `make` makes, unless the store's own guard refuses it.

        A refusal is a checkpoint: who tries again in a loop must let the outcome come.
        """
        try:
            return make()
        except CartLockedError:
            await trio.lowlevel.checkpoint()
            raise

    async def do(self, command: CartCommand) -> Ack:
        """Any other command; see `TableConnection`."""
        self.check_open()
        request_id = self._surroundings.new_id()
        return await self.carry(replace(command, request_id=request_id), request_id)

    async def carry(self, command: CartCommand, request_id: str) -> Ack:
        """Send a command under this `request_id` until it is answered; see `TableConnection`."""
        frame = encode(command).decode()
        try:
            decode_command(frame)
        except BadMessage as bad:
            raise CommandRefused("bad_message", str(bad)) from None
        waiting = Command(request_id, command, frame)
        self.commands.remember(waiting)
        ack: Ack | None = None
        try:
            with trio.move_on_after(self.limits.command_timeout_seconds):
                if self.link is not None:
                    await self._send(waiting, self.link)
                ack = await waiting.wait()
                await self._caught_up_with(ack.seq)
        finally:
            self.commands.forget(waiting)
        if ack is None:
            raise CommandLost("no reply came in time; whether it had its effect is not known")
        return ack

    async def _caught_up_with(self, seq: int) -> None:
        await self.until(lambda: self.store.seq is not None and self.store.seq >= seq)

    async def _send(self, command: Command, link: Link) -> None:
        command.sent_on = link
        await link.send(command.frame)

    async def _send_waiting(self, link: Link) -> None:
        """Once more under their old request ids, oldest first."""
        while link is self.link and (command := self.commands.not_sent_on(link)) is not None:
            await self._send(command, link)

    # --- HTTP beside the websocket ----------------------------------------------------------------

    async def read_snapshot(self) -> None:
        """The snapshot over HTTP; taken if it is newer than what the store has."""
        snapshot = await self.api.cart(self.seat.session_pid)
        if self.store.seq is None or snapshot.seq > self.store.seq:
            self._orders_known = False
            self._take(snapshot)
            self._nursery.start_soon(self._catch_up_orders)

    async def fetch_orders(self) -> OrderList:
        """The confirmed orders; the store takes them."""
        answer = await self.api.orders(self.seat.session_pid)
        self.store.load_orders(answer.orders)
        self._orders_known = True
        self.wake()
        return answer

    async def _catch_up_orders(self) -> None:
        """Orders confirmed while nobody listened; where it fails, the next join tries again."""
        try:
            await self.fetch_orders()
        except (ApiError, httpx.HTTPError, trio.TooSlowError):
            return

    async def _poll(self) -> None:
        """Specification 5.1: while cut off with an order pending, the snapshot over HTTP."""
        while self.ended is None:
            if not self._should_poll():
                self._poll_again = trio.Event()
                await self._poll_again.wait()
                continue
            await self._surroundings.sleep(self.seat.settings.poll_interval_seconds)
            if not self._should_poll():
                continue
            try:
                await self.read_snapshot()
            except ApiError as error:
                if error.status == UNAUTHORIZED:
                    self.reconnector.now()  # the websocket says whether that is for good
            except (httpx.HTTPError, trio.TooSlowError):
                continue  # that is what "cut off" is like; the next one may get through

    def _should_poll(self) -> bool:
        return self.link is None and self.store.cart_locked

    async def _connected_soon(self) -> bool:
        with trio.move_on_after(self.seat.settings.reconnect_timeout_seconds):
            await self.until(lambda: self.link is not None)
        return self.link is not None
