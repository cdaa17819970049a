"""What an evening came to: read off its trace, judged by its evidence."""

import hashlib

from msgspec import Struct

from .coverage import marks_of
from .evening import Plan
from .invariants import violations
from .logbook import Logbook
from .matrix import cells_of
from .witness import Witness


class Outcome(Struct, frozen=True):
    """What an evening came to. `digest` is of its whole trace."""

    seed: int
    profile: str
    virtual_seconds: float
    orders: int
    faults: dict[str, int]
    marks: tuple[str, ...]
    cells: dict[str, int]
    violations: dict[str, list[str]]
    digest: str
    trace: tuple[str, ...] = ()


def judge(
    plan: Plan,
    witness: Witness,
    logbook: Logbook,
    virtual_seconds: float,
    besides: dict[str, list[str]],
    *,
    keep_trace: bool,
) -> Outcome:
    """Judge an evening that is over.

    Args:
        besides: what was broken that no evidence tells of, sentences by the invariant's name.
    """
    broken = {name: list(sentences) for name, sentences in besides.items()}
    for pid, evidence in witness.sessions.items():
        if evidence.rows:
            for name, sentences in violations(evidence).items():
                broken.setdefault(name, []).extend(f"{pid}: {said}" for said in sentences)
    orders = sum(len(one.rows.get("order_journal", ())) for one in witness.sessions.values())
    text = "\n".join(logbook.trace)
    return Outcome(
        plan.seed,
        plan.profile,
        round(virtual_seconds, 3),
        orders,
        dict(sorted(logbook.faults.items())),
        marks_of(text),
        cells_of(logbook.trace),
        broken,
        hashlib.sha256(text.encode()).hexdigest(),
        tuple(logbook.trace) if keep_trace else (),
    )
