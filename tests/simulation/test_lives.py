"""A simulated house's end: what a killed process has begun goes no further, whatever shields it."""

import pytest
import trio

from comanda.actors.ports import StorageUnavailable
from comanda.simulation.determinism import run_by_seed
from comanda.simulation.lives import Houses, Life


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


def test_what_was_due_while_a_house_stood_still_is_due_when_it_goes_on() -> None:
    """Profile all, seed 8938: its successor had died at once, and a lock ended late, but not too late."""
    houses = Houses[str]()

    async def main() -> None:
        life = Life(None)
        houses.open("house", life)
        await trio.sleep(30)
        life.freeze()
        await trio.sleep(9)
        houses.thaw(life)

    run_by_seed(1, main)
    opened, gone_on = houses.began
    assert gone_on - opened == pytest.approx(39)
    assert houses.count == 1
