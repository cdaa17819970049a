"""The join PIN in the rules: the first of a table is told it, whoever comes later must say it."""

import pytest
from msgspec.structs import replace

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import Admit, Admitted, CloseSession, Decision

from .helpers import ATable, refused


def a_table_with_a_pin(*names: str) -> ATable:
    table = ATable()
    table.session = replace(table.session, members={}, join_pin="0482")
    for name in names:
        table.hears(Admit(name, "0482"))
    return table


def test_who_sits_down_first_needs_no_pin_and_is_told_it() -> None:
    table = a_table_with_a_pin()
    reply = table.hears(Admit("Ana")).reply
    assert isinstance(reply, Admitted)
    assert reply.join_pin == "0482"


def test_who_says_the_pin_sits_down_and_is_told_it_too() -> None:
    table = a_table_with_a_pin("Ana")
    reply = table.hears(Admit("Ben", "0482")).reply
    assert isinstance(reply, Admitted)
    assert reply.join_pin == "0482"
    assert [member.name for member in table.session.members.values()] == ["Ana", "Ben"]


@pytest.mark.parametrize(
    ("said", "code"), [(None, "pin_required"), ("0483", "pin_wrong"), ("482", "pin_wrong")]
)
def test_who_does_not_say_the_pin_stays_outside(said: str | None, code: str) -> None:
    table = a_table_with_a_pin("Ana")
    before = table.session
    assert refused(table.decide(Admit("Mallory", said))).rejection.code == code
    assert table.session is before


def test_a_table_without_a_pin_takes_whoever_says_one() -> None:
    table = ATable("Ana")
    assert table.hears(Admit("Ben", "1234")).reply == Admitted("member_2", None)


def test_every_member_is_shown_the_pin_until_the_session_closes() -> None:
    table = a_table_with_a_pin("Ana", "Ben")
    assert table.session.snapshot(frozenset()).join_pin == "0482"
    closed = decide(table.session, CloseSession("They left"), table.context())
    assert isinstance(closed, Decision)
    assert closed.session.join_pin is None
    assert closed.session.snapshot(frozenset()).join_pin is None
