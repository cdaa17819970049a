"""The invariants, each a small function from the evidence to its violations."""

from collections.abc import Iterator

from ..evidence import Evidence, Violation
from .commands import acked_once, same_reply
from .orders import effects_once, one_in_flight, pos_and_items_agree, staff_are_told, totals_add_up
from .rest import everything_settles
from .states import (
    epochs_rise,
    equal_seq_equal_state,
    legal_moves,
    no_gaps,
    nothing_newer_than_durable,
)
from .storage import sound_database

CHECKS = (
    acked_once,
    nothing_newer_than_durable,
    effects_once,
    pos_and_items_agree,
    staff_are_told,
    epochs_rise,
    one_in_flight,
    legal_moves,
    no_gaps,
    equal_seq_equal_state,
    same_reply,
    totals_add_up,
    everything_settles,
    sound_database,
)
"""I1 to I12 in this order, then I15 and the database's own integrity."""


def check(evidence: Evidence) -> Iterator[Violation]:
    """All violations of one evening."""
    for one in CHECKS:
        yield from one(evidence)
