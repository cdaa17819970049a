"""A place counts who comes by, and does what its failpoints say."""

import pytest
import trio
from trio.testing import MockClock

from comanda.failpoints import parse_failpoints
from comanda.failpoints.places import Place


class Failed(Exception):
    pass


def place(text: str) -> Place:
    return Place(parse_failpoints(text), Failed)


async def failures(there: Place, hits: int) -> list[int]:
    """Which hits of so many failed, counted from 1."""
    failed = []
    for hit in range(1, hits + 1):
        try:
            await there.reach(trio.sleep)
        except Failed:
            failed.append(hit)
    return failed


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("t1.before=error", [1]),
        ("t1.before=error@3", [3]),
        ("t1.before=error@3+", [3, 4, 5]),
        ("t1.before=error@2; t1.before=error@4", [2, 4]),
        ("t1.before=outage(60)@4", [4, 5]),
    ],
)
async def test_the_hits_that_are_meant_fail_and_no_others(text: str, failed: list[int]) -> None:
    assert await failures(place(text), 5) == failed


async def test_an_outage_is_over_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("comanda.failpoints.places.time.monotonic", lambda: now)
    there = place("commit.before=outage(10)@2")
    assert await failures(there, 3) == [2, 3]
    now += 9.9
    assert there.is_out()
    now += 0.2
    assert not there.is_out()
    assert await failures(there, 3) == []


async def test_a_sleep_waits_so_long_and_fails_nobody(autojump_clock: MockClock) -> None:
    there = place("call.after=sleep(2.5)@2")
    began = trio.current_time()
    assert await failures(there, 1) == []
    assert trio.current_time() == began
    assert await failures(there, 2) == []
    assert trio.current_time() == began + 2.5
