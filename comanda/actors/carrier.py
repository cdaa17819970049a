"""A session's hold on the task that carries its order: start it, hurry it, let it end."""

from functools import partial
from typing import Any, Final

import trio

from comanda.runtime import Context

from .domain.order import Order
from .domain.session import Session
from .pos_task import PosTask
from .reconciliation import weigh_late_answer
from .surroundings import Surroundings

RESOLVE_INTERVAL_SECONDS: Final = 2.0
"""`resolve_now` is heeded at most once in this time (PROTOCOL, "Commands")."""


class Carrier:
    """One session's. The task itself is a child of the session's actor and ends with it."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._task: PosTask | None = None
        self._asked_at = -RESOLVE_INTERVAL_SECONDS

    def carry(self, order: Order, context: Context[Any]) -> None:
        """Start the task for this order. An earlier order is settled, its task ends by itself."""
        around = self._around
        self._task = PosTask(
            order.order_id,
            around.pos,
            around.pos_times,
            around.clock,
            context.ask_self,
            partial(weigh_late_answer, around.store, around.clock, order.session_pid),
            around.rng,
        )
        context.start_task(self._to_the_end, self._task)

    async def _to_the_end(self, task: PosTask) -> None:
        with self._around.carrying.one():
            await task.run()

    @property
    def wait_seconds(self) -> float:
        """How long `resolve_now` is not heeded yet; 0 or less: it is."""
        return self._asked_at + RESOLVE_INTERVAL_SECONDS - trio.current_time()

    def ask_now(self) -> None:
        """A member wants to know: ask the POS at once. A call that is running is joined."""
        if self._task is not None:
            self._asked_at = trio.current_time()
            self._task.ask_now()

    def adopted(self, before: Session, after: Session) -> None:
        """An order that was settled otherwise than by its call need not be asked for again."""
        was, now = before.pending, after.pending
        if was is not None and (now is None or now.order_id != was.order_id) and self._task:
            self._task.ask_now()
