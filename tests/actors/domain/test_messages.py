import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    BadMessage,
    CartItem,
    CartLocked,
    CartSnapshot,
    CartUnlocked,
    CartUpdated,
    ClearCart,
    Command,
    Error,
    Event,
    Join,
    JoinedMember,
    LastOrder,
    MemberJoined,
    MenuChange,
    MenuUpdated,
    OrderConfirmed,
    OrderFailed,
    OrderInDoubt,
    OrderItem,
    OrderProcessing,
    OrderRecord,
    PendingOrder,
    Ping,
    PlaceOrder,
    Pong,
    Presence,
    PresentMember,
    Rejection,
    RemoveItem,
    ResolveNow,
    SeenItem,
    ServerClosing,
    SessionClosed,
    Told,
    UpdateItem,
    decode_command,
    decode_told,
    encode,
)

WHEN = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
ON_THE_WIRE = "2024-01-15T10:30:00Z"

# --- Commands -------------------------------------------------------------------------------------

SPECIFIED_ORDER = """{
  "type": "place_order",
  "cart_items": [{"public_id": "item_123", "menu_item_id": 456, "qty": 2, "note": "Extra spicy"}],
  "total": 1250.00,
  "special_instructions": "Table by the window"
}"""


@pytest.mark.parametrize(
    ("frame", "command"),
    [
        (
            SPECIFIED_ORDER,
            PlaceOrder(
                (SeenItem("item_123", 456, 2, "Extra spicy"),), 1250.0, "Table by the window"
            ),
        ),
        ('{"type": "place_order", "cart_items": [], "total": 0}', PlaceOrder((), 0.0)),
        (
            '{"type": "place_order", "total": 5, "cart_items":'
            ' [{"public_id": "a", "menu_item_id": 1, "qty": 1}]}',
            PlaceOrder((SeenItem("a", 1, 1, ""),), 5.0),
        ),
        ('{"type": "join", "token": "secret"}', Join("secret")),
        ('{"type": "add_item", "menu_item_id": 456, "qty": 99}', AddItem(456, 99, "", None, None)),
        (
            '{"type": "add_item", "menu_item_id": 0, "qty": 1, "note": "hot",'
            ' "public_id": "A-z_9", "request_id": "r"}',
            AddItem(0, 1, "hot", "A-z_9", "r"),
        ),
        ('{"type": "update_item", "public_id": "a", "qty": 3}', UpdateItem("a", qty=3)),
        ('{"type": "update_item", "public_id": "a", "note": ""}', UpdateItem("a", note="")),
        (
            '{"type": "update_item", "public_id": "a", "qty": 1, "note": "x", "request_id": "r"}',
            UpdateItem("a", 1, "x", "r"),
        ),
        ('{"type": "remove_item", "public_id": "a"}', RemoveItem("a")),
        ('{"type": "clear_cart"}', ClearCart()),
        ('{"type": "resolve_now", "request_id": "r"}', ResolveNow("r")),
        ('{"type": "ping", "request_id": null}', Ping(None)),
        ('{"type": "ping", "a_later_field": {"of": ["any", "kind"]}}', Ping()),
    ],
)
def test_a_frame_of_the_protocol_is_the_command_that_it_says(frame: str, command: Command) -> None:
    assert decode_command(frame) == command
    assert decode_command(frame.encode()) == command


def test_an_update_leaves_alone_what_it_does_not_name() -> None:
    command = decode_command('{"type": "update_item", "public_id": "a", "note": "x"}')
    assert isinstance(command, UpdateItem)
    assert command.qty is UNSET
    assert b"qty" not in encode(command)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "add_item", "menu_item_id": 9007199254740992, "qty": 1}',
        json.dumps({"type": "add_item", "menu_item_id": 1, "qty": 1, "note": "n" * 280}),
        json.dumps({"type": "add_item", "menu_item_id": 1, "qty": 1, "note": "🎉" * 280}),
        json.dumps({"type": "add_item", "menu_item_id": 1, "qty": 1, "public_id": "i" * 64}),
        json.dumps({"type": "ping", "request_id": "r" * 64}),
        json.dumps({"type": "ping", "request_id": "é" * 64}),
        json.dumps(
            {
                "type": "place_order",
                "cart_items": [
                    {"public_id": str(n), "menu_item_id": 1, "qty": 1} for n in range(100)
                ],
                "total": 1,
                "special_instructions": "🎉" * 500,
            }
        ),
    ],
)
def test_every_limit_may_be_reached(frame: str) -> None:
    decode_command(frame)


