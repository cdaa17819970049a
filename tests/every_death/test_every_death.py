"""A short dinner with one order; the house dies at every storage and POS step, for every POS fault."""

from itertools import pairwise

import pytest

from comanda.simulation.pos import Fault
from comanda.simulation.pos_faults import BY_NAME, FAULTS

from .runs import check, every_run
from .world import Shelf, play

ENDS_REJECTED = {
    "refuses and the answer is garbage",
    "is busy for good",
    "cannot be reached once",
    "cannot be reached at all",
    "refuses, another order may be tried",
    "refuses for good",
    "refuses after 3 s",
    "pending, a look-up finds it refused",
    "pending, then a callback that refuses",
    "a callback that refuses after the lock has ended",
    "refuses, then says accepted",
    "refuses, then says accepted, and is slow to void",
    "refuses, then says accepted, and never voids",
    "accepts and loses every answer, then says refused after the lock has ended",
}
ENDS_WITH_STAFF = {
    "fails before the effect for good",
    "fails before the effect, then loses every answer",
    "hangs for good",
    "accepts and all answers are lost",
    "pending for good",
    "has another order under the key",
}
WITH_INCIDENTS = {
    "refuses, then says accepted": {"accepted_after_rejected"},
    "refuses, then says accepted, and is slow to void": {"accepted_after_rejected"},
    "refuses, then says accepted, and never voids": {"accepted_after_rejected", "void_unanswered"},
    "accepts, then says refused": {"refused_after_confirmed"},
    "has another order under the key": {"key_reused"},
}
PAUSED = (
    "accepts at once",
    "hangs once",
    "accepts and the answer is lost",
    "refuses, another order may be tried",
    "pending, then a callback",
    "is silent for 40 s",
)


def _name(fault: Fault) -> str:
    return fault.name


@pytest.mark.parametrize("fault", FAULTS, ids=_name)
def test_without_a_death_the_order_ends_as_the_fault_lets_it(shelf: Shelf, fault: Fault) -> None:
    evidence = play(shelf, fault).evidence
    order = evidence.rows["order_journal"][0]
    rejected, staff = fault.name in ENDS_REJECTED, fault.name in ENDS_WITH_STAFF
    ends = "rejected" if rejected else "needs_staff" if staff else "confirmed"
    assert order["state"] == ends
    kinds = {row["kind"] for row in evidence.rows["incidents"]}
    assert kinds == WITH_INCIDENTS.get(fault.name, set())
    assert [code for _, _, code in evidence.refused] == ["cart_locked"]


@pytest.mark.parametrize("fault", FAULTS, ids=_name)
def test_a_house_killed_at_any_step_leaves_nothing_broken(shelf: Shelf, fault: Fault) -> None:
    for name, run in every_run(shelf, fault, "killed"):
        check(name, run)


@pytest.mark.parametrize("fault", PAUSED)
def test_a_house_that_stalls_and_goes_on_under_its_successor_breaks_nothing(
    shelf: Shelf, fault: str
) -> None:
    for name, run in every_run(shelf, BY_NAME[fault], "paused"):
        check(name, run)


def test_of_a_pos_that_is_silent_for_40_seconds_the_table_hears_all_the_while(
    shelf: Shelf,
) -> None:
    evidence = play(shelf, BY_NAME["is silent for 40 s"]).evidence
    (order,) = evidence.rows["orders"]
    assert [entry.what for entry in evidence.ledger] == ["effect"]
    for connection in {told.connection for told in evidence.tellings}:
        heard = [told for told in evidence.tellings if told.connection == connection]
        locked = next(told for told in heard if told.kind == "cart_locked")
        confirmed = next(told for told in heard if told.kind == "order_confirmed")
        assert confirmed.order_id == order["order_id"]
        assert 40 <= confirmed.at - locked.at <= 60
        between = [told for told in heard if locked.seq < told.seq < confirmed.seq]
        stages = [told.stage for told in between if told.kind == "order_processing"]
        assert stages[0] == "sent"
        assert set(stages[1:]) == {"unknown"}
        while_waiting = [locked.at, *(told.at for told in between), confirmed.at]
        assert max(after - before for before, after in pairwise(while_waiting)) < 35
