"""A POS that is too busy: the order is sent again in the same attempt, while the lock leaves time."""

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.asking import sound
from comanda.actors.domain.order import NotSent, Unknown
from comanda.actors.house import HouseLimits
from comanda.actors.pos_task import PosTimes

from .table import Phone, ScriptedPos, accept, open_house, say, sit_down


def busy(seconds: Any) -> Any:
    """The answer of a POS that wants to be asked again so much later."""
    return say(NotSent("The POS is too busy", seconds), 0)


async def ordered(house: Any) -> tuple[Phone, float]:
    """A guest who has ordered, and when."""
    (ana,) = await sit_down(house, "Ana")
    await ana.add()
    start = trio.current_time()
    await ana.order()
    return ana, start


def submits(pos: ScriptedPos, start: float) -> list[float]:
    """When the POS was called, after the order."""
    assert {kind for kind, _, _ in pos.calls} == {"submit"}
    return [at - start for _, _, at in pos.calls]


async def test_it_is_asked_again_when_it_wants_to_be_and_the_guests_hear_of_one_attempt(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(busy(3.0), busy(20.0), accept(0))
    async with open_house(pos) as house:
        ana, start = await ordered(house)
        await ana.sees("order_confirmed")
        assert submits(pos, start) == pytest.approx([0, 3, 23])
        assert len(pos.payloads) == 1
        assert len(ana.all("order_processing")) == 1


async def test_where_the_lock_leaves_no_time_the_order_goes_back_to_the_guests_at_once(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(busy(20.0), busy(31.0))
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=60)) as house:
        ana, start = await ordered(house)
        failed = await ana.sees("order_failed")
        assert failed.allow_retry  # type: ignore[union-attr]
        assert trio.current_time() - start == pytest.approx(20)
        assert submits(pos, start) == pytest.approx([0, 20])


async def test_a_pos_that_never_has_time_is_asked_a_bounded_number_of_times(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(*[busy(0.0)] * 1000)
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=60)) as house:
        ana, start = await ordered(house)
        await ana.sees("order_failed")
        times = PosTimes()
        assert len(submits(pos, start)) <= 60 / times.shortest_retry_seconds
        assert trio.current_time() - start <= 60 - times.call_timeout_seconds


async def test_a_not_sent_that_names_no_time_is_the_outcome_at_once(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(busy(5.0), say(NotSent("connection refused"), 0))
    async with open_house(pos) as house:
        ana, start = await ordered(house)
        await ana.sees("order_failed")
        assert submits(pos, start) == pytest.approx([0, 5])


async def test_an_answer_in_doubt_after_a_busy_one_is_in_doubt(autojump_clock: MockClock) -> None:
    pos = ScriptedPos(busy(1.0), say(Unknown("reset"), 0), accept(0))
    async with open_house(pos) as house:
        ana, _ = await ordered(house)
        await ana.sees("order_confirmed")
        assert not ana.all("order_failed")


@pytest.mark.parametrize(
    ("said", "heeded"),
    [
        (0, 0.0),
        (2.5, 2.5),
        (None, None),
        (-1, None),
        (math.nan, None),
        (math.inf, None),
        ("5", None),
    ],
)
def test_only_a_time_that_can_be_waited_for_is_heeded(said: Any, heeded: float | None) -> None:
    assert sound(NotSent("busy", said)) == NotSent("busy", heeded)
