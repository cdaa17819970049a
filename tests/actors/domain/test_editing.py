from decimal import Decimal

import pytest

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    MAX_LINES,
    MAX_NOTES_BYTES,
    AddItem,
    CartUpdated,
    ClearCart,
    RemoveItem,
    UpdateItem,
)
from comanda.actors.domain.order import Accepted, Rejected, Unknown
from comanda.actors.domain.session import MAX_LINES_EVER

from .helpers import KULFI, LASSI, MARGHERITA, ATable, only, refused

REFUSED = Rejected("busy", "No", True)


def test_an_added_item_is_a_pending_line_at_the_menus_price() -> None:
    table = ATable()
    table.passes(5)
    decision = table.says(AddItem(MARGHERITA, 2, "Extra spicy", "mine-1"), by="member_2")
    line = table.session.lines["mine-1"]
    assert (line.menu_item_id, line.name, line.price_minor) == (MARGHERITA, "Margherita", 62500)
    assert (line.qty, line.note, line.added_by) == (2, "Extra spicy", "member_2")
    assert (line.state, line.available) == ("pending", True)
    event = only(CartUpdated, decision.events)
    assert (event.seq, event.by_member, event.removed) == (3, "member_2", ())
    assert event.items == (line.as_item(2),)
    assert event.total == Decimal("1250.00")
    assert event.timestamp == table.session.updated_at == table.now
    assert decision.changes.lines == {"mine-1": line}
    assert decision.reply is None


def test_a_line_without_an_id_of_the_senders_gets_one_of_ours() -> None:
    assert ATable().adds() == "item_1"


def test_lines_keep_the_order_in_which_they_were_added() -> None:
    table = ATable()
    first, second = table.adds(), table.adds()
    table.says(RemoveItem(first))
    third = table.adds()
    table.says(UpdateItem(second, qty=5))
    assert list(table.session.lines) == [second, third]
    assert [line.position for line in table.session.lines.values()] == [1, 2]


def test_the_same_dish_may_stand_in_two_lines() -> None:
    table = ATable()
    assert table.adds() != table.adds()
    assert table.session.total_minor == 125000


def test_what_is_not_on_the_menu_cannot_be_added() -> None:
    assert ATable().refuses(AddItem(999, 1)) == "item_not_found"


def test_what_is_sold_out_cannot_be_added() -> None:
    table = ATable()
    table.alters_menu(KULFI, available=False)
    assert table.refuses(AddItem(KULFI, 1)) == "item_unavailable"


def test_a_public_id_is_not_used_twice_in_a_cart() -> None:
    table = ATable()
    table.says(AddItem(MARGHERITA, 1, "", "x"))
    assert table.refuses(AddItem(LASSI, 1, "", "x"), by="member_2") == "public_id_taken"


def removed(table: ATable) -> None:
    table.says(RemoveItem("x"))


def cleared(table: ATable) -> None:
    table.says(ClearCart())


def ordered(table: ATable) -> None:
    table.places()
    table.sends()
    table.answers(Accepted("K"))


def in_doubt(table: ATable) -> None:
    table.places()
    table.sends()
    table.answers(Unknown("silence"))
    table.lock_ends()


def rejected_late(table: ATable) -> None:
    in_doubt(table)
    table.answers(REFUSED, "ORD-7-42")


def confirmed_late(table: ATable) -> None:
    in_doubt(table)
    table.answers(Accepted("K"), "ORD-7-42")


@pytest.mark.parametrize(
    "leaves", [removed, cleared, ordered, in_doubt, rejected_late, confirmed_late]
)
def test_the_public_id_of_a_line_that_has_left_is_never_used_again(leaves: object) -> None:
    table = ATable()
    table.says(AddItem(MARGHERITA, 1, "", "x"))
    assert callable(leaves)
    leaves(table)
    assert not table.session.lines
    assert table.session.retired == {"x"}
    assert table.refuses(AddItem(MARGHERITA, 1, "", "x")) == "public_id_taken"
    assert table.refuses(UpdateItem("x", qty=2)) == "item_not_found"
    assert table.refuses(RemoveItem("x")) == "item_not_found"


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    table = ATable()
    public_id = table.adds(qty=1, note="mild", by="member_2")
    before = table.session.lines[public_id]
    table.says(UpdateItem(public_id, qty=3))
    assert table.session.lines[public_id].note == "mild"
    decision = table.says(UpdateItem(public_id, note="hot"))
    line = table.session.lines[public_id]
    assert (line.qty, line.note, line.added_by) == (3, "hot", "member_2")
    assert before.qty == 1
    event = only(CartUpdated, decision.events)
    assert (event.by_member, event.items) == ("member_1", (line.as_item(2),))
    assert event.total == Decimal("1875.00")
    table.says(UpdateItem(public_id, qty=1, note=""))
    assert (table.session.lines[public_id].qty, table.session.lines[public_id].note) == (1, "")


