"""The tests of the simulator: broken on purpose, the product is found out by a seed."""

import pytest

from comanda.simulation.evening import ProfileName
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play

from .mutants import ALL, Mutant

SEEDS_MOST = 8
"""From the seed that has found it on; a change of the simulator moves seeds about."""

FOUND_BY: dict[str, tuple[ProfileName, int]] = {
    "a_timeout_is_a_failure": ("all", 1),
    "no_fence": ("all", 2),
    "a_reset_means_not_sent": ("all", 5),
    "a_reused_key_is_a_refusal": ("all", 5),
    "nobody_watches_locks": ("all", 4),
    "nobody_takes_orders_back": ("all", 19),
    "late_answers_are_dropped": ("all", 5),
    "an_unknown_commit_is_a_success": ("all", 1),
    "an_unknown_commit_is_a_failure": ("all", 1),
    "a_stale_house_goes_on": ("crashes", 9),
    "an_outage_is_no_failure": ("all", 1),
    "requests_are_forgotten_at_activation": ("all", 1),
    "a_lock_that_ends_gives_the_lines_back": ("all", 5),
    "an_interrupted_call_is_a_failure": ("all", 2),
    "sent_again_under_a_new_id": ("all", 1),
    "locks_are_seldom_watched": ("all", 4),
}
"""The profile and the first seed that finds it, where that is not 0 of `all`.

Measured by `python -m tests.simulation.mutants`.
"""


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    mutant(monkeypatch)
    profile, first = FOUND_BY.get(mutant.__name__, ("all", 0))
    for seed in range(first, first + SEEDS_MOST):
        if play(shelf, plan_evening(seed, profile)).violations:
            return
    pytest.fail(f"not found by the seeds {first} to {seed}")
