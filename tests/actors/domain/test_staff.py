"""The staff settle an order that was left to them."""

from collections.abc import Callable
from typing import Literal

import pytest

from comanda.actors.domain.changes import LineMove
from comanda.actors.domain.inputs import CallAnswered, StaffResolved
from comanda.actors.domain.messages import OrderConfirmed, OrderFailed
from comanda.actors.domain.order import Accepted, Order, Pending
from comanda.actors.domain.settling import REJECTED_BY_STAFF

from .helpers import LASSI, NOW, ATable, only, refused
from .stages import prepared, sent, unknown, with_staff

WHO = "restaurant 7's staff"
WHY = "The kitchen has it"


def said(
    outcome: Literal["confirmed", "rejected"] = "confirmed",
    order_id: str = "ORD-7-42",
    reference: str | None = None,
) -> StaffResolved:
    return StaffResolved(order_id, outcome, reference, WHY, WHO)


def test_a_confirmed_order_is_ordered_and_its_table_told() -> None:
    table = with_staff()
    seq = table.session.seq
    decision = table.hears(said(reference="A-1"))
    event = only(OrderConfirmed, decision.events)
    assert (event.seq, event.order_id, event.order.pos_reference) == (seq + 1, "ORD-7-42", "A-1")
    assert not table.session.in_doubt
    assert decision.changes.moves == [
        LineMove("item_1", "ordered", "ORD-7-42"),
        LineMove("item_2", "ordered", "ORD-7-42"),
    ]
    assert not decision.changes.removed


def test_a_rejected_orders_lines_leave_for_good_and_nobody_is_offered_to_retry() -> None:
    table = with_staff()
    decision = table.hears(said("rejected"))
    event = only(OrderFailed, decision.events)
    assert (event.error, event.allow_retry) == (REJECTED_BY_STAFF, False)
    assert not table.session.in_doubt
    assert not table.session.lines
    assert decision.changes.moves == [
        LineMove("item_1", "pending", None),
        LineMove("item_2", "pending", None),
    ]
    assert list(decision.changes.removed) == ["item_1", "item_2"]
    assert not decision.changes.orders["ORD-7-42"].allow_retry


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
def test_the_record_says_who_decided_when_and_why(
    outcome: Literal["confirmed", "rejected"],
) -> None:
    table = with_staff()
    table.passes(100)
    decision = table.hears(said(outcome))
    order = decision.changes.orders["ORD-7-42"]
    assert decision.reply == order
    assert (order.state, order.settled_at) == (outcome, table.now)
    assert (order.decided_by, order.decided_reason) == (WHO, WHY)
    assert not decision.changes.attempts


def test_what_the_pos_settles_was_decided_by_nobody() -> None:
    table = with_staff()
    decision = table.answers(Accepted("K-1"), "ORD-7-42")
    order = decision.changes.orders["ORD-7-42"]
    assert (order.decided_by, order.decided_reason) == (None, None)


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
def test_the_staffs_reason_is_not_told_to_the_table(
    outcome: Literal["confirmed", "rejected"],
) -> None:
    decision = with_staff().hears(said(outcome))
    assert WHY not in repr(decision.events)


def test_a_reference_that_the_pos_has_given_stands_where_the_staff_give_none() -> None:
    for given, kept in ((None, "K-1"), ("A-1", "A-1")):
        table = sent()
        table.answers(Pending("K-1", NOW))
        table.lock_ends()
        order = table.hears(said(reference=given)).reply
        assert isinstance(order, Order)
        assert order.pos_reference == kept


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
def test_a_later_round_its_lock_and_the_status_are_not_touched(
    outcome: Literal["confirmed", "rejected"],
) -> None:
    table = with_staff()
    table.adds(LASSI)
    table.places()
    before = table.session
    table.hears(said(outcome))
    after = table.session
    assert (after.lines, after.pending, after.last_order) == (
        before.lines,
        before.pending,
        before.last_order,
    )
    assert after.processing_status == "processing"
    table.sends()
    table.answers(Accepted("K-2"))
    assert table.session.processing_status == "confirmed"


def test_the_status_of_the_last_order_stays() -> None:
    table = with_staff()
    table.adds(LASSI)
    table.places()
    table.sends()
    table.answers(Accepted("K-2"))
    last = table.session.last_order
    table.hears(said("rejected"))
    assert table.session.last_order == last
    assert table.session.processing_status == "confirmed"


@pytest.mark.parametrize("made", [prepared, sent, unknown, ATable])
def test_an_order_that_does_not_wait_for_the_staff_is_refused_to_them(
    made: Callable[[], ATable],
) -> None:
    table = made()
    before = table.session
    assert refused(table.decide(said())).rejection.code == "conflict"
    assert table.session is before


@pytest.mark.parametrize("first", ["confirmed", "rejected"])
@pytest.mark.parametrize("then", ["confirmed", "rejected"])
def test_an_order_is_settled_once(
    first: Literal["confirmed", "rejected"], then: Literal["confirmed", "rejected"]
) -> None:
    table = with_staff()
    table.hears(said(first))
    before = table.session
    assert refused(table.decide(said(then))).rejection.code == "conflict"
    assert table.session is before


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
def test_an_order_of_a_party_that_has_left_is_settled_all_the_same(
    outcome: Literal["confirmed", "rejected"],
) -> None:
    table = with_staff()
    table.closes()
    decision = table.hears(said(outcome))
    assert decision.changes.orders["ORD-7-42"].state == outcome
    assert table.session.closed_reason is not None


def test_an_answer_that_comes_after_the_staffs_decision_changes_nothing() -> None:
    table = with_staff()
    table.hears(said("rejected"))
    before = table.session
    decision = table.hears(CallAnswered("ORD-7-42", 1, Accepted("K-1")))
    assert table.session is before
    assert not decision.events
    assert not decision.changes.orders