def bad(frame: bytes | str) -> BadMessage:
    with pytest.raises(BadMessage) as caught:
        decode_command(frame)
    return caught.value


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " ",
        "not JSON",
        '{"type": "ping"',
        '{"type": "ping"} {"type": "ping"}',
        "{'type': 'ping'}",
        "null",
        "5",
        '"ping"',
        "[]",
        '[{"type": "ping"}]',
        "{}",
        b"\xff\xfe",
        b'{"type": "ping", "request_id": "\xff"}',
        '{"type": "ping", "request_id": "\ud800"}',
        '{"type": "ping", "request_id": "\\ud800"}',
        '{"type": "ping", "request_id": "\\udc00\\ud800"}',
        '{"type": "ping", "request_id": ""}',
        json.dumps({"type": "ping", "request_id": "r" * 65}),
        '{"type": "ping", "request_id": 5}',
        '{"type": "ping", "request_id": ["r"]}',
        "[" * 100_000,
        '{"x":' * 100_000,
        '{"type": "ping", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_what_cannot_be_read_at_all_is_a_bad_message_without_a_request_id(
    frame: bytes | str,
) -> None:
    assert bad(frame).request_id is None


SEEN: dict[str, Any] = {"public_id": "a", "menu_item_id": 1, "qty": 1, "note": ""}
GOOD: dict[str, dict[str, Any]] = {
    "add_item": {"menu_item_id": 1, "qty": 1, "note": ""},
    "update_item": {"public_id": "a", "qty": 1, "note": ""},
    "remove_item": {"public_id": "a"},
    "place_order": {"cart_items": [SEEN], "total": 5, "special_instructions": ""},
    "join": {"token": "t"},
}
MEGABYTE = "x" * 2**20
NO_INTEGER: list[Any] = [None, True, "1", 1.5, 1.0, [], {}]
NO_TEXT: list[Any] = [None, 5, True, [], {}]
BAD_QTY: list[Any] = [*NO_INTEGER, 0, -1, 100, 10**30]
BAD_NOTE: list[Any] = [*NO_TEXT, "n" * 281, MEGABYTE]
BAD_MENU_ITEM_ID: list[Any] = [*NO_INTEGER, -1, 2**53 + 1, 10**400]
BAD_PUBLIC_ID: list[Any] = [
    *NO_TEXT[1:],
    "",
    "i" * 65,
    "with space",
    "new\nline",
    "a\n",
    "é",
    "a/b",
    MEGABYTE,
]
BAD_TOTAL: list[Any] = [None, True, "5", "1250.00", [], {}, -1, -0.01, 10**400]
BAD_CART_ITEMS: list[Any] = [None, {}, "x", [5], [[]], [{}]]

