"""The same seed is the same evening: in the same process, and in another one with another hash seed."""

import os
import random
import subprocess
import sys

import pytest
import trio

from comanda.simulation.determinism import TrioHasChanged, run_by_seed, scheduled_by
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play

SEEDS = (3, 9)
PROGRAM = """
import sys
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import open_shelf
from comanda.simulation.world import play
with open_shelf() as shelf:
    for seed in map(int, sys.argv[1:]):
        print("\\n".join(play(shelf, plan_evening(seed), keep_trace=True).trace))
"""


def test_a_seed_gives_the_same_trace_in_two_processes_with_different_hash_seeds() -> None:
    traces = []
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, SEEDS)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            timeout=120,
            check=True,
        )
        traces.append(ran.stdout)
    assert traces[0] == traces[1]
    assert traces[0].count(b"the end") == len(SEEDS)


def test_a_seed_gives_the_same_outcome_after_another_evening_in_the_same_process(
    shelf: Shelf,
) -> None:
    first = play(shelf, plan_evening(SEEDS[0]), keep_trace=True)
    play(shelf, plan_evening(SEEDS[1]))
    assert play(shelf, plan_evening(SEEDS[0]), keep_trace=True) == first


def test_two_seeds_give_different_evenings(shelf: Shelf) -> None:
    one, other = (play(shelf, plan_evening(seed)) for seed in SEEDS)
    assert one.digest != other.digest


def _order_of_tasks(seed: int) -> list[int]:
    order: list[int] = []

    async def main() -> None:
        async def note(number: int) -> None:
            await trio.lowlevel.checkpoint()
            order.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(note, number)

    run_by_seed(seed, main)
    return order


def test_time_jumps_to_just_the_next_deadline_and_no_further() -> None:
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        woken.append((name, trio.current_time()))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleep, "an hour", 3600.0)
            nursery.start_soon(sleep, "a moment", 0.1)

    run_by_seed(1, main)
    assert woken == [("a moment", 0.1), ("an hour", 3600.0)]


def test_the_seed_decides_in_which_order_tasks_run() -> None:
    assert _order_of_tasks(1) == _order_of_tasks(1)
    assert len({tuple(_order_of_tasks(seed)) for seed in range(20)}) > 1


def test_a_trio_that_cannot_be_seeded_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING")
    with pytest.raises(TrioHasChanged, match="_ALLOW_DETERMINISTIC_SCHEDULING"), scheduled_by(1):
        pass


def test_the_scheduler_is_left_as_it_was_found() -> None:
    dice = trio._core._run._r
    assert isinstance(dice, random.Random)
    before = dice.getstate(), trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING
    _order_of_tasks(1)
    assert (dice.getstate(), trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING) == before
