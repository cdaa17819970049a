"""What a long range of seeds must have met: every mark often enough, every cell that can be reached."""

from collections.abc import Iterator

from .campaign import Tally
from .coverage import MARKS
from .matrix import SELDOM_MET, reachable_cells

MARKS_SHARE = 0.01
"""Each mark is hit in at least so many of the seeds: else the dice hardly come there, which proves little."""


def not_covered(tally: Tally) -> Iterator[str]:
    """What this range has missed, in sentences; nothing where it has been everywhere.

    A cell that was met though it is said to be unreachable is told of too: the reason is wrong then.
    """
    for name in MARKS:
        share = tally.marks.get(name, 0) / max(tally.seeds, 1)
        if share < MARKS_SHARE:
            yield f"the mark {name!r} was hit in {share:.2%} of the evenings"
    reachable = reachable_cells()
    for name in reachable:
        if not tally.cells.get(name) and name not in SELDOM_MET:
            yield f"the cell {name!r} was never met"
    for name in sorted(tally.cells.keys() - set(reachable)):
        yield f"the cell {name!r} was met, and is said to be unreachable"
