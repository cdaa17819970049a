"""The house: all dining sessions of this process, and what its front may ask of them."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trio

from comanda.logs import get_log
from comanda.runtime import Ref, Registry, RestartPolicy, RuntimeEvent, RuntimeRefusal
from comanda.runtime.events import OnEvent

from .carrying import Carrying
from .counted_pos import CountedPos
from .dining_session import DiningSession
from .domain.inputs import Admit, Admitted, CloseSession, Input, OutcomeHeard, StaffResolved
from .domain.menu import MenuItem, Table
from .domain.messages import OrderStateName, Rejection, StaffOrder, Told
from .domain.order import UNSETTLED
from .menu_book import MenuBook
from .ports import (
    Clock,
    Forgotten,
    Ids,
    NoSuchSession,
    Outlet,
    Pos,
    SessionKey,
    StorageUnavailable,
    Store,
)
from .pos_task import PosTimes
from .reconciliation import Reconciliation, ReconciliationLimits
from .sayings import Drain, MenuChanged, Message, Seated, Sit, View
from .seating import take_seat
from .surroundings import Surroundings
from .sweeps import SweepLimits, Sweeps
from .tally import Tally

log = get_log("comanda.house")


@dataclass(frozen=True, slots=True)
class HouseLimits:
    """The house's bounds. Times are in seconds.

    `lock_limit_seconds`: the cart opens again at the latest so long after an order was placed.
    `max_live` sessions are in memory at once, `max_live_per_restaurant` of them of one restaurant, so
    that one restaurant's trouble does not shut out the others. `idle_seconds` without a message or a
    connection, a session leaves memory. `mailbox_capacity`: commands that may wait for one table.
    `start_deadline_seconds`, for an activation, and `ask_timeout_seconds`, for a reply, are longer than
    the two waits for storage that they may take: a slow disk must be heard of as what it is.
    """

    lock_limit_seconds: float = 60.0
    max_live: int = 10_000
    max_live_per_restaurant: int = 5_000
    idle_seconds: float = 300.0
    mailbox_capacity: int = 256
    start_deadline_seconds: float = 10.0
    ask_timeout_seconds: float = 10.0
    sweeps: SweepLimits = field(default_factory=SweepLimits)
    reconciliation: ReconciliationLimits = field(default_factory=ReconciliationLimits)


@dataclass(frozen=True, slots=True)
class Joined:
    """A new member's place in the house. `join_pin` is what others must say to join; None: nothing."""

    key: SessionKey
    member_id: str
    table: Table
    join_pin: str | None


