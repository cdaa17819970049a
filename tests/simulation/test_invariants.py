"""What the invariants make of evidence that simulated evenings have brought, each with its seed."""

import pytest

from comanda.actors.domain.messages import AddItem, UpdateItem
from comanda.simulation.invariants import (
    acknowledged_commands_stand_once,
    locks_end_and_staff_are_told,
)
from comanda.simulation.kitchen import contradictions_are_on_record, nothing_is_cooked_twice
from comanda.simulation.ledger import Entry, What
from comanda.simulation.neighbours import crashes_touch_no_other_session
from comanda.simulation.witness import (
    ClockJumped,
    Closed,
    Done,
    Edit,
    Evidence,
    OrderSeen,
    Position,
    Sample,
)

ORDER = "ORD-9-2"


def _sample(at: float, state: str, ahead: float = 0.0) -> Sample:
    order = OrderSeen(state, 10.0 + ahead, 70.0 + ahead)
    return Sample(at, Position(1, round(at)), {}, {ORDER: order})


def _rejected_at(at: float, *entries: tuple[float, What]) -> Evidence:
    row = {"order_id": ORDER, "state": "rejected", "decided_by": None}
    return Evidence(
        samples=[_sample(10.0, "sent"), _sample(at, "rejected")],
        ledger=[Entry(then, what, ORDER, b"{}") for then, what in entries],
        rows={"incidents": [], "voids": [], "order_journal": [row]},
    )


def test_an_order_that_the_pos_gave_up_before_it_was_rejected_is_no_contradiction() -> None:
    """Profile all, seed 11: accepted, every answer lost, withdrawn by a callback 70 s later."""
    evidence = _rejected_at(80.0, (10.0, "effect"), (80.0, "withdrawn"))
    assert list(contradictions_are_on_record(evidence)) == []


def test_a_line_may_be_cooked_again_once_the_pos_has_given_it_up() -> None:
    body = b'{"lines": [{"note": "n-1"}]}'
    again = Entry(85.0, "effect", "ORD-9-3", body)
    evidence = _rejected_at(80.0, (10.0, "effect"), (79.0, "withdrawn"))
    evidence.ledger = [one._replace(body=body) for one in evidence.ledger] + [again]
    assert list(nothing_is_cooked_twice(evidence)) == []
    evidence.ledger = [one for one in evidence.ledger if one.what == "effect"]
    assert list(nothing_is_cooked_twice(evidence)) == ["'n-1' had its effect at the POS 2 times"]


@pytest.mark.parametrize(
    "entries",
    [
        [(10.0, "effect")],
        [(10.0, "refused"), (90.0, "effect")],
        [(10.0, "effect"), (90.0, "withdrawn")],
        [(85.0, "effect"), (90.0, "withdrawn")],
    ],
)
def test_an_order_that_was_rejected_while_the_pos_had_it_or_before_is_one(
    entries: list[tuple[float, What]],
) -> None:
    first, second = contradictions_are_on_record(_rejected_at(80.0, *entries))
    assert "no incident says so" in first
    assert "nobody takes it back" in second


@pytest.mark.parametrize(
    ("by", "then", "told"),
    [
        ("the staff", "voided", 0),
        ("the staff", "withdrawn", 1),
        (None, "voided", 1),
    ],
)
def test_what_the_staff_rejected_unheard_and_the_pos_took_back_is_nobodys_to_put_on_record(
    by: str | None, then: What, told: int
) -> None:
    """Profile all, seed 2165: a paused house's call came through after the staff had rejected the order."""
    evidence = _rejected_at(26.4, (26.5, "effect"), (30.0, then))
    evidence.rows["order_journal"][0]["decided_by"] = by
    evidence.rows["voids"] = [{"order_id": ORDER}]
    assert len(list(contradictions_are_on_record(evidence))) == told


def _unknown_until(at: float, *jumps: ClockJumped, ahead: float = 0.0) -> Evidence:
    """`ahead`: by how much the clock was, when it said when the order was placed."""
    states = ((10.0, "unknown"), (at, "unknown"), (at, "needs_staff"))
    return Evidence(
        samples=[_sample(when, state, ahead) for when, state in states],
        clock_jumps=list(jumps),
        rows={"order_journal": []},
    )


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_is_put_right_again_at_once_ends_no_lock(seconds: float) -> None:
    """Profile all, seeds 156 and 72: no sweep has looked at the clock while it was wrong."""
    jumps = (ClockJumped(30.0, seconds), ClockJumped(30.1, -seconds))
    assert list(locks_end_and_staff_are_told(_unknown_until(72.0, *jumps))) == []
    assert list(locks_end_and_staff_are_told(_unknown_until(80.0, *jumps))) != []


