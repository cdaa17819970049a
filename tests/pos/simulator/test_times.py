"""Orders that wait for their time, on virtual time; how long a callback is tried; which secrets sign."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
import trio.testing

from comanda.pos.simulator.courier import CallbackLimits
from comanda.pos.simulator.desk import MAX_AT_WORK, Desk
from comanda.pos.simulator.entries import Effect
from comanda.pos.simulator.faults import parse_fault
from comanda.pos.simulator.ledger import Ledger
from comanda.pos.simulator.outcomes import Habits

from .helpers import AT_ONCE, an_order

START = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
HOUR = 3600.0


class Wall:
    """A wall clock that goes with Trio's, unless somebody sets it."""

    def __init__(self) -> None:
        self._set_by = timedelta(0)

    def __call__(self) -> datetime:
        return START + timedelta(seconds=trio.current_time()) + self._set_by

    def set_back(self, seconds: float) -> None:
        self._set_by -= timedelta(seconds=seconds)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    yield ledger
    ledger.close()


def kind(ledger: Ledger, key: str) -> str | None:
    effect = ledger.find(key)
    return None if effect is None else effect.kind


async def take(desk: Desk, key: str, fault: str) -> int:
    return (await desk.submit(key, an_order(key), parse_fault(fault))).status


async def test_a_void_before_its_time_keeps_a_refused_order_from_being_accepted(
    ledger: Ledger, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    desk = Desk(ledger, AT_ONCE, nursery, Wall())
    for key in ("A", "B"):
        assert await take(desk, key, "reject-then-accept=60") == 422
    await trio.sleep(59)
    assert desk.void("A").status == 200
    assert kind(ledger, "B") == "rejected"
    await trio.sleep(HOUR)
    assert (kind(ledger, "A"), kind(ledger, "B")) == ("voided", "accepted")
    assert desk.look_up("A").body["status"] == "voided"
    assert await take(desk, "A", "none") == 409
    desk.void("B")
    assert kind(ledger, "B") == "voided"


@pytest.mark.parametrize("fault", ["pending=60", "pending-reject=60", "accept-then-reject=60"])
async def test_a_void_before_its_time_ends_what_an_order_waits_for(
    ledger: Ledger, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock, fault: str
) -> None:
    desk = Desk(ledger, AT_ONCE, nursery, Wall())
    await take(desk, "A", fault)
    desk.void("A")
    await trio.sleep(HOUR)
    assert kind(ledger, "A") == "voided"


async def test_an_order_waits_for_the_wall_clock_even_when_that_is_set_back(
    ledger: Ledger, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    wall = Wall()
    desk = Desk(ledger, AT_ONCE, nursery, wall)
    await take(desk, "A", "pending=60")
    await trio.sleep(30)
    wall.set_back(1000)
    await trio.sleep(1029)
    assert kind(ledger, "A") == "pending"
    await trio.sleep(2)
    assert kind(ledger, "A") == "accepted"


async def test_a_new_desk_settles_what_the_ledger_says_is_due(
    ledger: Ledger, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as first:
        desk = Desk(ledger, AT_ONCE, first, Wall())
        await take(desk, "A", "pending=60")
        await take(desk, "B", "accept-then-reject=3600")
        first.cancel_scope.cancel()
    await trio.sleep(HOUR / 2)
    assert kind(ledger, "A") == "pending"
    Desk(ledger, AT_ONCE, nursery, Wall()).take_up()
    await trio.sleep(1)
    assert (kind(ledger, "A"), kind(ledger, "B")) == ("accepted", "accepted")
    await trio.sleep(HOUR)
    assert kind(ledger, "B") == "rejected"


async def test_orders_that_wait_for_their_time_are_bounded(
    ledger: Ledger,
    nursery: trio.Nursery,
    autojump_clock: trio.testing.MockClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("comanda.pos.simulator.desk.MAX_AT_WORK", 2)
    assert MAX_AT_WORK > 2
    desk = Desk(ledger, Habits(delay_seconds=0), nursery, Wall())
    codes = [await take(desk, key, "pending=60") for key in "ABC"]
    assert codes == [202, 202, 429]
    await trio.sleep(61)
    assert await take(desk, "C", "pending=60") == 202


def test_a_pause_grows_to_the_longest_and_is_never_drawn_below_its_half() -> None:
    limits = CallbackLimits(first_pause_seconds=1, longest_pause_seconds=5)
    assert [limits.pause_seconds(tried, 1.0) for tried in (1, 2, 3, 4, 400)] == [1, 2, 4, 5, 5]
    assert [limits.pause_seconds(tried, 0.0) for tried in (1, 2, 3, 4, 400)] == [
        0.5,
        1,
        2,
        2.5,
        2.5,
    ]


def test_an_events_id_is_bound_to_key_and_kind_alone() -> None:
    one = Effect(key="A", sha256="a", at=START, kind="accepted")
    later = Effect(key="A", sha256="b", at=START + timedelta(1), kind="accepted", settles=True)
    assert one.event_id == later.event_id
    assert one.event_id != Effect(key="A", sha256="a", at=START, kind="rejected").event_id
    assert one.event_id != Effect(key="B", sha256="a", at=START, kind="accepted").event_id
