"""After how many seeds each mutant is found: `python -m tests.simulation.mutants [SEEDS] [MUTANT …]`.

Prints what belongs into `found_by`.
"""

import statistics
import sys
import time

import pytest

from comanda.simulation.evening import ProfileName
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf, open_shelf
from comanda.simulation.world import play

from .found_by import FOUND_BY
from .mutants import ALL, Mutant


def measure(shelf: Shelf, mutant: Mutant, profile: ProfileName, most: int) -> int | None:
    """The first seed that finds it, and a line about that; None: none of so many does."""
    began = time.process_time()
    found, why = None, f"not within {most}"
    with pytest.MonkeyPatch.context() as patch:
        mutant(patch)
        for seed in range(most):
            broken = play(shelf, plan_evening(seed, profile)).violations
            if broken:
                found, why = seed, ", ".join(broken)
                break
    took = time.process_time() - began
    print(f'    "{mutant.__name__}": ("{profile}", {found}),  # {why}; {took:.1f} s', flush=True)
    return found


def main() -> None:
    """All, or those named, each in the profile in which it was found the last time."""
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    chosen = [mutant for mutant in ALL if not sys.argv[2:] or mutant.__name__ in sys.argv[2:]]
    seeds = []
    with open_shelf() as shelf:
        for mutant in chosen:
            profile, _ = FOUND_BY.get(mutant.__name__, ("all", 0))
            found = measure(shelf, mutant, profile, most)
            if found is not None:
                seeds.append(found + 1)
    print(
        f"{len(seeds)} of {len(chosen)} found, after {statistics.median(seeds):g} seeds at the median"
    )


main()
