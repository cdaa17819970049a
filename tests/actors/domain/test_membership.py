from comanda.actors.domain.changes import Member
from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import Admit, Admitted
from comanda.actors.domain.messages import (
    AddItem,
    JoinedMember,
    MemberJoined,
    PresentMember,
    SessionClosed,
)
from comanda.actors.domain.session import MAX_MEMBERS

from .helpers import MARGHERITA, NOW, ATable, only, refused


def test_who_sits_down_becomes_a_member_and_everybody_hears_it() -> None:
    table = ATable("Ana")
    table.passes(5)
    decision = table.hears(Admit("Ben"))
    ben = Member("member_2", "Ben", table.now)
    assert decision.reply == Admitted("member_2", None)
    assert list(table.session.members.values()) == [Member("member_1", "Ana", NOW), ben]
    assert decision.changes.members == [ben]
    event = only(MemberJoined, decision.events)
    assert event == MemberJoined(2, JoinedMember("member_2", "Ben"), table.now)
    assert table.session.seq == 2
    assert table.session.updated_at == table.now


def test_two_members_may_have_the_same_name() -> None:
    table = ATable("Ana", "Ana")
    assert list(table.session.members) == ["member_1", "member_2"]


def test_somebody_may_sit_down_while_the_cart_is_locked() -> None:
    table = ATable()
    table.adds()
    order = table.places()
    table.hears(Admit("Cem"))
    assert table.order == order


def test_sitting_down_is_no_edit() -> None:
    table = ATable()
    table.adds()
    table.places()
    table.lock_ends()
    assert table.session.processing_status == "failed"
    table.hears(Admit("Cem"))
    assert table.session.processing_status == "failed"


def test_a_table_seats_only_so_many() -> None:
    table = ATable(*(f"Guest {n}" for n in range(MAX_MEMBERS)))
    before = table.session
    outcome = refused(table.decide(Admit("One more")))
    assert outcome.rejection.code == "too_busy"
    assert table.session is before


def test_nobody_sits_down_at_a_closed_session() -> None:
    table = ATable("Ana")
    table.closes()
    outcome = refused(decide(table.session, Admit("Ben"), table.context()))
    assert outcome.rejection.code == "session_closed"


def test_when_the_party_leaves_everybody_hears_why() -> None:
    table = ATable("Ana", "Ben")
    table.passes(5)
    decision = table.closes()
    assert only(SessionClosed, decision.events) == SessionClosed(3, "The party has left", table.now)
    assert table.session.closed_reason == "The party has left"
    assert (table.session.seq, table.session.updated_at) == (3, table.now)
    assert table.refuses(AddItem(MARGHERITA, 1)) == "session_closed"


def test_a_session_closes_once() -> None:
    table = ATable()
    table.closes()
    before = table.session
    decision = table.closes()
    assert table.session is before
    assert not decision.events
    assert not decision.changes


def test_a_closing_session_leaves_its_order_in_flight_to_be_settled() -> None:
    table = ATable()
    table.adds()
    order = table.places()
    table.closes()
    assert table.session.pending == order


def test_presence_is_told_of_every_member_and_stored_of_none() -> None:
    session = ATable("Ana", "Ben").session
    assert session.present(frozenset({"member_2", "stranger"})) == (
        PresentMember("member_1", "Ana", False),
        PresentMember("member_2", "Ben", True),
    )


def test_somebody_who_is_not_of_the_table_is_named_by_their_id() -> None:
    session = ATable("Ana").session
    assert session.name_of("member_1") == "Ana"
    assert session.name_of("stranger") == "stranger"
