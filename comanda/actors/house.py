"""The house: all dining sessions of this process, and what its front may ask of them."""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import trio

from comanda.runtime import Envelope, Ref, Registry, RestartPolicy, RuntimeRefusal
from comanda.runtime.events import OnEvent

from .dining_session import (
    DiningSession,
    MenuChanged,
    Message,
    Seated,
    Sit,
    Surroundings,
    View,
)
from .domain.inputs import Admit, CloseSession, Input, LockEnded
from .domain.menu import Menu, MenuItem, Table
from .domain.messages import MenuChange, MenuUpdated, Rejection, Told
from .domain.money import to_major
from .menu_book import MenuBook
from .ports import (
    Clock,
    Ids,
    NoSuchSession,
    Outlet,
    Pos,
    SessionKey,
    StorageUnavailable,
    Store,
)
from .pos_task import PosTimes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HouseLimits:
    """The house's bounds. Times are in seconds.

    `lock_limit_seconds`: the cart opens again at the latest so long after an order was placed.
    `max_live` sessions are in memory at once, `max_live_per_restaurant` of them of one restaurant, so
    that one restaurant's trouble does not shut out the others. `idle_seconds` without a message or a
    connection, a session leaves memory. `mailbox_capacity`: commands that may wait for one table.
    `ask_timeout_seconds`: how long the front waits for a session's reply. `sweep_seconds`: how often
    deadlines in the journal are looked at. `forgotten_seconds`: a session that nothing has changed for
    so long closes by itself. `sweep_most`: orders or sessions that one look takes.
    `menu_tell_tries`: how often a session with a full mailbox is told of a changed menu, `sweep_seconds`
    apart; after that its next order finds the difference.
    """

    lock_limit_seconds: float = 60.0
    max_live: int = 10_000
    max_live_per_restaurant: int = 5_000
    idle_seconds: float = 300.0
    mailbox_capacity: int = 256
    ask_timeout_seconds: float = 10.0
    sweep_seconds: float = 0.5
    forgotten_seconds: float = 6 * 3600.0
    forgotten_sweep_seconds: float = 60.0
    sweep_most: int = 500
    menu_tell_tries: int = 5


