from collections.abc import Callable

import pytest

from comanda.actors.domain.changes import AttemptEnded, AttemptStarted, LineMove
from comanda.actors.domain.inputs import (
    CallAnswered,
    CallStarting,
    Interrupted,
    LockEnded,
    OutcomeHeard,
)
from comanda.actors.domain.messages import (
    CartUnlocked,
    CartUpdated,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
)
from comanda.actors.domain.order import (
    Order,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)

from .helpers import LASSI, MARGHERITA, ATable, only
from .stages import (
    ACCEPTED,
    NOT_SENT,
    PENDING,
    REFUSED,
    UNKNOWN,
    confirmed,
    interrupted,
    prepared,
    rejected,
    sent,
    taken,
    unknown,
    with_staff,
)

REFUSED_FOR_GOOD = Rejected("closed", "The kitchen is closed", False)
EVERY_OUTCOME: tuple[PosOutcome, ...] = (
    ACCEPTED,
    REFUSED,
    REFUSED_FOR_GOOD,
    NOT_SENT,
    UNKNOWN,
    PENDING,
)


# --- The call starts (T2) -------------------------------------------------------------------------


def test_the_first_call_makes_the_order_sent_and_puts_the_attempt_on_record() -> None:
    table = prepared()
    table.passes(1)
    decision = table.hears(CallStarting("ORD-7-42"))
    assert decision.reply == table.order
    assert (table.order.state, table.order.attempt) == ("sent", 1)
    assert decision.changes.attempts == [AttemptStarted("ORD-7-42", 1, table.now)]
    assert decision.changes.orders == {"ORD-7-42": table.order}
    event = only(OrderProcessing, decision.events)
    assert (event.seq, event.order_id, event.stage, event.attempt) == (6, "ORD-7-42", "sent", 1)
    assert event.message == "Your order is being processed..."
    assert event.lock_ends_at == table.order.lock_ends_at
    assert event.timestamp == table.session.updated_at == table.now


@pytest.mark.parametrize(("made", "stage"), [(unknown, "unknown"), (taken, "pending")])
def test_a_further_call_counts_the_attempt_and_keeps_what_is_known(
    made: Callable[[], ATable], stage: str
) -> None:
    table = made()
    decision = table.hears(CallStarting("ORD-7-42"))
    assert (table.order.state, table.order.attempt) == ("unknown", 2)
    assert decision.changes.attempts == [AttemptStarted("ORD-7-42", 2, table.now)]
    event = only(OrderProcessing, decision.events)
    assert (event.stage, event.attempt) == (stage, 2)


def test_every_call_carries_the_same_bytes() -> None:
    table = prepared()
    payload = table.order.payload
    table.sends()
    table.answers(UNKNOWN)
    table.changes_menu(MARGHERITA, price_minor=1)
    order = table.sends()
    assert order.payload == payload
    assert order.lines == table.order.lines


@pytest.mark.parametrize("made", [with_staff, confirmed, rejected])
def test_nobody_calls_the_pos_for_an_order_that_is_no_longer_in_flight(
    made: Callable[[], ATable],
) -> None:
    table = made()
    before = table.session
    decision = table.hears(CallStarting("ORD-7-42"))
    assert decision.reply is None
    assert table.session is before
    assert not decision.events
    assert not decision.changes


@pytest.mark.parametrize(
    "said",
    [
        CallStarting("ORD-7-1"),
        OutcomeHeard("ORD-7-1", ACCEPTED, "callback evt_1"),
        LockEnded("ORD-7-1"),
    ],
)
@pytest.mark.parametrize("made", [ATable, prepared, sent, unknown, with_staff])
def test_what_concerns_another_order_changes_nothing(
    made: Callable[[], ATable], said: CallStarting | OutcomeHeard | LockEnded
) -> None:
    table = made()
    table.passes(600)
    before = table.session
    decision = table.hears(said)
    assert decision.reply is None
    assert table.session is before
    assert not decision.events
    assert not decision.changes


