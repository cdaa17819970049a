"""Ways to break Comanda on purpose, each in one place of the real code; the simulator must find each.

The first five are those of `tests.every_death.broken`.
"""

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import pytest
from msgspec.structs import replace

from comanda.actors import asking, reconciliation
from comanda.actors.audience import Audience, Seat
from comanda.actors.dining_session import DiningSession
from comanda.actors.domain import decide as deciding
from comanda.actors.domain import placing, settling
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.inputs import Context, Decision
from comanda.actors.domain.order import NotSent, Order, PosOutcome, Rejected, Unknown
from comanda.actors.domain.session import Session
from comanda.actors.ports import CommitUnknown, Loaded, StaleEpoch, StorageUnavailable, Store, Unit
from comanda.actors.pos_task import PosTask
from comanda.actors.reconciliation import Reconciliation
from comanda.actors.sayings import Outcomes
from comanda.actors.sweeps import Sweeps
from comanda.client.cart_store import CartStore
from comanda.client.engine import Engine
from comanda.client.link import Link
from comanda.storage import sessions
from tests.every_death.broken import (
    a_new_key_for_each_attempt,
    a_timeout_is_a_failure,
    acknowledged_before_the_commit,
    no_fence,
    no_memory_of_requests,
)

from . import surroundings

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def other_bytes_for_each_attempt(patch: Patch) -> None:
    """The same key goes to the POS with other bytes."""
    real = PosTask._ask_pos

    async def ask_pos(self: PosTask, order: Order) -> PosOutcome:
        body = order.payload.replace(b"{", b"{ " + b" " * order.attempt, 1)
        return await real(self, replace(order, payload=body))

    patch.setattr(PosTask, "_ask_pos", ask_pos)


def a_reset_means_not_sent(patch: Patch) -> None:
    """A call that fails is taken for one that never left."""
    real = asking.sound

    def sound(answer: PosOutcome | None) -> PosOutcome | None:
        answer = real(answer)
        return NotSent(answer.why) if isinstance(answer, Unknown) else answer

    patch.setattr(asking, "sound", sound)


def a_reused_key_is_a_refusal(patch: Patch) -> None:
    """The POS has another order under the key: taken for a refusal of this one."""
    real = settling._settle

    def settle(
        session: Session, order: Order, outcome: PosOutcome, changes: Changes, context: Context
    ) -> Decision:
        if isinstance(outcome, Unknown) and outcome.key_reused:
            outcome = Rejected("key_reused", outcome.why, True)
        return real(session, order, outcome, changes, context)

    patch.setattr(settling, "_settle", settle)


def nobody_watches_locks(patch: Patch) -> None:
    """The sweep over overdue orders finds nothing."""

    async def end_locks(self: Sweeps) -> None:
        return

    patch.setattr(Sweeps, "_end_locks", end_locks)


def nobody_takes_orders_back(patch: Patch) -> None:
    """Voids are written down and never sent."""

    async def look_at_voids(self: Reconciliation) -> None:
        return

    patch.setattr(Reconciliation, "_look_at_voids", look_at_voids)


def late_answers_are_dropped(patch: Patch) -> None:
    """What contradicts a settled order is not put on record."""

    async def weigh(*_: object) -> None:
        return

    patch.setattr(reconciliation, "weigh_late_answer", weigh)
    patch.setattr("comanda.actors.carrier.weigh_late_answer", weigh)


def told_before_the_commit(patch: Patch) -> None:
    """Everybody hears the events as soon as they are decided."""
    real = DiningSession._commit

    async def commit(self: DiningSession, unit: Unit, outcomes: Outcomes) -> bool:
        for _, outcome in outcomes:
            for event in outcome.events if isinstance(outcome, Decision) else ():
                self._tell(event)
        return await real(self, unit, outcomes)

    patch.setattr(DiningSession, "_commit", commit)


def an_unknown_commit_is_a_success(patch: Patch) -> None:
    """Where nobody knows whether a unit was written, it is taken for written."""
    _change_commit(patch, CommitUnknown, lambda self, unit, outcomes: True)


def an_unknown_commit_is_a_failure(patch: Patch) -> None:
    """Where nobody knows whether a unit was written, the senders hear that it was not."""

    def failed(self: DiningSession, unit: Unit, outcomes: Outcomes) -> bool:
        self._refuse_unsaved(unit.before, outcomes, StorageUnavailable("not written"))
        return False

    _change_commit(patch, CommitUnknown, failed)


def a_stale_house_goes_on(patch: Patch) -> None:
    """Whoever is fenced off tells its members all the same."""
    _change_commit(patch, StaleEpoch, lambda self, unit, outcomes: True)


def an_outage_is_no_failure(patch: Patch) -> None:
    """Where storage has written nothing, the senders are told that all is well."""
    _change_commit(patch, StorageUnavailable, lambda self, unit, outcomes: True)


