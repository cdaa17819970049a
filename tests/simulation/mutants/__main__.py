"""After how many seeds each mutant is found: `python -m tests.simulation.mutants [SEEDS] [MUTANT …]`."""

import sys
import time

import pytest

from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import open_shelf
from comanda.simulation.world import play

from .mutants import ALL

most = int(sys.argv[1]) if len(sys.argv) > 1 else 50
with open_shelf() as shelf:
    for mutant in ALL:
        if sys.argv[2:] and mutant.__name__ not in sys.argv[2:]:
            continue
        began = time.process_time()
        found = f"not within {most}"
        with pytest.MonkeyPatch.context() as patch:
            mutant(patch)
            for seed in range(most):
                broken = play(shelf, plan_evening(seed)).violations
                if broken:
                    found = f"seed {seed}: {', '.join(broken)}"
                    break
        print(f"{mutant.__name__}: {found} ({time.process_time() - began:.1f} s)", flush=True)