# --- The POS accepts ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [sent, unknown, taken, interrupted])
def test_an_accepted_order_is_confirmed_and_its_lines_leave_the_cart(
    made: Callable[[], ATable],
) -> None:
    table = made()
    seq = table.session.seq
    table.passes(2)
    decision = table.answers(ACCEPTED)
    order = decision.changes.orders["ORD-7-42"]
    assert decision.reply == order
    assert (order.state, order.pos_reference, order.error) == ("confirmed", "K-1", None)
    assert order.settled_at == table.now
    assert table.session.pending is None
    assert not table.session.lines
    assert table.session.total_minor == 0
    assert table.session.retired == {"item_1", "item_2"}
    assert decision.changes.moves == [
        LineMove("item_1", "ordered", "ORD-7-42"),
        LineMove("item_2", "ordered", "ORD-7-42"),
    ]
    assert not decision.changes.removed
    event = only(OrderConfirmed, decision.events)
    assert (event.seq, event.message) == (seq + 1, "Order placed successfully!")
    assert event.order == order.as_record()
    assert event.order.pos_reference == "K-1"
    assert len(event.order.lines) == 2
    assert table.session.processing_status == "confirmed"


# --- The POS refuses, or the order never left -----------------------------------------------------


@pytest.mark.parametrize(
    ("made", "outcome", "error", "retry"),
    [
        (sent, REFUSED, "POS system unavailable", True),
        (sent, REFUSED_FOR_GOOD, "The kitchen is closed", False),
        (sent, NOT_SENT, "connection refused", True),
        (unknown, REFUSED, "POS system unavailable", True),
        (taken, REFUSED_FOR_GOOD, "The kitchen is closed", False),
        (interrupted, REFUSED, "POS system unavailable", True),
    ],
)
def test_a_refused_order_gives_its_lines_back_to_the_cart(
    made: Callable[[], ATable], outcome: PosOutcome, error: str, retry: bool
) -> None:
    table = made()
    seq = table.session.seq
    table.passes(2)
    decision = table.answers(outcome)
    order = decision.changes.orders["ORD-7-42"]
    assert decision.reply == order
    assert (order.state, order.error, order.allow_retry) == ("rejected", error, retry)
    assert order.settled_at == table.now
    assert table.session.pending is None
    assert list(table.session.lines) == ["item_1", "item_2"]
    assert {line.state for line in table.session.lines.values()} == {"pending"}
    assert table.session.total_minor == 134000
    assert decision.changes.moves == [
        LineMove("item_1", "pending", None),
        LineMove("item_2", "pending", None),
    ]
    assert not decision.changes.removed
    event = only(OrderFailed, decision.events)
    assert (event.seq, event.order_id, event.error) == (seq + 1, "ORD-7-42", error)
    assert event.special_instructions == "By the window"
    assert event.allow_retry is retry
    assert event.message == ("Order failed. Please try again." if retry else "Order failed.")
    assert table.session.processing_status == "failed"


@pytest.mark.parametrize("made", [unknown, taken, interrupted, with_staff])
def test_that_a_later_call_was_not_sent_proves_nothing_about_the_first(
    made: Callable[[], ATable],
) -> None:
    table = made()
    before = table.session
    table.hears(CallStarting("ORD-7-42"))
    decision = table.answers(NOT_SENT, "ORD-7-42")
    assert isinstance(decision.reply, Order)
    assert decision.reply.state in ("unknown", "needs_staff")
    assert not decision.changes.moves
    assert table.session.lines == before.lines
    assert (
        AttemptEnded("ORD-7-42", decision.reply.attempt, table.now, NOT_SENT)
        in decision.changes.attempts
    )


def test_a_second_call_beside_one_that_is_unanswered_makes_not_sent_no_proof() -> None:
    table = sent()
    table.sends()
    table.answers(NOT_SENT)
    assert table.order.state == "unknown"


# --- Nobody knows ---------------------------------------------------------------------------------


def test_silence_is_no_failure_the_cart_stays_locked() -> None:
    table = sent()
    decision = table.answers(UNKNOWN)
    assert decision.reply == table.order
    assert table.order.state == "unknown"
    assert {line.state for line in table.session.lines.values()} == {"locked"}
    event = only(OrderProcessing, decision.events)
    assert (event.stage, event.attempt) == ("unknown", 1)
    assert decision.changes.attempts == [AttemptEnded("ORD-7-42", 1, table.now, UNKNOWN)]


