from collections.abc import Callable

import pytest

from comanda.actors.domain.changes import AttemptStarted, Changes, LineMove, Member, Remembered
from comanda.actors.domain.incident import Incident, VoidWanted

from .helpers import NOW, ATable


def a_line(changes: Changes) -> None:
    table = ATable()
    table.adds()
    changes.lines.update(table.session.lines)


def an_order(changes: Changes) -> None:
    table = ATable()
    table.adds()
    changes.orders["ORD-7-42"] = table.places()


KINDS: dict[str, Callable[[Changes], object]] = {
    "lines": a_line,
    "moves": lambda changes: changes.moves.append(LineMove("x", "locked", "ORD-7-42")),
    "removed": lambda changes: changes.removed.update(x=None),
    "members": lambda changes: changes.members.append(Member("member_1", "Ana", NOW)),
    "orders": an_order,
    "attempts": lambda changes: changes.attempts.append(AttemptStarted("ORD-7-42", 1, NOW)),
    "incidents": lambda changes: changes.incidents.append(
        Incident("ORD-7-42", "key_reused", 7, NOW, "another body")
    ),
    "voids": lambda changes: changes.voids.append(VoidWanted("ORD-7-42", NOW, "cancelled")),
    "requests": lambda changes: changes.requests.append(Remembered("m", "r", 0, b"", 1)),
}


def test_every_kind_of_change_is_tried_here() -> None:
    assert set(KINDS) == set(Changes.__slots__)


def test_no_changes_are_false() -> None:
    assert not Changes()


@pytest.mark.parametrize("kind", KINDS)
def test_any_one_change_counts_and_is_taken_in(kind: str) -> None:
    changes, later = Changes(), Changes()
    KINDS[kind](later)
    assert later
    changes.add(later)
    assert changes
    assert getattr(changes, kind) == getattr(later, kind)
    assert getattr(changes, kind) is not getattr(later, kind)


def test_moves_are_kept_in_the_order_in_which_they_happened() -> None:
    first, second = LineMove("x", "locked", "ORD-7-42"), LineMove("x", "pending", None)
    changes, later = Changes(), Changes()
    changes.moves.append(first)
    later.moves.append(second)
    changes.add(later)
    assert changes.moves == [first, second]
