"""The tests of the simulator: broken on purpose, the product is found out by a seed."""

import pytest

from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play

from .found_by import FOUND_BY
from .mutants import ALL, Mutant


def test_each_mutant_has_its_seed() -> None:
    assert set(FOUND_BY) == {mutant.__name__ for mutant in ALL}
    assert len(ALL) >= 30


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """By the seed that has found it first. When the dice have moved, measure anew."""
    mutant(monkeypatch)
    profile, seed = FOUND_BY[mutant.__name__]
    assert play(shelf, plan_evening(seed, profile)).violations
