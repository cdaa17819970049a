"""The moments in which an order can be: its state × what the POS does × owner alive × ledger has it.

Read off the trace. `unreachable` says which of the cells no evening can come to, and why; every other one
must be met by a long range of seeds.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product

from comanda.actors.domain.messages import OrderStateName

from .pos_faults import KINDS, Kind, kind_of

STATES: tuple[OrderStateName, ...] = (
    "prepared",
    "sent",
    "unknown",
    "needs_staff",
    "confirmed",
    "rejected",
)
SETTLED = ("confirmed", "rejected")

_STATE = re.compile(r"(ORD-\d+-\d+) (prepared|sent|unknown|needs_staff|confirmed|rejected)")
_COMMIT = re.compile(r"(house \d+) after commit ")
_REFUSED = "storage refuses"
_LIFE = re.compile(r"(house \d+) (opens|dies|loses power|has ended|freezes)$")
_LEDGER = re.compile(r"POS ledger: (\w+(?: body)?) (ORD-\S+)")
_FAULT = re.compile(r"POS fault of (\S+): (.*)")


def cell(state: str, kind: Kind, *, alive: bool, has: bool) -> str:
    """A cell's name."""
    return f"{state} | {kind} | {'alive' if alive else 'dead'} | {'has' if has else 'has not'}"


SELDOM_MET = frozenset({cell("rejected", "contradicts itself", alive=False, has=False)})
"""Reachable cells that a long range need not meet.

The ledger gives a rejected order up when a house asks for that, and a dead owner does not: it takes another
house that serves beside it, and asks just then. One evening in some thousand has that.
"""


def unreachable(state: OrderStateName, kind: Kind, *, alive: bool, has: bool) -> str | None:
    """Why no evening can come to this cell; None: it can.

    An order that is settled is looked at when it becomes so, and then whenever the POS's ledger changes.
    """
    if state == "prepared" and (has or kind != "does as it should"):
        return "the POS has not heard of it: no fault of it is known, and its ledger is empty"
    if has and kind in ("refuses", "has another order"):
        return "this POS never takes it"
    if state == "confirmed" and kind in ("refuses", "has another order"):
        return "nobody says that this POS has it"
    if state in SETTLED and kind != "contradicts itself":
        if not alive:
            return "only a POS that contradicts itself changes its ledger after the outcome"
        if has != (state == "confirmed"):
            return "I4: the ledger agrees with the outcome"
    if state == "confirmed" and not alive and has:
        return "it was confirmed after the ledger had it: the next change takes it away"
    return None


def reachable_cells() -> tuple[str, ...]:
    """The names of all cells that evenings can come to."""
    return tuple(
        cell(state, kind, alive=alive, has=has)
        for state, kind, alive, has in product(STATES, KINDS, (True, False), (True, False))
        if unreachable(state, kind, alive=alive, has=has) is None
    )


def cells_of(trace: Sequence[str]) -> dict[str, int]:
    """How often an order was in each cell.

    Looked at whenever one of the four has changed. The owner is the house that opened last, or another one
    that has had a commit taken since: where two serve, the one that dies may leave the other with the tables.
    """
    cells: Counter[str] = Counter()
    states: dict[str, str] = {}
    faults: dict[str, str] = {}
    has: set[str] = set()
    owner = before = ""
    alive = False

    def look(orders: Sequence[str]) -> None:
        for order_id in orders:
            kind = kind_of(faults.get(order_id, "none"))
            cells[cell(states[order_id], kind, alive=alive, has=order_id in has)] += 1

    for line in trace:
        if (life := _LIFE.search(line)) is not None:
            if life[2] == "opens":
                owner, alive = life[1], True
            elif life[1] == owner:
                alive = False
            look([one for one, state in states.items() if state not in ("confirmed", "rejected")])
        elif (commit := _COMMIT.search(line)) is not None and _REFUSED not in before:
            owner, alive = commit[1], True
            for order_id, state in _STATE.findall(line):
                states[order_id] = state
                look([order_id])
        elif (entry := _LEDGER.search(line)) is not None:
            what, order_id = entry.groups()
            (has.add if what == "effect" else has.discard)(order_id)
            if order_id in states:
                look([order_id])
        elif (fault := _FAULT.search(line)) is not None:
            faults[fault[1]] = fault[2]
        before = line
    return dict(sorted(cells.items()))
