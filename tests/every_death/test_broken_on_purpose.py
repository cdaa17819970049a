"""The tests of the tests: with Comanda broken on purpose, some run must find it out."""

from collections.abc import Callable

import pytest

from comanda.simulation.invariants import (
    Invariant,
    acknowledged_commands_stand_once,
    epochs_never_go_back,
    nothing_told_is_newer_than_storage,
    the_same_request_has_the_same_reply,
    violations,
)
from comanda.simulation.kitchen import nothing_is_cooked_twice, ordered_is_what_the_pos_has
from comanda.simulation.pos_faults import BY_NAME

from . import broken
from .runs import every_run
from .world import Death, Shelf


@pytest.mark.parametrize(
    ("breaking", "fault", "death", "found_by"),
    [
        (
            broken.a_new_key_for_each_attempt,
            "accepts and the answer is lost",
            "killed",
            {nothing_is_cooked_twice, ordered_is_what_the_pos_has},
        ),
        (
            broken.a_timeout_is_a_failure,
            "accepts after 14 s",
            "killed",
            {nothing_is_cooked_twice, ordered_is_what_the_pos_has},
        ),
        (
            broken.acknowledged_before_the_commit,
            "accepts at once",
            "killed",
            {nothing_told_is_newer_than_storage, acknowledged_commands_stand_once},
        ),
        (broken.no_fence, "accepts after 14 s", "paused", {epochs_never_go_back}),
        (
            broken.no_memory_of_requests,
            "accepts at once",
            "killed",
            {acknowledged_commands_stand_once, the_same_request_has_the_same_reply},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_broken_on_purpose_is_found(
    shelf: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    breaking: Callable[[pytest.MonkeyPatch], None],
    fault: str,
    death: Death,
    found_by: set[Invariant],
) -> None:
    breaking(monkeypatch)
    missing = {invariant.__name__ for invariant in found_by}
    for _, run in every_run(shelf, BY_NAME[fault], death):
        missing -= violations(run.evidence).keys()
        if not missing:
            return
    pytest.fail(f"no run has found it: {', '.join(sorted(missing))}")