def _change_commit(
    patch: Patch,
    error: type[Exception],
    then: Callable[[DiningSession, Unit, Outcomes], bool],
) -> None:
    real = DiningSession._commit

    async def commit(self: DiningSession, unit: Unit, outcomes: Outcomes) -> bool:
        around = self._around
        try:
            await around.store.commit(unit)
        except error:
            return then(self, unit, outcomes)
        except Exception as other:
            self._around = dataclasses.replace(around, store=cast(Store, _Raising(other)))
            try:
                return await real(self, unit, outcomes)
            finally:
                self._around = around
        return True

    patch.setattr(DiningSession, "_commit", commit)


class _Raising:
    """A store that has answered already."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def commit(self, unit: Unit) -> None:
        raise self._error


def an_event_misses_one_member(patch: Patch) -> None:
    """Every tenth piece of events, most often one, does not go to the last who came."""
    sent = 0

    def send(self: Audience, frames: bytes, *, besides: Seat | None = None) -> None:
        nonlocal sent
        sent += 1
        seats = list(self._seats)
        for seat in seats[:-1] if sent % 10 == 0 else seats:
            if seat is not besides:
                seat.outlet.send(frames)

    patch.setattr(Audience, "send", send)


def requests_are_forgotten_at_activation(patch: Patch) -> None:
    """A restored session does not know what it has accepted."""
    real = sessions.activate

    def activate(*given: Any) -> Loaded:
        loaded = real(*given)
        return replace(loaded, session=replace(loaded.session, requests={}))

    patch.setattr(sessions, "activate", activate)


def a_lock_that_ends_gives_the_lines_back(patch: Patch) -> None:
    """At the lock limit an order in doubt is failed, though the POS may have it."""
    real = settling.lock_ended

    def lock_ended(session: Session, said: Any, context: Context) -> Decision:
        order = session.pending
        if order is None or order.state == "prepared" or context.now < order.lock_ends_at:
            return real(session, said, context)
        order = replace(order, state="unknown")
        return settling._fail(session, order, "too late", True, Changes(), context)

    patch.setattr(deciding, "lock_ended", lock_ended)


def an_interrupted_call_is_a_failure(patch: Patch) -> None:
    """After a restart an order that was sent is taken for one that was not."""
    real = settling.interrupted

    def interrupted(session: Session, context: Context) -> Decision:
        order = session.pending
        if order is None or order.state != "sent":
            return real(session, context)
        return settling._fail(session, order, "interrupted", True, Changes(), context)

    patch.setattr(deciding, "interrupted", interrupted)


def a_total_that_is_no_sum(patch: Patch) -> None:
    """An order of several lines costs a little more than they do."""
    real = placing._prepare

    def prepare(*given: Any) -> Order:
        order = real(*given)
        return replace(order, total_minor=order.total_minor + (len(order.lines) > 1))

    patch.setattr(placing, "_prepare", prepare)


def a_phone_keeps_what_was_removed(patch: Patch) -> None:
    """A phone goes on showing lines that were taken out."""
    real = CartStore.apply

    def apply(self: CartStore, event: Any) -> Any:
        if getattr(event, "removed", None):
            event = replace(event, removed=())
        return real(self, event)

    patch.setattr(CartStore, "apply", apply)


def sent_again_under_a_new_id(patch: Patch) -> None:
    """The client sends what was not acknowledged once more, under another `request_id`."""
    real = Engine._send_waiting
    times = 0

    async def send_waiting(self: Engine, link: Link) -> None:
        nonlocal times
        for command in self.commands._waiting.values():
            times += 1
            assert command.command.request_id is not None
            old = f'"{command.request_id}"'
            command.frame = command.frame.replace(old, f'"again-{times}"')
        await real(self, link)

    patch.setattr(Engine, "_send_waiting", send_waiting)


def locks_are_seldom_watched(patch: Patch) -> None:
    """Only every fifteenth look of the sweep finds what is overdue."""
    real = sessions.overdue_orders
    looks = 0

    def overdue_orders(connection: Any, now: datetime, limit: int) -> Any:
        nonlocal looks
        looks += 1
        return real(connection, now, limit) if looks % 15 == 0 else ()

    patch.setattr(sessions, "overdue_orders", overdue_orders)


ALL: tuple[Mutant, ...] = (
    a_new_key_for_each_attempt,
    a_timeout_is_a_failure,
    acknowledged_before_the_commit,
    no_fence,
    no_memory_of_requests,
    other_bytes_for_each_attempt,
    a_reset_means_not_sent,
    a_reused_key_is_a_refusal,
    nobody_watches_locks,
    nobody_takes_orders_back,
    late_answers_are_dropped,
    told_before_the_commit,
    an_unknown_commit_is_a_success,
    an_unknown_commit_is_a_failure,
    a_stale_house_goes_on,
    an_outage_is_no_failure,
    an_event_misses_one_member,
    requests_are_forgotten_at_activation,
    a_lock_that_ends_gives_the_lines_back,
    an_interrupted_call_is_a_failure,
    a_total_that_is_no_sum,
    a_phone_keeps_what_was_removed,
    sent_again_under_a_new_id,
    locks_are_seldom_watched,
    *surroundings.ALL,
)