def test_a_line_that_is_not_there_can_be_neither_changed_nor_removed() -> None:
    table = ATable()
    assert table.refuses(UpdateItem("x", qty=1)) == "item_not_found"
    assert table.refuses(RemoveItem("x")) == "item_not_found"


def test_a_removed_line_leaves_and_the_total_follows() -> None:
    table = ATable()
    first, second = table.adds(), table.adds(LASSI)
    decision = table.says(RemoveItem(first))
    event = only(CartUpdated, decision.events)
    assert (event.items, event.removed, event.total) == ((), (first,), Decimal("90.00"))
    assert list(table.session.lines) == [second]
    assert list(decision.changes.removed) == [first]


def test_a_cleared_cart_is_empty_and_one_event_tells_it() -> None:
    table = ATable()
    ids = (table.adds(), table.adds(LASSI), table.adds(KULFI))
    decision = table.says(ClearCart())
    event = only(CartUpdated, decision.events)
    assert (event.removed, event.total) == (ids, Decimal("0.00"))
    assert not table.session.lines
    assert tuple(decision.changes.removed) == ids


def test_a_cart_holds_a_hundred_lines() -> None:
    table = ATable()
    for _ in range(MAX_LINES):
        table.adds()
    assert MAX_LINES == 100
    assert table.refuses(AddItem(MARGHERITA, 1)) == "cart_full"
    table.says(RemoveItem("item_1"))
    table.adds()


def test_a_session_has_only_so_many_lines_ever() -> None:
    table = ATable()
    for _ in range(MAX_LINES_EVER):
        table.adds()
        table.says(ClearCart())
    assert table.refuses(AddItem(MARGHERITA, 1)) == "cart_full"


def test_the_notes_of_a_cart_take_at_most_sixteen_kibibytes() -> None:
    table = ATable()
    for _ in range(14):
        table.adds(note="🎉" * 280)  # 1,120 bytes each
    left = MAX_NOTES_BYTES - 14 * 1120 - 280 - 1
    last = table.adds(note="é" * (left - 280) + "n" * (560 - left))
    full = table.adds(note="n" * 280)
    assert table.refuses(AddItem(MARGHERITA, 1, "éé")) == "cart_full"
    assert table.refuses(AddItem(MARGHERITA, 1, "é")) == "cart_full"
    assert table.refuses(UpdateItem(full, note="n" * 278 + "éé")) == "cart_full"
    table.says(UpdateItem(full, note="n" * 279 + "é"))
    assert sum(len(line.note.encode()) for line in table.session.lines.values()) == MAX_NOTES_BYTES
    assert table.refuses(AddItem(MARGHERITA, 1, "n")) == "cart_full"
    table.adds(note="")
    table.says(UpdateItem(last, qty=2))
    table.says(UpdateItem(last, note=""))
    table.adds(note="n")


@pytest.mark.parametrize(
    "edit", [AddItem(LASSI, 1), UpdateItem("item_1", qty=2), RemoveItem("item_1"), ClearCart()]
)
def test_nobody_edits_a_locked_cart(edit: AddItem | UpdateItem | RemoveItem | ClearCart) -> None:
    table = ATable("Ana", "Ben")
    table.adds()
    table.places(by="member_1")
    for member in ("member_1", "member_2"):
        outcome = refused(decide(table.session, ByMember(member, edit), table.context()))
        assert outcome.rejection.code == "cart_locked"
        assert outcome.rejection.message == "Order already being processed"
    table.sends()
    assert table.refuses(edit) == "cart_locked"
    table.answers(Unknown("silence"))
    assert table.refuses(edit) == "cart_locked"
    table.answers(REFUSED)
    table.says(edit)


@pytest.mark.parametrize(
    "edit", [AddItem(LASSI, 1), UpdateItem("item_1", qty=2), RemoveItem("item_1"), ClearCart()]
)
def test_any_edit_makes_an_end_of_the_last_order(
    edit: AddItem | UpdateItem | RemoveItem | ClearCart,
) -> None:
    table = ATable()
    table.adds()
    table.places()
    table.sends()
    table.answers(REFUSED)
    failed = table.session
    table.says(edit, by="member_2")
    assert (failed.processing_status, table.session.processing_status) == ("failed", "idle")
    assert table.session.last_order is None