WRONG_FIELDS: list[tuple[str, dict[str, Any]]] = [
    *(("add_item", {"menu_item_id": value}) for value in BAD_MENU_ITEM_ID),
    *(("add_item", {"qty": value}) for value in BAD_QTY),
    *(("add_item", {"note": value}) for value in BAD_NOTE),
    *(("add_item", {"public_id": value}) for value in BAD_PUBLIC_ID),
    *(("update_item", {"public_id": value}) for value in [None, *BAD_PUBLIC_ID]),
    *(("update_item", {"qty": value}) for value in BAD_QTY),
    *(("update_item", {"note": value}) for value in BAD_NOTE),
    *(("remove_item", {"public_id": value}) for value in [None, *BAD_PUBLIC_ID]),
    *(("place_order", {"total": value}) for value in BAD_TOTAL),
    *(("place_order", {"special_instructions": value}) for value in [*NO_TEXT, "s" * 501]),
    *(("place_order", {"cart_items": value}) for value in BAD_CART_ITEMS),
    ("place_order", {"cart_items": [SEEN] * 101}),
    *(("place_order", {"cart_items": [{**SEEN, "qty": value}]}) for value in BAD_QTY),
    *(("place_order", {"cart_items": [{**SEEN, "note": value}]}) for value in BAD_NOTE),
    *(
        ("place_order", {"cart_items": [{**SEEN, "menu_item_id": value}]})
        for value in BAD_MENU_ITEM_ID
    ),
    *(
        ("place_order", {"cart_items": [{**SEEN, "public_id": value}]})
        for value in [None, *BAD_PUBLIC_ID]
    ),
    *(("join", {"token": value}) for value in [*NO_TEXT, "t" * 2049]),
]


def named(case: object) -> str:
    return repr(case)[:60]


@pytest.mark.parametrize(("kind", "fields"), WRONG_FIELDS, ids=named)
def test_a_wrong_field_is_a_bad_message_and_its_request_id_is_still_read(
    kind: str, fields: dict[str, Any]
) -> None:
    good = {"request_id": "r-1", "type": kind, **GOOD[kind]}
    decode_command(json.dumps(good))
    error = bad(json.dumps({**good, **fields}))
    assert error.request_id == "r-1"
    assert str(error).endswith(f"at `$.{next(iter(fields))}`") or kind == "place_order"


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("add_item", "menu_item_id"),
        ("add_item", "qty"),
        ("update_item", "public_id"),
        ("remove_item", "public_id"),
        ("place_order", "cart_items"),
        ("place_order", "total"),
        ("join", "token"),
    ],
)
def test_a_missing_field_is_named_in_the_sentence(kind: str, field: str) -> None:
    fields = {key: value for key, value in GOOD[kind].items() if key != field}
    error = bad(json.dumps({"type": kind, "request_id": "r-1", **fields}))
    assert f"`{field}`" in str(error)
    assert error.request_id == "r-1"


@pytest.mark.parametrize("total", ["1e400", "-1e400", "1" + "0" * 400])
def test_a_total_beyond_every_float_is_a_bad_message(total: str) -> None:
    frame = '{"type": "place_order", "cart_items": [], "total": %s, "request_id": "r-1"}'
    assert bad(frame % total).request_id == "r-1"


@pytest.mark.parametrize("total", ["NaN", "nan", "Infinity", "-Infinity"])
def test_a_total_that_is_no_json_number_is_a_bad_message(total: str) -> None:
    frame = '{"type": "place_order", "cart_items": [], "total": %s, "request_id": "r-1"}'
    assert str(bad(frame % total)) == "The message is not JSON"


def test_an_update_of_neither_quantity_nor_note_is_a_bad_message() -> None:
    error = bad('{"type": "update_item", "public_id": "a", "request_id": "r-1"}')
    assert "`qty` or `note`" in str(error)
    assert error.request_id == "r-1"


@pytest.mark.parametrize(
    "kind", ["", "PING", "cart_snapshot", "pong", "ack", "no such", 5, None, [], {"a": 1}]
)
def test_an_unknown_type_is_a_bad_message(kind: object) -> None:
    assert bad(json.dumps({"type": kind, "request_id": "r-1"})).request_id == "r-1"


def test_a_message_without_a_type_is_a_bad_message() -> None:
    assert bad('{"request_id": "r-1"}').request_id == "r-1"


@pytest.mark.parametrize("surrogate", ["\\ud800", "\\udc00", "\\ud800\\u0041", "\\udc00\\ud800"])
@pytest.mark.parametrize(
    "frame",
    [
        '{"type": "add_item", "menu_item_id": 1, "qty": 1, "note": "%s"}',
        '{"type": "add_item", "menu_item_id": 1, "qty": 1, "public_id": "%s"}',
        '{"type": "place_order", "cart_items": [], "total": 1, "special_instructions": "%s"}',
        '{"type": "%s"}',
        '{"type": "ping", "request_id": "%s"}',
    ],
)
def test_half_a_surrogate_pair_is_no_text(frame: str, surrogate: str) -> None:
    bad(frame % surrogate)


