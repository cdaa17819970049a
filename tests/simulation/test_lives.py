"""A simulated house's end: what a killed process has begun goes no further, whatever shields it."""

import pytest
import trio

from comanda.actors.ports import StorageUnavailable
from comanda.simulation.determinism import run_by_seed
from comanda.simulation.lives import Life


async def _step_behind_a_shield(life: Life, outcome: list[str]) -> None:
    with trio.CancelScope(shield=True):
        with pytest.raises(StorageUnavailable):
            await life.step("the write")
        outcome.append("refused")


def test_a_shielded_step_of_a_dead_house_ends_when_the_house_is_gone() -> None:
    outcome: list[str] = []

    async def main() -> None:
        life = Life(1)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_step_behind_a_shield, life, outcome)
                await life.died.wait()
                nursery.cancel_scope.cancel()
                life.be_gone()

    run_by_seed(1, main)
    assert outcome == ["refused"]


def test_a_paused_house_goes_on_where_it_stood_once_it_is_woken() -> None:
    async def main() -> None:
        life = Life(1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.step, "the write")
            await life.died.wait()
            life.wake()

    run_by_seed(1, main)
