"""What a long range must have met: marks, and the cells that can be reached."""

import re
from itertools import product

import pytest

from comanda.simulation.campaign import Tally
from comanda.simulation.coverage import MARKS, marks_of
from comanda.simulation.gates import not_covered
from comanda.simulation.matrix import (
    SELDOM_MET,
    STATES,
    cell,
    cells_of,
    reachable_cells,
    unreachable,
)
from comanda.simulation.pos_faults import FAULTS, KINDS, kind_of


def _whole() -> Tally:
    tally = Tally("all", 1000, seeds=1000)
    tally.marks = dict.fromkeys(MARKS, 10)
    tally.cells = dict.fromkeys(reachable_cells(), 1)
    return tally


def test_a_range_that_has_been_everywhere_misses_nothing() -> None:
    assert list(not_covered(_whole())) == []


def test_a_mark_below_one_in_a_hundred_is_told_of() -> None:
    tally = _whole()
    tally.marks["house killed"] = 9
    (sentence,) = not_covered(tally)
    assert sentence == "the mark 'house killed' was hit in 0.90% of the evenings"


def test_an_empty_cell_is_told_of() -> None:
    tally = _whole()
    name = cell("sent", "refuses", alive=True, has=False)
    del tally.cells[name]
    (sentence,) = not_covered(tally)
    assert name in sentence


def test_a_cell_that_was_met_though_it_cannot_be_is_told_of() -> None:
    tally = _whole()
    name = cell("prepared", "does as it should", alive=True, has=True)
    assert name not in tally.cells
    tally.cells[name] = 1
    (sentence,) = not_covered(tally)
    assert name in sentence
    assert "unreachable" in sentence


def test_a_cell_that_is_seldom_met_may_be_and_need_not() -> None:
    tally = _whole()
    for name in SELDOM_MET:
        tally.cells[name] = 1
        assert list(not_covered(tally)) == []
        del tally.cells[name]
        assert list(not_covered(tally)) == []


def test_every_cell_is_reachable_or_has_a_reason() -> None:
    for state, kind, alive, has in product(STATES, KINDS, (True, False), (True, False)):
        why = unreachable(state, kind, alive=alive, has=has)
        assert (why is None) == (cell(state, kind, alive=alive, has=has) in reachable_cells())
        assert why is None or len(why) > 20


def test_every_fault_is_of_a_kind_and_every_kind_has_a_fault() -> None:
    assert {kind_of(fault.name) for fault in FAULTS} == set(KINDS)
    assert kind_of("none") == "does as it should"


def test_the_owner_is_the_house_that_opened_last() -> None:
    trace = [
        "    0.000 house 1 opens",
        "    1.000 house 1 after commit of seq 3 (ORD-7-1 sent)",
        "    2.000 house 1 freezes",
        "    3.000 house 2 opens",
        "    4.000 house 1 dies",
        "    5.000 house 2 after commit of seq 4 (ORD-7-1 unknown)",
    ]
    met = cells_of(trace)
    assert cell("sent", "does as it should", alive=False, has=False) in met
    assert cell("unknown", "does as it should", alive=True, has=False) in met
    assert cell("unknown", "does as it should", alive=False, has=False) not in met


def test_who_has_a_commit_taken_owns_the_tables_and_who_is_refused_does_not() -> None:
    trace = [
        "    0.000 house 1 opens",
        "    2.000 house 1 freezes",
        "    3.000 house 2 opens",
        "    4.000 house 1 goes on",
        "    5.000 storage refuses: StaleEpoch",
        "    5.000 house 1 after commit of seq 4 (ORD-7-1 rejected)",
        "    6.000 house 2 dies",
        "    7.000 house 1 after commit of seq 5 (ORD-7-1 confirmed)",
    ]
    assert cells_of(trace) == {
        cell("confirmed", "does as it should", alive=True, has=False): 1,
    }


def test_each_marks_pattern_is_a_pattern() -> None:
    for name, pattern in MARKS.items():
        assert re.compile(pattern).groups >= 0, name


@pytest.mark.parametrize(
    ("orders", "met"),
    [
        ("ORD-7-1 ORD-7-2", False),
        ("ORD-9-1", False),
        ("ORD-9-1 ORD-7-1", True),
        ("ORD-7-1 ORD-8-1", True),
        ("ORD-9-1 ORD-8-1", True),
        ("ORD-8-1 ORD-9-1", True),
    ],
)
def test_two_restaurants_have_orders_whichever_two(orders: str, met: bool) -> None:
    trace = "\n".join(f"    1.000 POS ledger: effect {order}" for order in orders.split())
    assert ("two restaurants had orders" in marks_of(trace)) == met
