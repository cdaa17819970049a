"""Latencies: buckets, percentiles, and what a closed loop omits."""

import pytest

from comanda.load.figures import latency_of, percentile
from comanda.load.tally import Tally, bucket


@pytest.mark.parametrize("micros", [1, 7, 999, 2047, 2048, 123_456, 98_765_432])
def test_a_bucket_is_a_thousandth_of_its_value_wide_at_most(micros: int) -> None:
    assert micros * 1023 / 1024 - 1 <= bucket(micros / 1e6) <= micros


def test_percentiles_are_those_of_what_was_counted() -> None:
    latency = latency_of({1000 * n: 1 for n in range(1, 1001)})
    assert latency.count == 1000
    assert latency.p50 == pytest.approx(500, rel=0.002)
    assert latency.p99 == pytest.approx(990, rel=0.002)
    assert latency.p99_9 == pytest.approx(999, rel=0.002)
    assert latency.max == pytest.approx(1000, rel=0.002)


def test_what_a_stall_kept_from_being_asked_is_put_in() -> None:
    # Ninety-nine answers of 1 ms, then one of 1 s: an open loop would have asked a hundred times more.
    counts = {1_000: 99, 1_000_000: 1}
    assert latency_of(counts).p90 == pytest.approx(1, rel=0.01)
    corrected = latency_of(counts, expected_micros=10_000)
    assert corrected.count == 99 + 100
    assert corrected.p90 == pytest.approx(800, rel=0.02)


def test_nothing_is_put_in_for_answers_that_came_within_the_interval() -> None:
    counts = {9_000: 50, 19_000: 50}
    assert latency_of(counts, expected_micros=10_000) == latency_of(counts)


def test_nothing_that_was_counted_has_no_percentiles() -> None:
    assert latency_of({}).count == 0
    assert percentile({}, 0.99) == 0


def test_tallies_add_up() -> None:
    one, other = Tally(), Tally()
    one.record("own_echo", 0.001)
    other.record("own_echo", 0.001)
    other.record("outcome", 3.0)
    other.refuse("cart_locked")
    other.fail("close 1011")
    one.add(other)
    assert one.latencies["own_echo"] == {1000: 2}
    assert sum(one.latencies["outcome"].values()) == 1
    assert (one.refused, one.errors) == ({"cart_locked": 1}, {"close 1011": 1})