@pytest.mark.parametrize("seconds", [-3600.0, 3600.0])
def test_a_clock_that_stays_wrong_ends_it(seconds: float) -> None:
    jumps = (ClockJumped(30.0, seconds), ClockJumped(50.0, -seconds))
    assert list(locks_end_and_staff_are_told(_unknown_until(34.0, *jumps))) == []
    assert list(locks_end_and_staff_are_told(_unknown_until(72.0, *jumps))) != []


@pytest.mark.parametrize("began", [48.0, 50.5])
def test_a_clock_that_was_put_right_before_the_next_house_came_ends_no_lock(began: float) -> None:
    """Profile all, seed 1633: nobody was there to look at the clock while it was wrong."""
    jumps = (ClockJumped(30.0, -3600.0), ClockJumped(50.0, 3600.0))
    evidence = _unknown_until(72.0, *jumps)
    evidence.starts = [began]
    assert list(locks_end_and_staff_are_told(evidence)) == []
    evidence = _unknown_until(80.0, *jumps)
    evidence.starts = [began]
    assert list(locks_end_and_staff_are_told(evidence)) != []


def test_an_order_that_is_placed_in_the_moment_in_which_clocks_jump_has_its_whole_lock() -> None:
    """Profile all, seed 18743: in the sum of the jumps the moment was a billionth of a second off."""
    jumps = (ClockJumped(10.0000001, 3600.0), ClockJumped(10.0000001, -40.0))
    assert list(locks_end_and_staff_are_told(_unknown_until(72.0, *jumps, ahead=3560.0))) == []
    assert list(locks_end_and_staff_are_told(_unknown_until(80.0, *jumps, ahead=3560.0))) != []


def test_a_lock_that_ends_while_storage_fails_ends_after_the_next_probe_of_it() -> None:
    """Profile all, seeds 20788, 23975 and 47290: probes come up to 10 s after storage answers again."""
    evidence = _unknown_until(80.0)
    assert list(locks_end_and_staff_are_told(evidence)) != []
    evidence.starts = evidence.storage_back = [69.0]
    assert list(locks_end_and_staff_are_told(evidence)) != []
    evidence.outages = [(60.0, 75.0)]
    assert list(locks_end_and_staff_are_told(evidence)) == []
    evidence.outages = [(60.0, 73.0)]
    assert list(locks_end_and_staff_are_told(evidence)) != []


def test_a_house_that_probes_storage_too_late_ends_locks_too_late() -> None:
    evidence = _unknown_until(80.0)
    evidence.outages = [(60.0, 79.0)]
    evidence.starts = evidence.storage_back = [65.0]
    assert list(locks_end_and_staff_are_told(evidence)) == []
    evidence.starts = evidence.storage_back = [63.0]
    assert list(locks_end_and_staff_are_told(evidence)) != []


def _line(qty: int, said: list[Done], unanswered: list[Edit]) -> Evidence:
    line = {"public_id": "item_1", "note": "n-1", "qty": qty, "removed": 0, "state": "pending"}
    rows = {"cart_items": [line], "order_journal": []}
    return Evidence(done=said, unanswered=unanswered, rows=rows)


def test_a_line_whose_add_was_never_answered_stands_as_it_was_changed_later() -> None:
    """Profile all, seed 1663: the reply to the add was lost, and the line was changed, acknowledged."""
    changed = Done("member_1", UpdateItem("item_1", qty=5), 9)
    lost = AddItem(456, 2, "n-1")
    assert list(acknowledged_commands_stand_once(_line(5, [changed], [lost]))) == []
    (sentence,) = acknowledged_commands_stand_once(_line(2, [changed], [lost]))
    assert "stands as 2 × 'n-1', unasked" in sentence


def test_a_connection_may_be_closed_1011_where_its_own_session_has_failed_and_nowhere_else() -> (
    None
):
    closed = Closed(114.6, 34, 1011)
    assert list(crashes_touch_no_other_session(Evidence(closed=[closed], failures=[114.6]))) == []
    (sentence,) = crashes_touch_no_other_session(Evidence(closed=[closed]))
    assert "nothing of its own had failed" in sentence
