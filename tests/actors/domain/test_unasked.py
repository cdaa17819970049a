"""What the POS says unasked, or so late that the order is settled; and keys that it uses twice."""

from collections.abc import Callable

import pytest

from comanda.actors.domain.incident import contradiction
from comanda.actors.domain.inputs import CallAnswered, CallStarting, OutcomeHeard, StaffResolved
from comanda.actors.domain.messages import OrderConfirmed, OrderFailed, OrderStateName
from comanda.actors.domain.order import (
    NotSent,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)

from .helpers import ATable, only
from .stages import ACCEPTED, REUSED, prepared, reused, sent, unknown, with_staff

ORDER = "ORD-7-42"
REFUSED = Rejected("sold_out", "No more pizza", False)


def heard(outcome: PosOutcome) -> OutcomeHeard:
    return OutcomeHeard(ORDER, outcome, "callback evt_1")


@pytest.mark.parametrize("made", [sent, unknown, with_staff])
def test_an_acceptance_heard_unasked_confirms_the_order(made: Callable[[], ATable]) -> None:
    table = made()
    decision = table.hears(heard(ACCEPTED))
    event = only(OrderConfirmed, decision.events)
    assert event.order.pos_reference == "K-1"
    order = decision.changes.orders[ORDER]
    assert (order.state, order.heard_by) == ("confirmed", "callback evt_1")
    assert not decision.changes.attempts
    assert not decision.changes.incidents


@pytest.mark.parametrize("made", [sent, unknown])
def test_a_refusal_heard_unasked_gives_the_lines_back(made: Callable[[], ATable]) -> None:
    table = made()
    decision = table.hears(heard(REFUSED))
    event = only(OrderFailed, decision.events)
    assert (event.error, event.allow_retry) == ("No more pizza", False)
    assert [line.state for line in table.session.lines.values()] == ["pending"] * 2


def test_a_refusal_heard_after_the_lock_gives_nothing_back() -> None:
    table = with_staff()
    table.hears(heard(REFUSED))
    assert table.session.lines == {}
    assert table.session.in_doubt == {}


def test_of_an_order_that_was_never_sent_the_pos_cannot_speak() -> None:
    table = prepared()
    before = table.session
    decision = table.hears(heard(ACCEPTED))
    assert table.session is before
    assert decision.reply is None


def test_a_call_that_ends_after_its_order_was_settled_has_its_end_on_record() -> None:
    table = sent()
    table.hears(heard(ACCEPTED))
    before = table.session
    decision = table.hears(CallAnswered(ORDER, 1, ACCEPTED))
    assert table.session is before
    assert decision.reply is None
    assert [attempt.attempt for attempt in decision.changes.attempts] == [1]


# --- A key that the POS has with another body -----------------------------------------------------


def test_a_reused_key_is_unknown_and_an_incident() -> None:
    table = sent()
    decision = table.answers(REUSED)
    assert (table.order.state, table.order.stage) == ("unknown", "unknown")
    (incident,) = decision.changes.incidents
    assert (incident.order_id, incident.kind) == (ORDER, "key_reused")
    assert incident.restaurant_id == table.order.restaurant_id
    assert incident.opened_at == table.now


@pytest.mark.parametrize("outcome", [ACCEPTED, REFUSED])
def test_what_the_pos_says_of_a_reused_key_is_of_another_order_and_not_believed(
    outcome: PosOutcome,
) -> None:
    table = reused()
    before = table.session
    table.hears(heard(outcome))
    table.hears(CallAnswered(ORDER, 1, outcome))
    assert table.session is before


def test_a_reused_key_is_not_called_again_and_its_order_goes_to_the_staff() -> None:
    table = reused()
    assert table.hears(CallStarting(ORDER)).reply is None
    table.lock_ends()
    assert table.session.in_doubt[ORDER].state == "needs_staff"


# --- What must be taken back ----------------------------------------------------------------------


def resolved(outcome: str) -> StaffResolved:
    return StaffResolved(ORDER, outcome, None, "Asked Luca", "the staff")  # type: ignore[arg-type]


def test_an_order_that_the_staff_cancel_is_taken_back_from_the_pos() -> None:
    table = with_staff()
    decision = table.hears(resolved("rejected"))
    assert [void.order_id for void in decision.changes.voids] == [ORDER]


def test_an_order_that_the_staff_confirm_is_not_taken_back() -> None:
    table = with_staff()
    assert not table.hears(resolved("confirmed")).changes.voids


def test_of_a_reused_key_nothing_is_taken_back_since_it_is_another_tables_order() -> None:
    table = reused()
    table.lock_ends()
    assert not table.hears(resolved("rejected")).changes.voids


# --- What contradicts what ------------------------------------------------------------------------

OUTCOMES: tuple[PosOutcome, ...] = (
    ACCEPTED,
    REFUSED,
    REUSED,
    Pending("K-1", None),
    Unknown("reset"),
    NotSent("refused"),
)


@pytest.mark.parametrize(
    ("state", "kinds"),
    [
        ("confirmed", [None, "refused_after_confirmed", "key_reused", None, None, None]),
        ("rejected", ["accepted_after_rejected", None, "key_reused", None, None, None]),
    ],
)
def test_only_the_opposite_word_and_a_reused_key_contradict_a_settled_order(
    state: OrderStateName, kinds: list[str | None]
) -> None:
    assert [contradiction(state, outcome) for outcome in OUTCOMES] == kinds
