"""A table's PIN in the house: how few wrong ones may be said, and that nobody else pays for them."""

from collections.abc import Callable
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from comanda.actors import door
from comanda.actors.domain.messages import Rejection
from comanda.actors.door import (
    FIRST_REST_SECONDS,
    LONGEST_REST_SECONDS,
    WRONG_PINS,
    Door,
    Doors,
)
from comanda.actors.house import House, HouseLimits, Joined

from .table import open_house, sit_down

PIN = "0482"


def counted() -> Callable[[], str]:
    """PINs from `PIN` on."""
    numbers = count(int(PIN))
    return lambda: f"{next(numbers):04}"


async def says(house: House, pin: str | None, code: str = "demo-1") -> Joined | Rejection:
    answer = await house.join_table(code, "Somebody", pin)
    assert answer is not None
    return answer


async def code_of_wrong_pin(house: House) -> str:
    answer = await says(house, "9999")
    assert isinstance(answer, Rejection)
    return answer.code


async def test_a_pin_opens_the_table_that_it_is_of(autojump_clock: MockClock) -> None:
    async with open_house(pins=counted()) as house:
        first = await says(house, None)
        assert isinstance(first, Joined)
        assert first.join_pin == PIN
        assert isinstance(await says(house, PIN), Joined)
        assert isinstance(await says(house, None, "demo-2"), Joined)
        wrong = await says(house, PIN, "demo-2")
        assert isinstance(wrong, Rejection)
        assert wrong.code == "pin_wrong"


async def test_the_next_party_gets_another_pin(autojump_clock: MockClock) -> None:
    async with open_house(pins=counted()) as house:
        first = await says(house, None)
        assert isinstance(first, Joined)
        await house.close_session(first.key, "They left")
        second = await says(house, None)
        assert isinstance(second, Joined)
        assert second.join_pin == "0483"


async def test_after_so_many_wrong_pins_joining_rests_and_the_right_one_waits_too(
    autojump_clock: MockClock,
) -> None:
    async with open_house(pins=lambda: PIN) as house:
        (ana,) = await sit_down(house, "Ana")
        codes = [await code_of_wrong_pin(house) for _ in range(WRONG_PINS)]
        assert set(codes) == {"pin_wrong"}
        resting = await says(house, PIN)
        assert isinstance(resting, Rejection)
        assert resting.code == "rate_limited"
        assert resting.retry_after == FIRST_REST_SECONDS
        await ana.add()  # who sits there goes on
        await trio.sleep(FIRST_REST_SECONDS)
        assert isinstance(await says(house, PIN), Joined)


async def test_guesses_that_come_all_at_once_are_counted_one_after_another(
    autojump_clock: MockClock,
) -> None:
    async with open_house(pins=lambda: PIN) as house:
        await sit_down(house, "Ana")
        codes: list[str] = []

        async def guess() -> None:
            codes.append(await code_of_wrong_pin(house))

        async with trio.open_nursery() as nursery:
            for _ in range(5 * WRONG_PINS):
                nursery.start_soon(guess)
        assert codes.count("pin_wrong") == WRONG_PINS
        assert codes.count("rate_limited") == 4 * WRONG_PINS


async def test_each_further_rest_is_twice_as_long_up_to_a_bound(autojump_clock: MockClock) -> None:
    async with open_house(pins=lambda: PIN) as house:
        await sit_down(house, "Ana")
        rests: list[float] = []
        for _ in range(7):
            for _ in range(WRONG_PINS):
                assert await code_of_wrong_pin(house) == "pin_wrong"
            resting = await says(house, PIN)
            assert isinstance(resting, Rejection)
            rests.append(resting.retry_after or 0)
            await trio.sleep(rests[-1])
        assert rests == [60, 120, 240, 480, 960, LONGEST_REST_SECONDS, LONGEST_REST_SECONDS]


async def test_a_table_that_leaves_memory_meanwhile_does_not_forget_the_wrong_pins(
    autojump_clock: MockClock,
) -> None:
    async with open_house(limits=HouseLimits(idle_seconds=5), pins=lambda: PIN) as house:
        first = await says(house, None)
        assert isinstance(first, Joined)
        for _ in range(WRONG_PINS):
            assert await code_of_wrong_pin(house) == "pin_wrong"
        await trio.sleep(30)
        assert house.registry.live(first.key) is None
        assert await code_of_wrong_pin(house) == "rate_limited"


async def test_other_tables_are_joined_meanwhile(autojump_clock: MockClock) -> None:
    async with open_house(pins=lambda: PIN) as house:
        await sit_down(house, "Ana")
        await sit_down(house, "Zoe", code="demo-2")
        for _ in range(WRONG_PINS + 1):
            await code_of_wrong_pin(house)
        assert isinstance(await says(house, PIN, "demo-2"), Joined)


async def test_a_join_that_says_no_pin_is_no_guess(autojump_clock: MockClock) -> None:
    async with open_house(pins=lambda: PIN) as house:
        await sit_down(house, "Ana")
        for _ in range(3 * WRONG_PINS):
            answer = await says(house, None)
            assert isinstance(answer, Rejection)
            assert answer.code == "pin_required"
        assert isinstance(await says(house, PIN), Joined)


def test_only_so_many_doors_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MAX_DOORS", 2)
    doors = Doors()
    first: Door = doors.of("a")
    doors.of("b")
    assert doors.of("a") is first
    doors.of("c")
    assert doors.of("a") is first
    doors.of("b")
    doors.of("d")
    assert doors.of("a") is not first
