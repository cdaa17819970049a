import pytest
from msgspec.structs import replace

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartCommand,
    ClearCart,
    PlaceOrder,
    RemoveItem,
    ResolveNow,
    SeenItem,
    UpdateItem,
    decode_command,
)
from comanda.actors.domain.order import Accepted
from comanda.actors.domain.session import MAX_REQUESTS_KEPT

from .helpers import LASSI, MARGHERITA, ATable, place, refused

ADD = AddItem(MARGHERITA, 2, "hot", "x", request_id="r-1")


def test_an_accepted_command_with_a_request_id_is_acknowledged_with_its_seq() -> None:
    table = ATable()
    decision = table.says(ADD)
    assert decision.reply == Ack("r-1", table.session.seq)
    (remembered,) = decision.changes.requests
    assert (remembered.member_id, remembered.request_id) == ("member_1", "r-1")
    assert (remembered.number, remembered.seq) == (0, table.session.seq)


def test_the_same_request_again_gets_the_same_reply_and_changes_nothing() -> None:
    table = ATable()
    first = table.says(ADD)
    table.says(UpdateItem("x", qty=5))
    before = table.session
    again = table.says(ADD)
    assert again.reply == first.reply
    assert table.session is before
    assert not again.events
    assert not again.changes


def test_a_command_without_a_request_id_is_done_again() -> None:
    table = ATable()
    assert table.adds() != table.adds()
    assert not table.session.requests


@pytest.mark.parametrize(
    "other",
    [
        replace(ADD, qty=3),
        replace(ADD, note=""),
        replace(ADD, public_id="y"),
        replace(ADD, public_id=None),
        replace(ADD, menu_item_id=LASSI),
        UpdateItem("x", qty=2, request_id="r-1"),
        RemoveItem("x", "r-1"),
        ClearCart("r-1"),
        ResolveNow("r-1"),
        PlaceOrder((SeenItem("x", MARGHERITA, 2, "hot"),), 1250.0, "", "r-1"),
    ],
)
def test_the_same_request_id_with_another_content_is_refused(other: CartCommand) -> None:
    table = ATable()
    table.says(ADD)
    assert table.refuses(other) == "request_id_reused"


@pytest.mark.parametrize(
    ("frame", "in_other_words"),
    [
        (
            '{"type":"add_item","menu_item_id":456,"qty":1,"request_id":"r"}',
            '{"request_id":"r","note":"","qty":1,"menu_item_id":456,"type":"add_item","more":1}',
        ),
        (
            '{"type":"place_order","cart_items":[{"public_id":"x","menu_item_id":456,"qty":2,'
            '"note":"hot"}],"total":1250,"request_id":"r"}',
            '{"type":"place_order","cart_items":[{"note":"hot","public_id":"x","menu_item_id":456,'
            '"qty":2}],"total":1250.00,"special_instructions":"","request_id":"r"}',
        ),
    ],
)
def test_the_same_content_may_be_spelt_otherwise(frame: str, in_other_words: str) -> None:
    table = ATable()
    table.says(AddItem(MARGHERITA, 2, "hot", "x"))
    first, second = decode_command(frame), decode_command(in_other_words)
    assert isinstance(first, CartCommand)
    assert isinstance(second, CartCommand)
    assert table.says(first).reply == table.says(second).reply


def test_each_member_has_request_ids_of_their_own() -> None:
    table = ATable("Ana", "Ben")
    table.says(ADD, by="member_1")
    table.says(ClearCart("r-1"), by="member_2")
    assert table.says(ADD, by="member_1").reply == Ack("r-1", 3)
    assert table.says(ClearCart("r-1"), by="member_2").reply == Ack("r-1", 4)


def test_a_refused_request_may_be_tried_again() -> None:
    table = ATable()
    table.alters_menu(MARGHERITA, available=False)
    assert table.refuses(ADD) == "item_unavailable"
    table.alters_menu(MARGHERITA, available=True)
    assert table.says(ADD).reply == Ack("r-1", table.session.seq)


def test_a_request_refused_by_the_lock_may_be_tried_again_or_changed() -> None:
    table = ATable()
    table.adds()
    table.places()
    assert table.refuses(ADD) == "cart_locked"
    table.sends()
    table.answers(Accepted("K"))
    table.says(replace(ADD, qty=7))
    assert table.session.lines["x"].qty == 7


def test_an_order_asked_for_twice_is_made_once_also_when_the_first_is_in_flight() -> None:
    table = ATable()
    table.adds()
    command = place(table.session, request_id="r-9")
    first = table.says(command)
    again = table.says(command)
    assert again.reply == first.reply == Ack("r-9", table.session.seq)
    assert first.start is not None
    assert again.start is None
    table.sends()
    table.answers(Accepted("K"))
    late = table.says(command)
    assert late.reply == first.reply
    assert late.start is None
    assert not late.show_snapshot


