"""The pauses between attempts to connect."""

from hypothesis import given
from hypothesis import strategies as st

from comanda.client import ClientLimits
from comanda.client.backoff import reconnect_delay
from comanda.client.link import retry_after_seconds

LIMITS = ClientLimits()


@given(chance=st.floats(0, 1, exclude_max=True))
def test_the_first_attempt_comes_within_half_a_second(chance: float) -> None:
    assert 0 <= reconnect_delay(0, chance, LIMITS) <= 0.5


@given(failed=st.integers(1, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_pauses_grow_are_jittered_and_stay_bounded(failed: int, chance: float) -> None:
    delay = reconnect_delay(failed, chance, LIMITS)
    longest = reconnect_delay(failed, 1.0, LIMITS)
    assert longest / 2 <= delay <= longest
    assert longest <= reconnect_delay(failed + 1, 1.0, LIMITS) <= LIMITS.slow_backoff_limit_seconds


def test_pauses_stay_short_until_the_person_was_told() -> None:
    limits = ClientLimits(tries_before_lost=10)
    assert reconnect_delay(9, 1.0, limits) == limits.backoff_limit_seconds
    assert reconnect_delay(10, 1.0, limits) == limits.slow_backoff_limit_seconds


def test_a_wait_that_makes_no_sense_is_none() -> None:
    assert retry_after_seconds("7.5") == 7.5
    for text in (None, "", "-1", "nan", "inf", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert retry_after_seconds(text) is None
