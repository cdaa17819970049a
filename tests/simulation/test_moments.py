"""Houses that end at a rare moment of an order, and clocks that jump at one."""

import pytest
from msgspec.structs import replace

from comanda.simulation.evening import ClockJump, Crash, Plan
from comanda.simulation.moments import MOMENTS, Moment, is_moment
from comanda.simulation.planning import plan_evening
from comanda.simulation.pos_faults import BY_NAME, FAULTS, Kind, kind_of, lasts_beyond_the_lock
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play

LOST = "accepts and all answers are lost"


def _kind(order_id: str) -> Kind:
    return "refuses" if order_id == "ORD-7-2" else "does as it should"


@pytest.mark.parametrize(
    ("step", "met"),
    [
        ("submit ORD-7-2 has arrived", [Moment("called", "refuses")]),
        ("submit ORD-7-1 has arrived", [Moment("called", "does as it should")]),
        ("submit ORD-7-2 is answered", [Moment("answered", "refuses")]),
        ("after commit of seq 9 (ORD-7-2 unknown)", [Moment("unknown", "refuses")]),
        (
            "after commit of seq 9 (ORD-7-1 needs_staff, ORD-7-2 prepared)",
            [Moment("needs_staff", "does as it should")],
        ),
        ("before commit of seq 9 (ORD-7-2 unknown)", []),
        ("submit ORD-7-2 leaves", []),
    ],
)
def test_a_step_is_a_moment_of_an_order_and_of_what_goes_wrong_with_it(
    step: str, met: list[Moment]
) -> None:
    assert [moment for moment in MOMENTS if is_moment(moment, step, _kind)] == met


def _evening_with(crash: Crash | None, *jumps: ClockJump) -> Plan:
    crashes = () if crash is None else (crash,)
    plan = plan_evening(1, "calm")
    return replace(plan, pos_rate=1.0, pos_faults=(LOST,), crashes=crashes, jumps=jumps)


def test_a_house_ends_when_an_order_has_gone_to_the_staff(shelf: Shelf) -> None:
    moment = Moment("needs_staff", "gives no answer")
    crash = Crash(1, of_orders=True, how="killed", restart_after_seconds=5.0, moment=moment)
    outcome = play(shelf, _evening_with(crash), keep_trace=True)
    assert outcome.violations == {}
    (death,) = (at for at, line in enumerate(outcome.trace) if line.endswith("house 1 dies"))
    assert " needs_staff)" in outcome.trace[death - 1]
    assert "needs_staff | gives no answer | dead | has" in outcome.cells


def test_a_clock_jumps_while_an_order_is_in_doubt(shelf: Shelf) -> None:
    outcome = play(shelf, _evening_with(None, ClockJump(1.0, -3600.0, "unknown")), keep_trace=True)
    assert outcome.violations == {}
    jumped = next(at for at, line in enumerate(outcome.trace) if "the clock is put back" in line)
    said = "\n".join(outcome.trace[:jumped])
    assert " unknown)" in said
    assert " needs_staff)" not in said


def test_what_lasts_beyond_the_lock_is_what_is_never_answered() -> None:
    assert lasts_beyond_the_lock(BY_NAME[LOST])
    assert not lasts_beyond_the_lock(BY_NAME["is busy for good"])
    assert not lasts_beyond_the_lock(BY_NAME["pending, then a callback"])
    kinds = {kind_of(fault.name) for fault in FAULTS if lasts_beyond_the_lock(fault)}
    assert kinds >= {"gives no answer", "was not reached", "takes its time", "contradicts itself"}
