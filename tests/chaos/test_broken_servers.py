"""Tests of the tests: a server that is broken on purpose does not pass."""

import random
from pathlib import Path

import pytest

from chaos.broken_server import BROKEN
from chaos.evening import run_evening
from chaos.plan import Plan

CYCLES = {"kill-server": 2, "stop-pos": 2, "cut-members": 10, "second-server": 3}
"""As many as the slowest of the faults below needs to show."""

FOUND_BY = {
    "new-key-per-attempt": ("stop-pos", {"I3"}),
    "timeout-is-failure": ("stop-pos", {"I4"}),
    "acknowledge-before-commit": ("kill-server", {"I1", "I2"}),
    "no-fence": ("second-server", {"I10"}),
    "no-request-memory": ("cut-members", {"I11"}),
}
"""Each fault, the disturbance that brings it out, and the invariants that must be among those named."""

FOUND_BY_NOBODY = "no-owner"
"""Two servers on one database: only slower, as long as the fence stands."""


EVENINGS = 4
"""A fault shows by chance, and on a busy machine seldom: so many evenings may pass without it."""


async def violated(fault: str, disturbance: str, folder: Path, evening: int = 0) -> set[str]:
    """The invariants that a short evening with this server violates."""
    folder = folder / str(evening)
    folder.mkdir()
    plan = Plan(
        tables=8,
        active=8,
        only=(disturbance,),
        server_module="chaos.broken_server",
        server_arguments=(fault,),
    )
    said: list[str] = []
    chance = random.Random(f"{fault}:{evening}")
    outcome = await run_evening(plan, CYCLES[disturbance], folder, chance, said.append)
    assert len(said) == CYCLES[disturbance]
    return {violation.invariant for violation in outcome.violations}


@pytest.mark.parametrize("fault", FOUND_BY)
async def test_a_broken_server_is_found_out(fault: str, tmp_path: Path) -> None:
    disturbance, invariants = FOUND_BY[fault]
    found: set[str] = set()
    for evening in range(EVENINGS):
        found |= await violated(fault, disturbance, tmp_path, evening)
        if found >= invariants:
            return
    assert found >= invariants


async def test_two_servers_on_one_database_harm_nothing_while_the_fence_stands(
    tmp_path: Path,
) -> None:
    assert await violated(FOUND_BY_NOBODY, "second-server", tmp_path) == set()


def test_each_fault_has_its_test() -> None:
    assert {*FOUND_BY, FOUND_BY_NOBODY} == set(BROKEN)
