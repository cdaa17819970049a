"""Five ways to break Comanda on purpose, each in one place of the real code.

A proof that cannot fail proves nothing: with each of these some run must find a violation.
"""

from itertools import count

import pytest
from msgspec.structs import replace

from comanda.actors.dining_session import DiningSession
from comanda.actors.domain import decide as deciding
from comanda.actors.domain import settling
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.inputs import ByMember, Context, Decision, Refusal
from comanda.actors.domain.messages import Ack
from comanda.actors.domain.order import Order, Pending, PosOutcome, Unknown
from comanda.actors.domain.session import Session
from comanda.actors.ports import Unit
from comanda.actors.pos_task import PosTask
from comanda.actors.sayings import Outcomes
from comanda.storage import bulk, units

Patch = pytest.MonkeyPatch


def a_new_key_for_each_attempt(patch: Patch) -> None:
    """The POS hears another key each time it is called for the same order."""
    real = PosTask._ask_pos

    async def ask_pos(self: PosTask, order: Order) -> PosOutcome:
        return await real(self, replace(order, order_id=f"{order.order_id}-{order.attempt}"))

    patch.setattr(PosTask, "_ask_pos", ask_pos)


def a_timeout_is_a_failure(patch: Patch) -> None:
    """No answer within the limit gives the lines back to the cart."""
    real = settling._in_doubt

    def in_doubt(
        session: Session,
        order: Order,
        outcome: Pending | Unknown,
        changes: Changes,
        context: Context,
    ) -> Decision:
        if isinstance(outcome, Unknown):
            return settling._fail(session, order, outcome.why, True, changes, context)
        return real(session, order, outcome, changes, context)

    patch.setattr(settling, "_in_doubt", in_doubt)


def acknowledged_before_the_commit(patch: Patch) -> None:
    """The sender is answered as soon as it is decided."""
    real = DiningSession._commit

    async def commit(self: DiningSession, unit: Unit, outcomes: Outcomes) -> bool:
        for envelope, outcome in outcomes:
            if isinstance(envelope.message, ByMember) and outcome is not None:
                envelope.resolve(self._answer(envelope.message, outcome))
        return await real(self, unit, outcomes)

    patch.setattr(DiningSession, "_commit", commit)


def no_fence(patch: Patch) -> None:
    """A unit is written whoever owns the session now, and wherever it stands."""
    names, columns, body = units._fence._names, units._fence._columns, units._fence._body
    fence = " AND dining_sessions.epoch = given.epoch AND dining_sessions.seq = given.was"
    assert fence in body
    unfenced = bulk.Bulk(names, columns, body.replace(fence, ""))
    patch.setattr(units, "_fence", unfenced)


def no_memory_of_requests(patch: Patch) -> None:
    """A command is worked on as often as it comes, whatever its `request_id`."""
    real = deciding._by_member
    times = count(1)

    def by_member(session: Session, said: ByMember, context: Context) -> Decision | Refusal:
        command = replace(said.command, request_id=f"always-new-{next(times)}")
        outcome = real(session, ByMember(said.member_id, command), context)
        if isinstance(outcome, Decision) and isinstance(outcome.reply, Ack):
            reply = replace(outcome.reply, request_id=said.command.request_id)
            return replace(outcome, reply=reply)
        return outcome

    patch.setattr(deciding, "_by_member", by_member)