def test_the_sentence_about_a_bad_message_is_short_whatever_the_message_was() -> None:
    assert len(str(bad(json.dumps({"type": MEGABYTE})))) < 300
    assert len(str(bad(json.dumps({"type": "é\u0000\n🎉" * 9999})))) < 300


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_frame_is_a_command_or_a_bad_message(frame: bytes | str) -> None:
    try:
        assert isinstance(decode_command(frame), Command)
    except BadMessage as error:
        encode(Rejection("bad_message", str(error)).as_error(error.request_id))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    kind=st.sampled_from([*GOOD, "clear_cart", "resolve_now", "ping"]),
    spoilt=st.dictionaries(
        st.sampled_from(
            ["type", "request_id", "public_id", "qty", "note", "total", "cart_items", "token"]
        ),
        json_values,
        max_size=3,
    ),
)
def test_any_object_is_a_command_or_a_bad_message(kind: str, spoilt: dict[str, Any]) -> None:
    try:
        command = decode_command(json.dumps({"type": kind, **GOOD.get(kind, {}), **spoilt}))
    except BadMessage:
        return
    assert decode_command(encode(command)) == command


# --- What the server tells ------------------------------------------------------------------------

ITEM = CartItem(
    "item_123", 456, "Margherita", Decimal("625.00"), 2, "Extra spicy", "locked", True, "member_123"
)
ITEM_FIELDS = {
    "public_id": "item_123",
    "menu_item_id": 456,
    "name": "Margherita",
    "unit_price": 625.0,
    "qty": 2,
    "note": "Extra spicy",
    "state": "locked",
    "available": True,
    "added_by": "member_123",
}
ORDERED = OrderItem(
    "item_123", 456, "Margherita", 2, Decimal("625.00"), Decimal("1250.00"), "", "Ben"
)
ORDERED_FIELDS = {
    "public_id": "item_123",
    "menu_item_id": 456,
    "name": "Margherita",
    "qty": 2,
    "unit_price": 625.0,
    "line_total": 1250.0,
    "note": "",
    "added_by": "Ben",
}
RECORD = OrderRecord(
    order_id="ORD-7-12345",
    restaurant_id=7,
    order_number=12345,
    session_pid="s",
    table="T12",
    state="confirmed",
    placed_by="member_123",
    placed_by_name="Ana",
    placed_at=WHEN,
    confirmed_at=WHEN,
    lines=(ORDERED,),
    total=Decimal("1250.00"),
    currency="INR",
    special_instructions="",
    pos_reference="K-1",
    error=None,
)
RECORD_FIELDS = {
    "order_id": "ORD-7-12345",
    "restaurant_id": 7,
    "order_number": 12345,
    "session_pid": "s",
    "table": "T12",
    "state": "confirmed",
    "placed_by": "member_123",
    "placed_by_name": "Ana",
    "placed_at": ON_THE_WIRE,
    "confirmed_at": ON_THE_WIRE,
    "lines": [ORDERED_FIELDS],
    "total": 1250.0,
    "currency": "INR",
    "special_instructions": "",
    "pos_reference": "K-1",
    "error": None,
}
SNAPSHOT = CartSnapshot(
    session_pid="s",
    seq=41,
    items=(ITEM,),
    total=Decimal("1250.00"),
    currency="INR",
    cart_locked=True,
    locked_by_member="member_123",
    locked_by_name="Ana",
    pending_order_id="ORD-7-12345",
    order_processing_status="processing",
    pending_order=PendingOrder("ORD-7-12345", "sent", 1, "member_123", WHEN, WHEN),
    orders_in_doubt=(OrderInDoubt("ORD-7-12344", "needs_staff", (ORDERED,)),),
    last_order=LastOrder("ORD-7-12343", "failed", "No", True, "member_123", 2, "By the window"),
    members=(PresentMember("member_123", "Ana", True),),
    last_updated=WHEN,
    join_pin="0482",
)
SNAPSHOT_FIELDS = {
    "type": "cart_snapshot",
    "session_pid": "s",
    "seq": 41,
    "items": [ITEM_FIELDS],
    "total": 1250.0,
    "currency": "INR",
    "cart_locked": True,
    "locked_by_member": "member_123",
    "locked_by_name": "Ana",
    "pending_order_id": "ORD-7-12345",
    "order_processing_status": "processing",
    "pending_order": {
        "order_id": "ORD-7-12345",
        "stage": "sent",
        "attempt": 1,
        "placed_by": "member_123",
        "placed_at": ON_THE_WIRE,
        "lock_ends_at": ON_THE_WIRE,
    },
    "orders_in_doubt": [
        {"order_id": "ORD-7-12344", "stage": "needs_staff", "lines": [ORDERED_FIELDS]}
    ],
    "last_order": {
        "order_id": "ORD-7-12343",
        "status": "failed",
        "error": "No",
        "allow_retry": True,
        "placed_by": "member_123",
        "tries": 2,
        "special_instructions": "By the window",
    },
    "members": [{"member_id": "member_123", "name": "Ana", "online": True}],
    "last_updated": ON_THE_WIRE,
    "join_pin": "0482",
}