@dataclass(frozen=True, slots=True)
class Joined:
    """A new member's place in the house."""

    key: SessionKey
    member_id: str
    table: Table


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
            frame: encodes what is told, once for all members.
            on_event: is told of starts, crashes and quarantines.
        """
        self.limits = limits or HouseLimits()
        self.store = store
        self.clock = clock
        self.book = MenuBook()
        self._new_pid = new_pid
        rng = rng or random.Random()
        around = Surroundings(
            store=store,
            pos=pos,
            menus=self.book,
            clock=clock,
            ids=ids,
            frame=frame,
            pos_times=pos_times or PosTimes(),
            lock_limit_seconds=self.limits.lock_limit_seconds,
            rng=rng,
        )
        self.registry: Registry[SessionKey, Message] = Registry(
            lambda key: DiningSession(key, around),
            max_live=self.limits.max_live,
            max_live_per_group=self.limits.max_live_per_restaurant,
            group_of=lambda key: key.restaurant_id,
            idle_seconds=self.limits.idle_seconds,
            mailbox_capacity=self.limits.mailbox_capacity,
            refusals=(NoSuchSession,),
            policy=policy,
            probe=store.probe,
            on_event=on_event,
            random=rng.random,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Open the house: `await nursery.start(house.run)`. Ends when cancelled or stopped.

        Orders that an earlier process left in flight are taken up without waiting for anybody to come
        to their table.

        Raises:
            StorageUnavailable: the menus could not be read at the start.
        """
        await self.book.load(self.store)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._sweeps)
            await nursery.start(self._registry_until_stopped, nursery.cancel_scope)
            task_status.started()

    async def _registry_until_stopped(
        self,
        scope: trio.CancelScope,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        await self.registry.run(task_status=task_status)
        scope.cancel()

    async def stop(self, *, deadline_seconds: float) -> None:
        """Ask every session to end, then force; what they have told is durable already."""
        await self.registry.stop(deadline_seconds=deadline_seconds)

    # --- What the front asks ------------------------------------------------------------------

    async def join_table(self, code: str, name: str) -> Joined | Rejection | None:
        """Sit somebody down at the table with this code; None where there is none.

        Opens the table's session when none is open. Raises `StorageUnavailable` and `RuntimeRefusal`.
        """
        table = self.book.table(code)
        if table is None:
            return None
        reply: object = None
        for _ in range(2):  # the session may be closed between the two steps: then once more
            key = await self.store.open_session(table, self._new_pid(), self.clock.now())
            reply = await self._ask(key, Admit(name))
            if not (isinstance(reply, Rejection) and reply.code == "session_closed"):
                break
        if isinstance(reply, Rejection):
            return reply
        assert isinstance(reply, str)
        return Joined(key, reply, table)

    async def sit(self, key: SessionKey, member_id: str, outlet: Outlet) -> Seated | Rejection:
        """Register a connection; its snapshot is the first thing that its outlet gets.

        Raises `NoSuchSession`, `StorageUnavailable` and `RuntimeRefusal`.
        """
        reply = await self._ask(key, Sit(member_id, outlet))
        assert isinstance(reply, Seated | Rejection)
        return reply

    async def ref(self, key: SessionKey) -> Ref[Message]:
        """The address of a session's actor, activated where it is not live."""
        return await self.registry.ref(key)

    async def view(self, key: SessionKey) -> View:
        """The last adopted state of a session; passes no mailbox."""
        ref = await self.registry.ref(key)
        view = ref.view
        assert isinstance(view, View)
        return view

    async def close_session(self, key: SessionKey, reason: str) -> None:
        """The party has left: the table's next join opens a new session."""
        await self._ask(key, CloseSession(reason))

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
        menu = await self.store.change_menu_item(
            restaurant_id, menu_item_id, available=available, price_minor=price_minor
        )
        if menu is None:
            return None
        self.book.take(menu)
        item = menu.items[menu_item_id]
        await self._tell_menu(menu, item)
        return item

    async def _tell_menu(self, menu: Menu, item: MenuItem) -> None:
        price = to_major(item.price_minor, menu.minor_digits)
        change = MenuChange(item.menu_item_id, price, item.available)
        message = MenuChanged(MenuUpdated((change,), self.clock.now()))
        waiting = list(self.registry.refs(group=menu.restaurant_id))
        for _ in range(self.limits.menu_tell_tries):
            waiting = [ref for ref in waiting if not _told(ref, message)]
            if not waiting:
                return
            await trio.sleep(self.limits.sweep_seconds)

    async def _ask(self, key: SessionKey, message: Input | Sit) -> object:
        return await self.registry.ask(
            key, message, timeout_seconds=self.limits.ask_timeout_seconds
        )

    # --- What nobody asks for -----------------------------------------------------------------

    async def _sweeps(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._take_up_unsettled)
            nursery.start_soon(self._every, self.limits.sweep_seconds, self._end_locks)
            nursery.start_soon(
                self._every, self.limits.forgotten_sweep_seconds, self._close_forgotten
            )

    async def _every(self, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await trio.sleep(seconds)
            try:
                await look()
            except StorageUnavailable:
                log.warning("storage did not answer to a sweep; it will look again")

    async def _take_up_unsettled(self) -> None:
        """Activate every session with an order in flight; the activation does the rest."""
        while True:
            try:
                keys = await self.store.unsettled_sessions()
            except StorageUnavailable:
                await trio.sleep(self.limits.sweep_seconds)
                continue
            break
        for key in keys:
            try:
                await self.registry.ref(key)
            except (RuntimeRefusal, NoSuchSession) as error:
                # Its lock limit is watched by the journal's sweep, which activates it again.
                log.warning("a session with an order in flight was not taken up: %s", error)

    async def _end_locks(self) -> None:
        for overdue in await self.store.overdue_orders(self.clock.now(), self.limits.sweep_most):
            await self._tell_quietly(overdue.key, LockEnded(overdue.order_id))

    async def _close_forgotten(self) -> None:
        before = self.clock.now() - timedelta(seconds=self.limits.forgotten_seconds)
        for key in await self.store.idle_sessions(before, self.limits.sweep_most):
            await self._tell_quietly(key, CloseSession("nobody has been here for a long time"))

    async def _tell_quietly(self, key: SessionKey, message: Input) -> None:
        try:
            await self.registry.tell(key, message)
        except (RuntimeRefusal, NoSuchSession) as error:
            log.warning("a sweep did not reach a session; it will try again: %s", error)


def _told(ref: Ref[Message], message: MenuChanged) -> bool:
    """True when the session has it, or is gone and will load the menu afresh."""
    try:
        ref.send(Envelope(message))
    except RuntimeRefusal:
        return not ref.alive
    return True
