"""Evenings of each profile: they come to their end, with their orders, and nothing is broken."""

import pytest
from msgspec.structs import replace

from comanda.simulation.evening import ORDERS_WANTED, PROFILES, Act, Outage, ProfileName
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play


@pytest.mark.parametrize("profile", PROFILES)
def test_an_evening_of_each_profile_breaks_nothing(shelf: Shelf, profile: ProfileName) -> None:
    outcome = play(shelf, plan_evening(1, profile), keep_trace=True)
    assert outcome.violations == {}
    assert outcome.orders >= ORDERS_WANTED
    assert outcome.trace[-1].endswith("the end")


def test_a_calm_evening_meets_no_fault(shelf: Shelf) -> None:
    outcome = play(shelf, plan_evening(1, "calm"))
    assert outcome.faults == {}
    assert "order confirmed" in outcome.marks
    assert all("| does as it should | alive |" in cell for cell in outcome.cells)
    assert "confirmed | does as it should | alive | has" in outcome.cells


def test_a_house_dies_and_another_one_takes_over(shelf: Shelf) -> None:
    plan = next(
        plan for plan in (plan_evening(seed, "crashes") for seed in range(50)) if plan.crashes
    )
    outcome = play(shelf, plan, keep_trace=True)
    deaths = sum(line.endswith(" dies") for line in outcome.trace)
    opened = sum(line.endswith(" opens") for line in outcome.trace)
    assert deaths >= 1
    assert opened >= 2


def test_what_crashes_is_told_as_a_violation(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("comanda.simulation.pos.TruthPos.submit", fails)
    monkeypatch.setattr("comanda.simulation.pos.TruthPos.tells_when_asked", fails)
    outcome = play(shelf, plan_evening(1, "calm"))
    (sentence,) = outcome.violations["nothing_crashes"]
    assert "ZeroDivisionError: on purpose" in sentence


def test_a_session_that_crashes_of_itself_is_told_as_a_violation(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("comanda.actors.domain.settling.lock_ended", fails)
    monkeypatch.setattr("comanda.actors.domain.decide.lock_ended", fails)
    plan = replace(plan_evening(1, "calm"), pos_rate=1.0, pos_faults=("hangs for good",))
    outcome = play(shelf, plan)
    assert "ZeroDivisionError: on purpose" in outcome.violations["nothing_crashes"][0]


def test_a_house_that_starts_in_an_outage_is_started_again(shelf: Shelf) -> None:
    plan = replace(plan_evening(1, "calm"), outages=(Outage(0.0, 5.0),))
    outcome = play(shelf, plan, keep_trace=True)
    assert outcome.violations == {}
    assert any("a house cannot start" in line for line in outcome.trace)


@pytest.mark.parametrize("seed", [8938, 10200])
def test_a_house_that_goes_on_after_it_stood_still_has_time_to_end_a_lock(
    shelf: Shelf, seed: int
) -> None:
    """It was frozen, or paused; its successor died at once, or could not start."""
    assert play(shelf, plan_evening(seed, "all")).violations == {}


def test_who_sits_down_while_the_others_are_looked_at_is_waited_for(shelf: Shelf) -> None:
    assert play(shelf, plan_evening(11027, "all")).violations == {}


def test_an_evening_comes_to_its_orders_though_all_its_guests_leave_at_once(shelf: Shelf) -> None:
    plan = plan_evening(1, "calm")
    leaving = tuple(replace(guest, acts=(Act(0, "leave", 0.5),)) for guest in plan.guests)
    outcome = play(shelf, replace(plan, guests=leaving), keep_trace=True)
    assert outcome.violations == {}
    assert outcome.orders >= ORDERS_WANTED


def test_an_order_whose_lock_ended_in_a_house_that_was_fenced_off_has_another_sweep(
    shelf: Shelf,
) -> None:
    outcome = play(shelf, plan_evening(78), keep_trace=True)
    assert outcome.violations == {}
    fenced = [at for at, line in enumerate(outcome.trace) if "refuses: StaleEpoch" in line]
    assert any(" needs_staff)" in outcome.trace[at + 1] for at in fenced)


def test_an_evening_ends_when_nothing_is_on_its_way_to_a_phone(shelf: Shelf) -> None:
    """Seed 1908: who was looked at first was told of the last order while the second was waited for."""
    assert play(shelf, plan_evening(1908)).violations == {}


def test_who_has_flooded_the_table_waits_before_it_repeats_its_commands(shelf: Shelf) -> None:
    """Seed 4250: the flood was the last thing that a guest did."""
    plan = plan_evening(1, "calm")
    acts = (Act(0, "add", 0.5), Act(0, "order", 0.5), Act(10, "noise", 0.9))
    guests = (replace(plan.guests[0], acts=acts),)
    assert play(shelf, replace(plan, guests=guests, orders=1)).violations == {}