TOLD: list[tuple[Told, dict[str, Any]]] = [
    (
        CartUpdated(42, "member_123", (ITEM,), ("item_9",), Decimal("1250.00"), WHEN),
        {
            "type": "cart_updated",
            "seq": 42,
            "by_member": "member_123",
            "items": [ITEM_FIELDS],
            "removed": ["item_9"],
            "total": 1250.0,
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        CartLocked(
            43,
            "member_123",
            "member_123",
            "Ana",
            "ORD-7-12345",
            "Order is being processed...",
            WHEN,
        ),
        {
            "type": "cart_locked",
            "seq": 43,
            "locked_by_member": "member_123",
            "locked_by": "member_123",
            "locked_by_name": "Ana",
            "order_id": "ORD-7-12345",
            "message": "Order is being processed...",
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        OrderProcessing(
            44, "ORD-7-12345", "sent", 1, WHEN, "Your order is being processed...", WHEN
        ),
        {
            "type": "order_processing",
            "seq": 44,
            "order_id": "ORD-7-12345",
            "stage": "sent",
            "attempt": 1,
            "lock_ends_at": ON_THE_WIRE,
            "message": "Your order is being processed...",
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        OrderConfirmed(45, "ORD-7-12345", "Order placed successfully!", RECORD, WHEN),
        {
            "type": "order_confirmed",
            "seq": 45,
            "order_id": "ORD-7-12345",
            "message": "Order placed successfully!",
            "order": RECORD_FIELDS,
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        OrderFailed(
            45,
            "ORD-7-12345",
            "POS system unavailable",
            "Order failed. Please try again.",
            True,
            WHEN,
            "By the window",
        ),
        {
            "type": "order_failed",
            "seq": 45,
            "order_id": "ORD-7-12345",
            "error": "POS system unavailable",
            "message": "Order failed. Please try again.",
            "allow_retry": True,
            "special_instructions": "By the window",
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        CartUnlocked(46, "ORD-7-12345", "Open", WHEN),
        {
            "type": "cart_unlocked",
            "seq": 46,
            "order_id": "ORD-7-12345",
            "message": "Open",
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        MemberJoined(47, JoinedMember("member_124", "Ben"), WHEN),
        {
            "type": "member_joined",
            "seq": 47,
            "member": {"member_id": "member_124", "name": "Ben"},
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        SessionClosed(48, "The party has left", WHEN),
        {
            "type": "session_closed",
            "seq": 48,
            "reason": "The party has left",
            "timestamp": ON_THE_WIRE,
        },
    ),
    (SNAPSHOT, SNAPSHOT_FIELDS),
    (
        Presence((PresentMember("member_123", "Ana", False),), WHEN),
        {
            "type": "presence",
            "members": [{"member_id": "member_123", "name": "Ana", "online": False}],
            "timestamp": ON_THE_WIRE,
        },
    ),
    (
        MenuUpdated((MenuChange(456, Decimal("640.00"), False),), WHEN),
        {
            "type": "menu_updated",
            "items": [{"menu_item_id": 456, "price": 640.0, "available": False}],
            "timestamp": ON_THE_WIRE,
        },
    ),
    (Pong("r", WHEN), {"type": "pong", "request_id": "r", "timestamp": ON_THE_WIRE}),
    (
        ServerClosing(2.5, WHEN),
        {"type": "server_closing", "retry_after": 2.5, "timestamp": ON_THE_WIRE},
    ),
    (Ack("r", 42), {"type": "ack", "request_id": "r", "seq": 42}),
    (
        Rejection("cart_locked", "Order already being processed").as_error("r"),
        {
            "type": "error",
            "request_id": "r",
            "code": "cart_locked",
            "message": "Order already being processed",
        },
    ),
    (
        Rejection("rate_limited", "Slow down", 1.5).as_error(None),
        {
            "type": "error",
            "request_id": None,
            "code": "rate_limited",
            "message": "Slow down",
            "retry_after": 1.5,
        },
    ),
]


def test_every_word_of_the_server_stands_in_this_table() -> None:
    assert {type(told) for told, _ in TOLD} == set(get_args(Told))
    numbered = {type(told) for told, fields in TOLD if "seq" in fields}
    assert numbered - {CartSnapshot, Ack} == set(get_args(Event))


@pytest.mark.parametrize(("told", "fields"), TOLD, ids=lambda case: type(case).__name__)
def test_the_server_tells_exactly_the_fields_of_the_protocol(
    told: Told, fields: dict[str, Any]
) -> None:
    assert json.loads(encode(told)) == fields


@pytest.mark.parametrize(("told", "_fields"), TOLD, ids=lambda case: type(case).__name__)
def test_a_client_reads_back_what_the_server_told(told: Told, _fields: dict[str, Any]) -> None:
    assert decode_told(encode(told)) == told


def test_money_is_a_number_with_its_decimals_and_no_string() -> None:
    frame = encode(SNAPSHOT)
    assert b'"total":1250.00,' in frame
    assert b'"unit_price":625.00,' in frame


def test_times_end_in_z() -> None:
    moment = datetime(2024, 1, 15, 10, 30, 0, 250_000, tzinfo=UTC)
    assert b'"timestamp":"2024-01-15T10:30:00.250000Z"' in encode(Pong(None, moment))


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        '{"type": "place_order", "cart_items": [], "total": 1}',
        '{"type": "ack", "request_id": "r"}',
        '{"type": "ack", "request_id": "r", "seq": NaN}',
        '{"type": "pong", "request_id": "r", "timestamp": "yesterday"}',
        '{"type": "menu_updated", "items": [{"menu_item_id": 1, "price": 1e99999999999999999999,'
        ' "available": true}], "timestamp": "2024-01-15T10:30:00Z"}',
        '{"type": "error", "code": "no_such_code", "message": ""}',
        "[" * 100_000,
    ],
)
def test_what_no_server_tells_is_a_bad_message_to_a_client(frame: str) -> None:
    with pytest.raises(BadMessage):
        decode_told(frame)


@pytest.mark.parametrize("told", [told for told, _ in TOLD], ids=lambda told: type(told).__name__)
def test_what_is_told_cannot_be_changed(told: Told) -> None:
    with pytest.raises(AttributeError):
        setattr(told, told.__struct_fields__[0], "other")


def test_an_error_without_a_wait_has_no_retry_after() -> None:
    assert "retry_after" not in json.loads(encode(Error("too_busy", "Later", "r")))
