"""Ways to break what keeps tables apart and machines in check: power, clocks, ends, fences, slow readers."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from weakref import WeakSet

import pytest
import trio

from comanda.actors import asking, pos_task, reconciliation
from comanda.actors.carrying import Carrying
from comanda.actors.dining_session import DiningSession
from comanda.actors.domain import placing, settling
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.inputs import Context, Decision
from comanda.actors.domain.money import to_major
from comanda.actors.domain.order import Accepted, Order, PosOutcome, Rejected
from comanda.actors.domain.session import Session
from comanda.actors.house import House
from comanda.http.auth import StaffTokens
from comanda.http.socket import MemberSocket
from comanda.storage import bulk, engines, units

Patch = pytest.MonkeyPatch


def a_commit_is_not_synced(patch: Patch) -> None:
    """SQLite returns from a commit before it is on the disk."""
    lax = [text.replace("= FULL", "= NORMAL") for text in engines._PRAGMAS]
    assert lax != list(engines._PRAGMAS)
    patch.setattr(engines, "_PRAGMAS", tuple(lax))


def the_fence_ignores_the_epoch(patch: Patch) -> None:
    """Whoever knows a session's `seq` may write, whether or not another one owns it."""
    names, columns, body = units._fence._names, units._fence._columns, units._fence._body
    fence = " AND dining_sessions.epoch = given.epoch"
    assert fence in body
    patch.setattr(units, "_fence", bulk.Bulk(names, columns, body.replace(fence, "")))


def a_clock_put_back_keeps_carts_locked(patch: Patch) -> None:
    """A lock's deadline is believed, however far away it is."""

    def lock_has_ended(self: Order, now: datetime) -> bool:
        return now >= self.lock_ends_at

    patch.setattr(Order, "lock_has_ended", lock_has_ended)


def a_drain_has_no_end(patch: Patch) -> None:
    """A house that is asked to end waits a minute for its orders, whatever grace it was given."""
    real = House.stop

    async def stop(self: House, *, deadline_seconds: float, grace_seconds: float = 0.0) -> None:
        await real(self, deadline_seconds=deadline_seconds, grace_seconds=math.inf)

    async def wait_none(self: Carrying) -> None:
        await trio.sleep(60)

    patch.setattr(Carrying, "wait_none", wait_none)
    patch.setattr(House, "stop", stop)


def a_slow_reader_is_kept(patch: Patch) -> None:
    """What a member does not read is kept without a bound, and nothing ends its connection."""

    def send_frame(self: MemberSocket, frame: bytes) -> None:
        if not self.closed:
            self._write(frame)

    patch.setattr(MemberSocket, "send_frame", send_frame)


def a_crash_closes_every_table(patch: Patch) -> None:
    """Where one session crashes, the members of all others lose their connections too."""
    real = DiningSession.on_end
    there: WeakSet[DiningSession] = WeakSet()
    start = DiningSession.on_start

    async def on_start(self: DiningSession) -> None:
        there.add(self)
        await start(self)

    def on_end(self: DiningSession, error: BaseException | None) -> None:
        real(self, error)
        for other in sorted(there, key=lambda one: one._key) if error is not None else ():
            other._audience.close(1011, "another table has crashed")

    patch.setattr(DiningSession, "on_start", on_start)
    patch.setattr(DiningSession, "on_end", on_end)


def one_call_to_any_pos_at_a_time(patch: Patch) -> None:
    """A POS that does not answer keeps all others waiting."""
    real = asking.ask_within
    lock = trio.Lock()

    async def ask_within(
        seconds: float, ask: Callable[[Order], Awaitable[PosOutcome | None]], order: Order
    ) -> PosOutcome | None:
        async with lock:
            return await real(seconds, ask, order)

    patch.setattr(pos_task, "ask_within", ask_within)
    patch.setattr(reconciliation, "ask_within", ask_within)


def any_staff_may_do_anything(patch: Patch) -> None:
    """One restaurant's staff token opens every other one."""
    real = StaffTokens.whose

    def whose(self: StaffTokens, token: str, restaurant_id: int) -> str | None:
        for one in self._book.restaurants():
            if real(self, token, one.restaurant_id) is not None:
                return f"restaurant {restaurant_id}'s staff"
        return None

    patch.setattr(StaffTokens, "whose", whose)


def every_currency_has_two_digits(patch: Patch) -> None:
    """The POS is told amounts as if each had two digits behind the point."""
    patch.setattr(placing, "to_major", lambda minor, digits: to_major(minor, 2))


def a_refusal_is_a_success(patch: Patch) -> None:
    """An order that the POS refuses is told as confirmed."""
    real = settling._settle

    def settle(
        session: Session, order: Order, outcome: PosOutcome, changes: Changes, context: Context
    ) -> Decision:
        if isinstance(outcome, Rejected):
            outcome = Accepted("POS-1")
        return real(session, order, outcome, changes, context)

    patch.setattr(settling, "_settle", settle)


ALL: tuple[Callable[[Patch], Any], ...] = (
    a_commit_is_not_synced,
    the_fence_ignores_the_epoch,
    a_clock_put_back_keeps_carts_locked,
    a_drain_has_no_end,
    a_slow_reader_is_kept,
    a_crash_closes_every_table,
    one_call_to_any_pos_at_a_time,
    any_staff_may_do_anything,
    every_currency_has_two_digits,
    a_refusal_is_a_success,
)