class House:
    """Every dining session of this process. `run` it in a nursery, `stop` it there."""

    def __init__(
        self,
        *,
        store: Store,
        pos: Pos,
        clock: Clock,
        ids: Ids,
        new_pid: Callable[[], str],
        new_pin: Callable[[], str] | None = None,
        frame: Callable[[Told], bytes],
        pos_times: PosTimes | None = None,
        limits: HouseLimits | None = None,
        rng: random.Random | None = None,
        policy: RestartPolicy | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        """Put the house together; nothing runs yet.

        Args:
            new_pid: makes the id of a new dining session.
            new_pin: makes the PIN with which a new session is joined; None: joining needs none.
            frame: encodes what is told, once for all members.
            on_event: is told of starts, crashes and quarantines.
        """
        self.limits = limits or HouseLimits()
        self.store = store
        self.clock = clock
        self.book = MenuBook()
        self.tally = Tally()
        self._on_event = on_event
        pos = CountedPos(pos, self.tally)
        self._new_pid = new_pid
        self._new_pin = new_pin
        rng = rng or random.Random()
        pos_times = pos_times or PosTimes()
        self._carrying = Carrying()
        around = Surroundings(
            store=store,
            pos=pos,
            menus=self.book,
            clock=clock,
            ids=ids,
            frame=frame,
            pos_times=pos_times,
            lock_limit_seconds=self.limits.lock_limit_seconds,
            rng=rng,
            carrying=self._carrying,
            tally=self.tally,
        )
        self.registry: Registry[SessionKey, Message] = Registry(
            lambda key: DiningSession(key, around),
            max_live=self.limits.max_live,
            max_live_per_group=self.limits.max_live_per_restaurant,
            group_of=lambda key: key.restaurant_id,
            idle_seconds=self.limits.idle_seconds,
            mailbox_capacity=self.limits.mailbox_capacity,
            start_deadline_seconds=self.limits.start_deadline_seconds,
            refusals=(NoSuchSession,),
            policy=policy,
            probe=store.probe,
            on_event=self._happened,
            random=rng.random,
        )
        self._sweeps = Sweeps(around, self.registry, self.limits.sweeps, self._reread_menus)
        self.reconciliation = Reconciliation(
            store,
            pos,
            self.registry,
            clock,
            rng,
            limits=self.limits.reconciliation,
            call_timeout_seconds=pos_times.call_timeout_seconds,
            ask_timeout_seconds=self.limits.ask_timeout_seconds,
        )
        self._menu_lock = trio.Lock()
        self._menus_in_doubt = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the house: `await nursery.start(house.run)`. Ends when cancelled or stopped.

        Orders that an earlier process left in flight are taken up without waiting for anybody to come
        to their table.

        Raises:
            StorageUnavailable: the menus could not be read at the start.
        """
        await self.book.load(self.store)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._registry_until_stopped, nursery.cancel_scope)
            nursery.start_soon(self._sweeps.run)
            nursery.start_soon(self.reconciliation.run)
            task_status.started()

    def _happened(self, event: RuntimeEvent) -> None:
        self.tally.take(event)
        if self._on_event is not None:
            self._on_event(event)

    async def _registry_until_stopped(
        self,
        scope: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await self.registry.run(task_status=task_status)
        scope.cancel()

    async def stop(self, *, deadline_seconds: float, grace_seconds: float = 0.0) -> None:
        """Let the members go, then ask every session to end, then force. What was told is durable.

        Orders on their way to the POS have `grace_seconds` to be settled; one that is not by then is
        taken up by the next start.
        """
        for ref in self.registry.refs():
            with suppress(RuntimeRefusal):
                ref.tell(Drain())
        with trio.move_on_after(grace_seconds):
            await self._carrying.wait_none()
        await self.registry.stop(deadline_seconds=deadline_seconds)

    # --- What the front asks ------------------------------------------------------------------

    async def join_table(
        self, code: str, name: str, pin: str | None = None
    ) -> Joined | Rejection | None:
        """Sit somebody down at the table with this code; None where there is none.

        Opens the table's session when none is open. A session that has a PIN wants it of everybody but
        the first who sits down. Raises `StorageUnavailable` and `RuntimeRefusal`.
        """
        table = self.book.table(code)
        if table is None:
            return None
        reply: object = None
        for _ in range(2):  # the session may be closed between the two steps: then once more
            pid = self._new_pid()
            new_pin = None if self._new_pin is None else self._new_pin()
            key = await self.store.open_session(table, pid, self.clock.now(), new_pin)
            if key.pid == pid:
                log.info("session opened", session=pid, restaurant=key.restaurant_id)
            reply = await self._ask(key, Admit(name, pin))
            if not (isinstance(reply, Rejection) and reply.code == "session_closed"):
                break
        if isinstance(reply, Rejection):
            return reply
        assert isinstance(reply, Admitted)
        log.info("member joined", session=key.pid, member=reply.member_id)
        return Joined(key, reply.member_id, table, reply.join_pin)

    async def sit(
        self, key: SessionKey, member_id: str, outlet: Outlet
    ) -> tuple[Ref[Message], Seated | Rejection]:
        """Register a connection; its snapshot is the first thing that its outlet gets.

        Returns the session's ref, for the member's commands, and the seat. When cancelled the seat is
        given back. Raises `NoSuchSession`, `StorageUnavailable` and `RuntimeRefusal`.
        """
        ref = await self.registry.ref(key)
        sit = Sit(member_id, outlet)
        return ref, await take_seat(ref, sit, self.limits.ask_timeout_seconds)

    async def find_session(
        self, pid: str, likely: SessionKey | None = None
    ) -> tuple[SessionKey, bool] | None:
        """A session's key and whether it is open; None where there is none.

        `likely` is the key that somebody's token names: a live session answers for itself, whatever
        storage is doing. Raises `StorageUnavailable`.
        """
        if likely is not None and likely.pid == pid:
            live = self.registry.live(likely)
            if live is not None and isinstance(live.view, View):
                return likely, live.view.session.closed_reason is None
        return await self.store.find_session(pid)

    async def view(self, key: SessionKey) -> View:
        """The last adopted state of a session; passes no mailbox."""
        ref = await self.registry.ref(key)
        view = ref.view
        assert isinstance(view, View)
        return view

    def online(self, key: SessionKey) -> frozenset[str]:
        """The members of a session who have a connection; nobody where it is not in memory."""
        live = self.registry.live(key)
        return live.view.online if live is not None and isinstance(live.view, View) else frozenset()

    async def close_session(self, key: SessionKey, reason: str) -> None:
        """The party has left: the table's next join opens a new session."""
        await self._ask(key, CloseSession(reason))

    async def forget_session(self, key: SessionKey) -> Forgotten:
        """Forget the guests of a session, as `Store.forget_session`: what has come of it.

        Raises `StorageUnavailable`; it may be asked again.
        """
        forgotten = await self.store.forget_session(key, self.clock.now())
        if forgotten == "forgotten":
            log.info("guests forgotten", session=key.pid)
        return forgotten

    async def find_order(self, order_id: str) -> tuple[SessionKey, OrderStateName] | None:
        """The order's session and its state; None where there is none. Raises `StorageUnavailable`."""
        return await self.store.find_order(order_id)

    async def resolve_order(self, said: StaffResolved) -> StaffOrder | Rejection | None:
        """The staff's word on an order: settles one that waits for them, closes incidents of it.

        Returns the order as it then stands; None: no such order; a rejection where it needs nobody. A
        settled order's outcome is final, so of one with incidents the word is kept with these alone. A
        caller that is cancelled, or hears `StorageUnavailable`, does not know whether it was heeded, and
        may say it again: who has closed an incident with this word is answered. Raises
        `StorageUnavailable` and `RuntimeRefusal`.
        """
        spoken_at = self.clock.now()
        found = await self.store.find_order(said.order_id)
        if found is None:
            return None
        key, state = found
        if state in UNSETTLED:
            reply = await self._ask(key, said)
            if isinstance(reply, Rejection):
                return reply
        closed = await self.store.close_incidents(said, spoken_at)
        order = await self.store.staff_order(said.order_id)
        if closed or state in UNSETTLED or (order is not None and _has_closed(said, order)):
            return order
        return Rejection("conflict", f"This order is {state} already")

    async def hear_pos(self, said: OutcomeHeard) -> bool:
        """The POS says unasked what became of an order; as `Reconciliation.hear`."""
        return await self.reconciliation.hear(said)

    async def change_menu_item(
        self,
        restaurant_id: int,
        menu_item_id: int,
        *,
        available: bool | None,
        price_minor: int | None,
    ) -> MenuItem | None:
        """Change an item, durably, then tell every open session of the restaurant.

        Returns the item as it then stands; None where there is none. Raises `StorageUnavailable`.
        """
        # A caller that goes away meanwhile must not leave the house selling by the old menu. Storage
        # bounds its own waits.
        with trio.CancelScope(shield=True):
            async with self._menu_lock:
                try:
                    menu = await self.store.change_menu_item(
                        restaurant_id, menu_item_id, available=available, price_minor=price_minor
                    )
                except StorageUnavailable:
                    self._menus_in_doubt = True  # it may have been written all the same
                    raise
                if menu is not None:
                    self.book.take(menu)
        if menu is None:
            return None
        log.info(
            "menu item changed",
            restaurant=restaurant_id,
            menu_item=menu_item_id,
            available=available,
            price_minor=price_minor,
        )
        self._tell_menu_changed(restaurant_id)
        return menu.items[menu_item_id]

    async def _reread_menus(self) -> None:
        """After a change of unknown outcome storage says what the menus are."""
        if not self._menus_in_doubt:
            return
        async with self._menu_lock:
            await self.book.load(self.store)
            self._menus_in_doubt = False
        for restaurant in self.book.restaurants():
            self._tell_menu_changed(restaurant.restaurant_id)

    def _tell_menu_changed(self, restaurant_id: int) -> None:
        """Wake the restaurant's sessions: each finds the difference, and tells it, with its next batch."""
        for ref in self.registry.refs(group=restaurant_id):
            with suppress(RuntimeRefusal):  # full, so a batch is coming; or gone, and starts afresh
                ref.tell(MenuChanged())

    async def _ask(self, key: SessionKey, message: Input) -> object:
        return await self.registry.ask(
            key, message, timeout_seconds=self.limits.ask_timeout_seconds
        )


def _has_closed(said: StaffResolved, order: StaffOrder) -> bool:
    """Whether an incident of the order was closed by this very word."""
    word = (said.by, said.outcome, said.reason)
    return any(
        word == (one.closed_by, one.closed_outcome, one.closed_reason) for one in order.incidents
    )
