"""Every run with one fault: one without a death, then one for each step at which the house can die."""

from collections.abc import Iterator

from comanda.simulation.invariants import violations
from comanda.simulation.pos import Fault

from .world import Death, Run, Shelf, play


class Broken(AssertionError):
    """A run has broken an invariant. The text names the run, so that it can be played again."""


def every_run(shelf: Shelf, fault: Fault, death: Death) -> Iterator[tuple[str, Run]]:
    """The run without a death, then one for each step; each with the words that name it."""
    alive = play(shelf, fault)
    yield f"fault {fault.name!r}, nobody dies", alive
    for number, step in enumerate(alive.steps, start=1):
        run = play(shelf, fault, number, death)
        assert run.steps[number - 1] == step, "the same run was played differently"
        yield f"fault {fault.name!r}, {death} at step {number} ({step})", run


def check(name: str, run: Run) -> None:
    """Raise `Broken` unless all invariants hold."""
    broken = violations(run.evidence)
    if broken:
        lines = [f"{which}: {said}" for which, sentences in broken.items() for said in sentences]
        raise Broken("\n".join([name, *lines]))
