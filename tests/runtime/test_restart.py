from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comanda.runtime import RestartPolicy, RestartWindow


def test_the_window_allows_as_many_restarts_as_the_intensity_and_no_more() -> None:
    window = RestartWindow(RestartPolicy(intensity=3, window_seconds=60))
    assert [window.add_restart(now) for now in (0, 1, 2, 3)] == [True, True, True, False]
    assert window.count(3) == 3


def test_a_restart_that_has_left_the_window_counts_no_more() -> None:
    window = RestartWindow(RestartPolicy(intensity=1, window_seconds=60))
    assert window.add_restart(0)
    assert not window.add_restart(59.9)
    assert window.add_restart(60)


def test_an_intensity_of_zero_allows_no_restart() -> None:
    assert not RestartWindow(RestartPolicy(intensity=0)).add_restart(0)


def test_backoff_grows_by_its_factor_up_to_its_bound() -> None:
    policy = RestartPolicy(
        backoff_start_seconds=1, backoff_factor=2, backoff_max_seconds=5, jitter=0.5
    )
    assert [policy.backoff_seconds(n, 0.0) for n in (1, 2, 3, 4)] == [1, 2, 4, 5]
    assert policy.backoff_seconds(1, 0.5) == 1.25


@given(restarts=st.integers(1, 10**9), random=st.floats(0, 1, exclude_max=True))
def test_backoff_never_exceeds_its_bound_and_jitter(restarts: int, random: float) -> None:
    policy = RestartPolicy()
    longest = policy.backoff_max_seconds * (1 + policy.jitter)
    assert 0 < policy.backoff_seconds(restarts, random) <= longest


@given(moments=st.lists(st.floats(0, 1000), max_size=50), intensity=st.integers(0, 4))
def test_no_window_ever_holds_more_restarts_than_the_intensity(
    moments: list[float], intensity: int
) -> None:
    window = RestartWindow(RestartPolicy(intensity=intensity, window_seconds=60))
    restarts: list[float] = []
    for now in sorted(moments):
        recent = [moment for moment in restarts if now - moment < 60]
        assert window.add_restart(now) == (len(recent) < intensity)
        if len(recent) < intensity:
            restarts.append(now)


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": -1},
        {"backoff_factor": 0.5},
        {"jitter": -0.1},
        {"window_seconds": -1.0},
        {"quarantine_seconds": -1.0},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"\."):
        RestartPolicy(**wrong)  # type: ignore[arg-type]
