"""Token buckets and counts, on a clock of the test's own."""

import pytest

from comanda.http import limits
from comanda.http.limits import AddressCounts, Bucket, Buckets


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    clock = Clock()
    bucket = Bucket(2, 3, clock)
    assert [bucket.take() for _ in range(3)] == [0, 0, 0]
    assert bucket.take() == 0.5
    clock.now += 0.25
    assert bucket.take() == 0.25
    clock.now += 0.25
    assert bucket.take() == 0
    clock.now += 1000
    assert bucket.full
    assert [bucket.take() == 0 for _ in range(4)] == [True, True, True, False]
    assert not bucket.full


async def test_each_address_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(0.001, 1)
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0


async def test_the_address_that_was_silent_longest_is_forgotten_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 2)
    buckets = Buckets(0.001, 1)
    buckets.take("a")
    buckets.take("b")
    buckets.take("a")
    buckets.take("c")
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0


def test_connections_are_counted_by_address_and_given_back() -> None:
    counts = AddressCounts(2)
    assert [counts.enter("a"), counts.enter("a"), counts.enter("a")] == [True, True, False]
    assert counts.enter("b")
    counts.leave("a")
    assert counts.enter("a")
    counts.leave("a")
    counts.leave("a")
    assert counts.enter("a")