def test_a_remembered_reply_is_given_though_the_cart_is_locked() -> None:
    table = ATable()
    first = table.says(ADD)
    table.places()
    assert table.says(ADD).reply == first.reply


def test_a_remembered_reply_is_given_though_the_session_is_closed() -> None:
    table = ATable()
    first = table.says(ADD)
    table.closes()
    assert table.says(ADD).reply == first.reply
    assert table.refuses(replace(ADD, request_id="r-2")) == "session_closed"


@pytest.mark.parametrize("locked", [False, True])
def test_resolve_now_is_asked_once_a_request_id(locked: bool) -> None:
    table = ATable()
    table.adds()
    if locked:
        table.places()
    seq = table.session.seq
    first = table.says(ResolveNow("r-3"))
    assert (first.ask_now, first.show_snapshot) == (locked, not locked)
    assert first.reply == Ack("r-3", seq)
    assert not first.events
    again = table.says(ResolveNow("r-3"))
    assert (again.ask_now, again.show_snapshot, again.reply) == (False, False, first.reply)


@pytest.mark.parametrize("locked", [False, True])
def test_resolve_now_without_a_request_id_changes_nothing(locked: bool) -> None:
    table = ATable()
    table.adds()
    if locked:
        table.places()
    before = table.session
    decision = table.says(ResolveNow())
    assert (decision.ask_now, decision.show_snapshot) == (locked, not locked)
    assert decision.reply is None
    assert decision.start is None
    assert table.session is before
    assert not decision.changes


def test_an_order_with_the_staff_is_not_asked_for_any_more() -> None:
    table = ATable()
    table.adds()
    table.places()
    table.sends()
    table.lock_ends()
    decision = table.says(ResolveNow())
    assert (decision.ask_now, decision.show_snapshot) == (False, True)


def test_the_last_256_of_a_member_are_remembered() -> None:
    table = ATable("Ana", "Ben")
    table.adds()
    table.says(UpdateItem("item_1", qty=50, request_id="other"), by="member_2")

    def ask(number: int) -> CartCommand:
        return UpdateItem("item_1", qty=number % 99 + 1, request_id=f"r-{number}")

    for number in range(MAX_REQUESTS_KEPT + 1):
        decision = table.says(ask(number))
        assert decision.changes.requests[0].number == number
    assert MAX_REQUESTS_KEPT == 256
    memory = table.session.requests["member_1"]
    assert len(memory.by_id) == 256
    assert memory.count == 257
    assert list(memory.by_id) == [f"r-{number}" for number in range(1, 257)]
    before = table.session
    assert table.says(ask(1)).reply == Ack("r-1", memory.by_id["r-1"].seq)
    assert table.session is before
    assert table.says(ask(0)).reply == Ack("r-0", before.seq + 1)
    assert "r-1" not in table.session.requests["member_1"].by_id
    assert "other" in table.session.requests["member_2"].by_id


# --- When several refusals fit --------------------------------------------------------------------


def locked_and_closed() -> ATable:
    table = ATable()
    table.says(AddItem(MARGHERITA, 1, "", "x", "r-1"))
    table.places()
    table.closes()
    return table


def test_a_reused_request_id_is_refused_before_all_else() -> None:
    assert locked_and_closed().refuses(ClearCart("r-1")) == "request_id_reused"


@pytest.mark.parametrize(
    "command",
    [
        AddItem(999, 1),
        UpdateItem("no", qty=1),
        RemoveItem("no"),
        ClearCart(),
        ResolveNow(),
        PlaceOrder((), 0.0),
    ],
)
def test_a_closed_session_is_refused_before_a_locked_cart(command: CartCommand) -> None:
    assert locked_and_closed().refuses(command) == "session_closed"


@pytest.mark.parametrize(
    "command",
    [
        AddItem(999, 1),
        AddItem(MARGHERITA, 1, "", "x"),
        UpdateItem("no", qty=1),
        RemoveItem("no"),
        PlaceOrder((), 0.0),
    ],
)
def test_a_locked_cart_is_refused_before_the_rest(command: CartCommand) -> None:
    table = ATable()
    table.says(AddItem(MARGHERITA, 1, "", "x"))
    table.places()
    assert table.refuses(command) == "cart_locked"


def test_a_refusal_shows_the_cart_only_where_the_member_did_not_know_it() -> None:
    table = ATable()
    table.adds()
    cases: list[tuple[CartCommand, bool]] = [
        (PlaceOrder((), 0.0), True),
        (replace(place(table.session), total=1.0), True),
        (RemoveItem("no"), False),
        (AddItem(999, 1), False),
    ]
    for command, shown in cases:
        outcome = refused(decide(table.session, ByMember("member_1", command), table.context()))
        assert outcome.show_snapshot is shown
