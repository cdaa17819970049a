"""Of what a session may crash in an evening, and of what it may not."""

import pytest

from comanda.actors.ports import StaleEpoch
from comanda.runtime import ActorStopped, Outage
from comanda.simulation.poison import Poison
from comanda.simulation.succession import is_foreseen

STOPPED = ActorStopped("The actor has ended.")


@pytest.mark.parametrize(
    ("error", "restarts", "foreseen"),
    [
        (Poison("p"), True, True),
        (Outage("o"), True, True),
        (StaleEpoch("s"), True, True),
        (STOPPED, False, True),
        (STOPPED, True, False),
        (ValueError("v"), True, False),
        (ExceptionGroup("seed 876", [Poison("p"), STOPPED]), True, True),
        (ExceptionGroup("", [ExceptionGroup("", [Poison("p")]), STOPPED]), True, True),
        (ExceptionGroup("", [Poison("p"), ValueError("v")]), True, False),
        (ExceptionGroup("seed 2415", [STOPPED, STOPPED]), False, True),
        (ExceptionGroup("", [STOPPED]), True, False),
    ],
)
def test_a_session_may_crash_of_poison_storage_and_a_fence_with_its_orders_tasks_behind(
    error: BaseException, restarts: bool, foreseen: bool
) -> None:
    assert is_foreseen(error, restarts=restarts) == foreseen
