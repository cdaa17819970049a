"""This member's order from sending to outcome: its timer, and the automatic retry of a failed one."""

from collections.abc import Awaitable, Callable

import trio

from comanda.actors.domain.messages import ClientSettings

from .cart_store import CartStore
from .errors import ClientError
from .facts import Happening, OrderTimedOut, RetryCancelled, RetryScheduled
from .retry import AutoRetry, RetryPlan
from .surroundings import Surroundings


class Placed:
    """An order of this member. `instructions` is None where it was not sent from here.

    `order_id` is None until the server's lock names it, `ack_seq` until the command is acknowledged.
    """

    def __init__(self, request_id: str | None, instructions: str | None) -> None:
        self.request_id = request_id
        self.instructions = instructions
        self.sent_at = trio.current_time()
        self.order_id: str | None = None
        self.ack_seq: int | None = None
        self.timed_out = False
        self.timer = trio.CancelScope()


class OrderWatch:
    """Watches at most one order: a table's cart is locked by one at a time.

    `tell` hands out facts, `place` sends the order once more, `until_connected` waits (bounded) for a
    connection and says whether there is one. Timers and the retry run in `nursery`.
    """

    def __init__(
        self,
        store: CartStore,
        settings: ClientSettings,
        surroundings: Surroundings,
        nursery: trio.Nursery,
        *,
        tell: Callable[[Happening], None],
        place: Callable[[str], Awaitable[object]],
        until_connected: Callable[[], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._surroundings = surroundings
        self._nursery = nursery
        self._tell = tell
        self._place = place
        self._until_connected = until_connected
        self._retry = AutoRetry(store.member_id, settings)
        self._retrying = trio.CancelScope()
        self.placed: Placed | None = None

    @property
    def timed_out(self) -> bool:
        """This member's order has had no outcome within the order timeout: `resolve_now` is offered."""
        return self.placed is not None and self.placed.timed_out

    @property
    def retry_plan(self) -> RetryPlan | None:
        """The automatic retry that is about to come."""
        return self._retry.plan

    def sending(self, request_id: str, instructions: str) -> Placed:
        """`place_order` is about to be sent: its timer runs from now."""
        self._drop()
        self.placed = Placed(request_id, instructions)
        self._nursery.start_soon(self._time, self.placed)
        return self.placed

    def acked(self, request_id: str, seq: int) -> None:
        """The server has taken the command; `look` follows."""
        if self.placed is not None and self.placed.request_id == request_id:
            self.placed.ack_seq = seq

    def refused(self, request_id: str) -> None:
        """The server has refused the command: the lock of here goes, nothing was ordered."""
        if self.placed is not None and self.placed.request_id == request_id:
            self._drop()
            self._store.unlock_cart()

    def gave_up(self, placed: Placed) -> None:
        """Nobody waits for the command's reply any more. A lock that the server has told stays watched."""
        if self.placed is placed and placed.order_id is None and placed.ack_seq is None:
            self._drop()
            self._store.unlock_cart()

    def look(self) -> None:
        """The store has changed: bind the order to its id, see whether it is settled, whether to retry."""
        store = self._store
        if self._retry.after_change(store):
            self._stop_retry("the table has changed")
        if self.placed is None:
            self._adopt_pending()
            return
        placed = self.placed
        caught_up = (
            placed.ack_seq is not None and store.seq is not None and store.seq >= placed.ack_seq
        )
        if placed.order_id is None:
            placed.order_id = self._own_order(settled_too=caught_up)
        if caught_up and store.locked_here:
            store.unlock_cart()
        if placed.order_id is None and not caught_up:
            return
        if store.locked_here or store.pending_order_id == placed.order_id is not None:
            return
        self._settled(placed)

    def cancel_retry(self, reason: str) -> bool:
        """End the automatic retry; whether there was one."""
        if not self._retry.cancel():
            return False
        self._stop_retry(reason)
        return True

    def forget(self) -> None:
        """Drop timer and retry, without a word."""
        self._drop()
        self._retry.cancel()
        self._retrying.cancel()

    def _drop(self) -> None:
        if self.placed is not None:
            self.placed.timer.cancel()
            self.placed = None

    def _adopt_pending(self) -> None:
        """An order of ours that another page or device has sent: the timer runs from now."""
        pending = self._store.pending_order
        if pending is not None and pending.placed_by == self._store.member_id:
            self.placed = Placed(None, None)
            self.placed.order_id = pending.order_id
            self._nursery.start_soon(self._time, self.placed)

    def _own_order(self, *, settled_too: bool) -> str | None:
        pending, last = self._store.pending_order, self._store.last_order
        if pending is not None and pending.placed_by == self._store.member_id:
            return pending.order_id
        if settled_too and last is not None and last.placed_by == self._store.member_id:
            return last.order_id
        return None

    def _settled(self, placed: Placed) -> None:
        self._drop()
        last = self._store.last_order
        if placed.instructions is None or placed.timed_out or last is None:
            return
        if last.order_id != placed.order_id:
            return
        plan = self._retry.order_failed(self._store, trio.current_time() - placed.sent_at)
        if plan is not None:
            self._tell(RetryScheduled(plan.after_seconds, plan.attempt))
            self._retrying = trio.CancelScope()
            self._nursery.start_soon(self._run_retry, plan, placed.instructions, self._retrying)

    def _stop_retry(self, reason: str) -> None:
        self._retrying.cancel()
        self._tell(RetryCancelled(reason))

    async def _time(self, placed: Placed) -> None:
        with placed.timer:
            await self._surroundings.sleep(self._settings.order_timeout_seconds)
            placed.timed_out = True
            self._tell(OrderTimedOut(placed.order_id))

    async def _run_retry(self, plan: RetryPlan, instructions: str, scope: trio.CancelScope) -> None:
        with scope:
            await self._surroundings.sleep(plan.after_seconds)
            if not await self._until_connected():
                self.cancel_retry("there is no connection")
                return
            if not self._retry.fire(self._store):
                return
            try:
                await self._place(instructions)
            except ClientError as error:
                self._tell(RetryCancelled(str(error)))