def test_an_order_that_the_pos_has_taken_waits_for_its_decision() -> None:
    table = sent()
    decision = table.answers(PENDING)
    assert (table.order.state, table.order.expected_by) == ("unknown", PENDING.expected_by)
    assert table.order.pos_reference == "K-1"
    assert only(OrderProcessing, decision.events).stage == "pending"


def test_an_order_once_taken_stays_taken_when_the_next_look_up_is_silent() -> None:
    table = taken()
    before = table.session
    decision = table.answers(UNKNOWN)
    assert table.order.stage == "pending"
    assert table.order.pos_reference == "K-1"
    assert not decision.events
    assert table.session.seq == before.seq


def test_an_unknown_order_that_turns_out_taken_says_so() -> None:
    table = unknown()
    assert only(OrderProcessing, table.answers(PENDING).events).stage == "pending"


@pytest.mark.parametrize(("made", "outcome"), [(unknown, UNKNOWN), (taken, PENDING)])
def test_no_news_is_no_event_but_on_record(made: Callable[[], ATable], outcome: PosOutcome) -> None:
    table = made()
    table.sends()
    seq = table.session.seq
    decision = table.answers(outcome)
    assert not decision.events
    assert table.session.seq == seq
    assert decision.reply == table.order
    assert decision.changes.attempts == [AttemptEnded("ORD-7-42", 2, table.now, outcome)]
    assert decision.changes.orders == {"ORD-7-42": table.order}


def test_a_pending_answer_without_a_reference_keeps_the_one_that_is_known() -> None:
    table = taken()
    table.answers(Pending(None, None))
    assert table.order.pos_reference == "K-1"
    assert table.order.expected_by is None


@pytest.mark.parametrize("outcome", EVERY_OUTCOME)
def test_an_answer_to_a_call_that_was_not_made_is_not_heard(outcome: PosOutcome) -> None:
    table = prepared()
    before = table.session
    decision = table.answers(outcome)
    assert table.session is before
    assert decision.reply is None
    assert not decision.events
    assert not decision.changes.orders


@pytest.mark.parametrize("outcome", EVERY_OUTCOME)
@pytest.mark.parametrize("made", [confirmed, rejected])
def test_an_order_has_one_outcome_and_of_later_answers_only_the_calls_end_is_kept(
    made: Callable[[], ATable], outcome: PosOutcome
) -> None:
    table = made()
    before = table.session
    decision = table.hears(CallAnswered("ORD-7-42", 1, outcome))
    assert table.session is before
    assert decision.reply is None
    assert not decision.events
    assert decision.changes.attempts == [AttemptEnded("ORD-7-42", 1, table.now, outcome)]
    assert not decision.changes.orders


# --- A new activation takes over ------------------------------------------------------------------


def test_a_call_that_was_cut_off_has_an_unknown_outcome() -> None:
    table = sent()
    decision = table.hears(Interrupted())
    assert table.order.state == "unknown"
    (ended,) = decision.changes.attempts
    assert isinstance(ended, AttemptEnded)
    assert isinstance(ended.outcome, Unknown)
    assert (ended.order_id, ended.attempt) == ("ORD-7-42", 1)
    assert only(OrderProcessing, decision.events).stage == "unknown"


@pytest.mark.parametrize("made", [ATable, prepared, unknown, taken, with_staff, confirmed])
def test_a_new_activation_changes_nothing_where_no_call_was_under_way(
    made: Callable[[], ATable],
) -> None:
    table = made()
    before = table.session
    decision = table.is_interrupted()
    assert table.session is before
    assert not decision.events
    assert not decision.changes


# --- The lock limit -------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [sent, unknown, taken])
def test_at_the_lock_limit_the_cart_opens_and_the_order_goes_to_the_staff(
    made: Callable[[], ATable],
) -> None:
    table = made()
    seq = table.session.seq
    was_sent = table.order.state == "sent"
    decision = table.lock_ends()
    order = table.session.in_doubt["ORD-7-42"]
    assert decision.reply == order == decision.changes.orders["ORD-7-42"]
    assert order.state == "needs_staff"
    assert table.session.pending is None
    assert not table.session.lines
    assert table.session.retired == {"item_1", "item_2"}
    assert table.session.processing_status == "idle"
    assert not decision.changes.moves
    assert not decision.changes.removed
    processing, unlocked = decision.events
    assert isinstance(processing, OrderProcessing)
    assert isinstance(unlocked, CartUnlocked)
    assert (processing.seq, processing.stage) == (seq + 1, "needs_staff")
    assert (unlocked.seq, unlocked.order_id) == (seq + 2, "ORD-7-42")
    assert table.session.seq == seq + 2
    assert len(decision.changes.attempts) == was_sent


