"""The tests of the simulator: broken on purpose, the product is found out by a seed."""

import pytest

from comanda.simulation.evening import plan_evening
from comanda.simulation.world import Shelf, play

from .mutants import ALL, Mutant

SEEDS_MOST = 8
"""From the seed that has found it on; a change of the simulator moves seeds about."""

FOUND_BY_SEED = {
    "a_timeout_is_a_failure": 1,
    "no_fence": 2,
    "a_reset_means_not_sent": 5,
    "a_reused_key_is_a_refusal": 5,
    "nobody_watches_locks": 4,
    "nobody_takes_orders_back": 19,
    "late_answers_are_dropped": 5,
    "an_unknown_commit_is_a_success": 1,
    "an_unknown_commit_is_a_failure": 1,
    "a_stale_house_goes_on": 0,
    "an_outage_is_no_failure": 0,
    "a_lock_that_ends_gives_the_lines_back": 0,
    "an_interrupted_call_is_a_failure": 2,
    "sent_again_under_a_new_id": 0,
    "the_clock_of_locks_is_slow": 4,
}
"""Where it is not the first one, 0. Measured by `python -m tests.simulation.mutants`."""


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    mutant(monkeypatch)
    first = FOUND_BY_SEED.get(mutant.__name__, 0)
    for seed in range(first, first + SEEDS_MOST):
        if play(shelf, plan_evening(seed)).violations:
            return
    pytest.fail(f"not found by the seeds {first} to {seed}")