def test_an_order_that_was_not_sent_by_the_lock_limit_has_failed() -> None:
    table = prepared()
    decision = table.lock_ends()
    event = only(OrderFailed, decision.events)
    assert event.allow_retry
    assert {line.state for line in table.session.lines.values()} == {"pending"}
    assert decision.changes.orders["ORD-7-42"].state == "rejected"
    assert not decision.changes.attempts
    assert table.hears(CallStarting("ORD-7-42")).reply is None


@pytest.mark.parametrize("made", [prepared, sent, unknown])
def test_the_lock_does_not_end_before_its_time(made: Callable[[], ATable]) -> None:
    table = made()
    before = table.session
    table.passes(59.999)
    assert not table.hears(LockEnded("ORD-7-42")).events
    assert table.session is before
    table.passes(0.001)
    assert table.hears(LockEnded("ORD-7-42")).events


@pytest.mark.parametrize("made", [prepared, sent, unknown])
def test_the_lock_ends_when_the_clock_is_put_back_to_before_the_order(
    made: Callable[[], ATable],
) -> None:
    table = made()
    placed_at = table.order.placed_at
    table.passes(-3600)
    assert table.hears(LockEnded("ORD-7-42")).events
    assert table.session.pending is None
    assert placed_at > table.now


@pytest.mark.parametrize("made", [prepared, sent, unknown])
def test_a_clock_that_is_put_right_by_a_little_ends_no_lock(made: Callable[[], ATable]) -> None:
    table = made()
    table.passes((table.order.placed_at - table.now).total_seconds() - 4.9)
    assert not table.hears(LockEnded("ORD-7-42")).events
    assert table.session.pending is not None


@pytest.mark.parametrize("made", [with_staff, confirmed, rejected])
def test_the_lock_ends_once(made: Callable[[], ATable]) -> None:
    table = made()
    table.passes(600)
    before = table.session
    decision = table.hears(LockEnded("ORD-7-42"))
    assert table.session is before
    assert not decision.events
    assert not decision.changes


def another_round(*, locked: bool) -> ATable:
    table = with_staff()
    table.adds(LASSI)
    if locked:
        table.places()
    return table


@pytest.mark.parametrize("locked", [False, True])
def test_a_late_confirmation_does_not_touch_the_next_round(locked: bool) -> None:
    table = another_round(locked=locked)
    before = table.session
    decision = table.answers(ACCEPTED, "ORD-7-42")
    assert only(OrderConfirmed, decision.events).order_id == "ORD-7-42"
    assert not table.session.in_doubt
    assert table.session.lines == before.lines
    assert table.session.pending == before.pending
    assert table.session.last_order == before.last_order
    assert [move.state for move in decision.changes.moves] == ["ordered", "ordered"]
    assert not decision.changes.removed


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("outcome", [REFUSED, REFUSED_FOR_GOOD])
def test_a_late_refusal_does_not_put_its_lines_into_the_next_round(
    locked: bool, outcome: PosOutcome
) -> None:
    table = another_round(locked=locked)
    table.alters_menu(LASSI, price_minor=1)
    before = table.session
    decision = table.answers(outcome, "ORD-7-42")
    event = only(OrderFailed, decision.events)
    assert not event.allow_retry
    assert event.message == "Order failed."
    assert not decision.changes.orders["ORD-7-42"].allow_retry
    assert not table.session.in_doubt
    assert table.session.lines == before.lines
    assert table.session.pending == before.pending
    assert table.session.last_order == before.last_order
    assert [move.state for move in decision.changes.moves] == ["pending", "pending"]
    assert list(decision.changes.removed) == ["item_1", "item_2"]


@pytest.mark.parametrize("outcome", [UNKNOWN, PENDING, NOT_SENT])
def test_an_order_with_the_staff_stays_there_until_it_has_an_outcome(outcome: PosOutcome) -> None:
    table = another_round(locked=False)
    before = table.session
    decision = table.answers(outcome, "ORD-7-42")
    order = table.session.in_doubt["ORD-7-42"]
    assert (decision.reply, order.state, order.stage) == (order, "needs_staff", "needs_staff")
    assert not decision.events
    assert table.session.lines == before.lines
    assert table.session.pending is None
    assert decision.changes.orders == {"ORD-7-42": order}


def test_several_orders_may_be_in_doubt_and_each_is_settled_by_itself() -> None:
    table = another_round(locked=True)
    table.sends()
    table.lock_ends()
    assert list(table.session.in_doubt) == ["ORD-7-42", "ORD-7-43"]
    table.answers(ACCEPTED, "ORD-7-43")
    assert list(table.session.in_doubt) == ["ORD-7-42"]
    table.answers(REFUSED, "ORD-7-42")
    assert not table.session.in_doubt
    assert table.session.retired == {"item_1", "item_2", "item_3"}


# --- Tries in a row -------------------------------------------------------------------------------


def test_failures_in_a_row_of_an_unchanged_cart_are_counted_whoever_orders() -> None:
    table = rejected()
    for tries, member in enumerate(("member_2", "member_1"), start=2):
        table.places(by=member)
        table.sends()
        table.answers(REFUSED)
        assert table.session.last_order is not None
        assert table.session.last_order.tries == tries
        assert table.session.last_order.placed_by == member


@pytest.mark.parametrize(
    "between",
    [
        lambda table: table.adds(),
        lambda table: (table.places(), table.sends(), table.answers(ACCEPTED), table.adds()),
        lambda table: (table.places(), table.sends(), table.lock_ends(), table.adds()),
    ],
)
def test_an_edit_or_another_end_starts_the_count_anew(between: Callable[[ATable], object]) -> None:
    table = rejected()
    between(table)
    table.places()
    table.sends()
    table.answers(REFUSED)
    assert table.session.last_order is not None
    assert table.session.last_order.tries == 1


# --- A closed session -----------------------------------------------------------------------------


def test_an_order_is_settled_though_the_party_has_left() -> None:
    table = prepared()
    table.closes()
    assert table.sends().state == "sent"
    table.answers(UNKNOWN)
    table.lock_ends()
    assert table.answers(ACCEPTED, "ORD-7-42").reply is not None
    assert not table.session.in_doubt


def test_nobody_is_asked_to_try_again_once_the_party_has_left() -> None:
    table = sent()
    table.closes()
    table.alters_menu(MARGHERITA, price_minor=1)
    decision = table.answers(REFUSED)
    assert not only(OrderFailed, decision.events).allow_retry
    assert not decision.changes.lines


# --- What the menu did meanwhile ------------------------------------------------------------------


def test_lines_given_back_follow_what_the_menu_did_while_they_were_locked() -> None:
    table = sent()
    table.changes_menu(MARGHERITA, price_minor=64000)
    seq = table.session.seq
    assert table.session.lines["item_1"].price_minor == 62500
    decision = table.answers(REFUSED)
    failed, updated = decision.events
    assert isinstance(failed, OrderFailed)
    assert isinstance(updated, CartUpdated)
    assert (failed.seq, updated.seq, table.session.seq) == (seq + 1, seq + 2, seq + 2)
    assert updated.by_member is None
    assert [item.public_id for item in updated.items] == ["item_1"]
    assert table.session.lines["item_1"].price_minor == 64000
    assert decision.changes.lines == {"item_1": table.session.lines["item_1"]}
    assert table.session.processing_status == "failed"
    assert decision.changes.orders["ORD-7-42"].lines[0].price_minor == 62500


def test_what_failed_before_is_forgotten_when_the_lock_ends() -> None:
    table = rejected()
    table.places()
    table.sends()
    table.lock_ends()
    assert table.session.last_order is None
    assert table.session.processing_status == "idle"


def test_an_order_that_was_not_sent_before_its_lock_limit_is_not_sent_late() -> None:
    table = ATable(lock_limit_seconds=60)
    table.adds()
    order = table.places()
    table.passes(60)
    decision = table.hears(CallStarting(order.order_id))
    assert decision.reply is None
    assert [event.__struct_config__.tag for event in decision.events] == ["order_failed"]
    assert decision.session.pending is None
    assert {line.state for line in decision.session.lines.values()} == {"pending"}
