"""A POS says unasked what became of an order: over real sockets, signed well and badly."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from comanda.actors.domain.order import Accepted, Pending, Rejected, Unknown
from tests.signing import KEY, SECRET, signed

from .server import (
    HOUSE_TOKEN,
    LEMONADE,
    STAFF_ORDER_FIELDS,
    Gate,
    Member,
    Phone,
    Server,
    TestPos,
    serving,
    until,
)

CALLBACKS = "/api/pos/callbacks"
ORDERS = "/api/restaurants/7/orders"
ORDER_ID = "ORD-7-1"
RESOLVE = f"/api/orders/{ORDER_ID}/resolve"
LOOKED = {"outcome": "rejected", "reason": "Taken off the pass"}
HELD = Unknown("the line was busy")
CLOSED = Rejected("closed", "The kitchen is closed", retryable=False)
SHORT_LOCK = {"pos_timeout": 0.2, "lock_limit": 0.6}

Forge = Callable[[bytes], dict[str, str]]


def body_of(status: str = "accepted", order_id: str = ORDER_ID, **more: Any) -> bytes:
    said = {"event_id": "evt-1", "order_id": order_id, "status": status, **more}
    return json.dumps(said).encode()


async def call_back(server: Server, status: str = "accepted", **more: Any) -> httpx.Response:
    """A callback, signed well and taken."""
    body = body_of(status, **more)
    return await server.call("POST", CALLBACKS, content=body, headers=signed(body), status=204)


async def listed(server: Server, query: str = "") -> list[dict[str, Any]]:
    response = await server.call("GET", ORDERS + query, token=HOUSE_TOKEN)
    orders: list[dict[str, Any]] = response.json()["orders"]
    return orders


async def the_order(server: Server) -> dict[str, Any]:
    [order] = [one for one in await listed(server) if one["order_id"] == ORDER_ID]
    assert order.keys() >= STAFF_ORDER_FIELDS
    return order


def incidents_of(order: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["detail"]) for one in order["incidents"]]


async def put_an_order(phone: Phone) -> None:
    await phone.add(LEMONADE)
    assert (await phone.order())["type"] == "ack"


@asynccontextmanager
async def an_order(
    folder: Path, pos: TestPos, heard: str, **given: Any
) -> AsyncIterator[tuple[Server, Member, Phone]]:
    """A server that takes callbacks, and one table whose order has come as far as `heard`."""
    given.setdefault("pos_secret", SECRET)
    async with (
        serving(folder, pos, **given) as server,
        server.phone(ana := await server.join()) as phone,
    ):
        await put_an_order(phone)
        await phone.until(heard)
        yield server, ana, phone


# --- Signatures -----------------------------------------------------------------------------------


def without(name: str) -> Forge:
    return lambda body: {key: text for key, text in signed(body).items() if key != name}


def instead(name: str, text: str) -> Forge:
    return lambda body: {**signed(body), name: text}


FORGED: dict[str, Forge] = {
    "no headers": lambda _: {},
    "no id": without("webhook-id"),
    "no timestamp": without("webhook-timestamp"),
    "no signature": without("webhook-signature"),
    "another key": lambda body: signed(body, key=KEY[::-1]),
    "another body": lambda body: signed(body + b" "),
    "another id": instead("webhook-id", "evt-2"),
    "six minutes old": lambda body: signed(body, seconds_from_now=-360),
    "six minutes early": lambda body: signed(body, seconds_from_now=360),
    "an empty signature": instead("webhook-signature", ""),
    "no comma": instead("webhook-signature", "v1"),
    "two commas": lambda body: {
        **signed(body),
        "webhook-signature": signed(body)["webhook-signature"] + ",x",
    },
    "no Base64": instead("webhook-signature", "v1,*"),
    "Base64 cut short": instead("webhook-signature", "v1,AAAAA"),
    "another version": lambda body: {
        **signed(body),
        "webhook-signature": signed(body)["webhook-signature"].replace("v1", "v2"),
    },
    "empty ones": instead("webhook-signature", "v1, v1,"),
    "a signature beyond ASCII": instead("webhook-signature", "v1,\xe9\xff"),
    "an id beyond ASCII": instead("webhook-id", "\xff\xfe"),
    "a timestamp that is none": instead("webhook-timestamp", "now"),
    "a timestamp beyond ASCII": instead("webhook-timestamp", "\xb2"),
    "not a number": instead("webhook-timestamp", "nan"),
    "infinite": instead("webhook-timestamp", "inf"),
    "minus infinite": instead("webhook-timestamp", "-inf"),
    "a huge number": instead("webhook-timestamp", "1e300"),
    "more digits than fit": instead("webhook-timestamp", "9" * 400),
    "the staff's token": lambda _: {"Authorization": f"Bearer {HOUSE_TOKEN}"},
}


async def test_what_is_not_signed_well_is_unauthorized_and_nothing_happens(tmp_path: Path) -> None:
    gate = Gate()
    async with an_order(tmp_path, TestPos(gate), "order_processing") as (server, _, phone):
        body = body_of()
        for name, forge in FORGED.items():
            headers = [(key.encode(), text.encode("latin-1")) for key, text in forge(body).items()]
            response = await server.http.post(CALLBACKS, content=body, headers=headers)
            server.contract.check("POST", response)
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), name
        for body in (b"\xff\xfe", b"{", b"", b'{"status": "accepted"}'):
            await server.refused("unauthorized", 401, "POST", CALLBACKS, content=body)
        assert (await the_order(server))["state"] == "sent"
        await phone.hear_nothing()
        gate.open(Accepted("A-1"))
        await phone.until("order_confirmed")


async def test_without_a_secret_nobody_can_sign(tmp_path: Path) -> None:
    for given in (None, ""):
        async with serving(tmp_path, pos_secret=given) as server:
            body = body_of()
            for key in (KEY, b""):
                headers = signed(body, key=key)
                await server.refused(
                    "unauthorized", 401, "POST", CALLBACKS, content=body, headers=headers
                )


async def test_a_secret_in_a_file_stands_before_the_environments(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"\n{SECRET}\n")
    async with serving(tmp_path, pos_secret_file=file, pos_secret="unused") as server:
        await call_back(server)


async def test_five_minutes_are_not_too_old_and_one_good_signature_of_several_will_do(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, pos_secret=SECRET) as server:
        body = body_of()
        for headers in (
            signed(body, seconds_from_now=-280),
            signed(body, seconds_from_now=280),
            {
                **signed(body),
                "webhook-signature": "v1a,AAAA v1,AAAA " + signed(body)["webhook-signature"],
            },
        ):
            await server.call("POST", CALLBACKS, content=body, headers=headers, status=204)


# --- Bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'"accepted"',
        b"[" * 40_000,
        body_of("voided"),
        body_of("pending"),
        body_of(event_id=""),
        body_of(event_id="x" * 201),
        body_of(event_id=7),
        body_of(order_id=""),
        body_of(order_id="x" * 65),
        body_of(pos_reference=7),
        body_of(occurred_at="yesterday"),
        body_of(retryable="yes"),
    ],
    ids=lambda body: body[:60].decode(),
)
async def test_a_bad_body_signed_well_is_a_bad_message(
    one_that_listens: Server, body: bytes
) -> None:
    headers = signed(body)
    await one_that_listens.refused(
        "bad_message", 400, "POST", CALLBACKS, content=body, headers=headers
    )


async def test_64_kib_are_taken_and_one_byte_more_is_too_large(one_that_listens: Server) -> None:
    body = body_of().ljust(65536)
    await one_that_listens.call("POST", CALLBACKS, content=body, headers=signed(body), status=204)
    body += b" "
    await one_that_listens.refused(
        "payload_too_large", 413, "POST", CALLBACKS, content=body, headers=signed(body)
    )


@pytest.mark.parametrize("order_id", ["ORD-7-1", "ORD-99-1", "x", "\U0001f355", "\x00"])
async def test_an_order_that_is_not_known_here_is_taken_and_counted(
    one_that_listens: Server, caplog: pytest.LogCaptureFixture, order_id: str
) -> None:
    await call_back(one_that_listens, order_id=order_id)
    told = [one for one in caplog.records if "not ours" in one.getMessage()]
    assert [one.levelname for one in told] == ["WARNING"]
    metrics = (await one_that_listens.call("GET", "/metrics")).text
    assert 'comanda_pos_callbacks_total{order="unknown",status="accepted"} 1.0' in metrics


@pytest.fixture
async def one_that_listens(tmp_path: Path) -> AsyncIterator[Server]:
    """A server with a secret and no order."""
    async with serving(tmp_path, pos_secret=SECRET) as running:
        yield running


# --- Settling -------------------------------------------------------------------------------------


async def test_a_callback_before_the_answer_to_the_call_settles_the_order_once(
    tmp_path: Path,
) -> None:
    gate = Gate()
    pos = TestPos(gate)
    async with an_order(tmp_path, pos, "order_processing") as (server, ana, phone):
        await call_back(server, pos_reference="A-1", occurred_at="2024-01-15T10:30:14+05:30")
        confirmed = await phone.until("order_confirmed")
        assert confirmed["order"]["pos_reference"] == "A-1"
        gate.open(Accepted("A-1"))
        await phone.add(LEMONADE)
        await phone.order()
        await phone.until("order_confirmed", order_id="ORD-7-2")
        assert [order.order_id for order in pos.submitted] == ["ORD-7-1", "ORD-7-2"]
        order = await the_order(server)
        assert (order["state"], order["heard_by"]) == ("confirmed", "callback evt-1")
        assert order["settled_at"] is not None
        assert await listed(server, "?incidents=standing") == []
        history = await server.call("GET", f"/api/sessions/{ana.pid}/orders", token=ana.token)
        assert len(history.json()["orders"]) == 2
        metrics = (await server.call("GET", "/metrics")).text
        assert 'comanda_pos_callbacks_total{order="known",status="accepted"} 1.0' in metrics


async def test_an_answer_that_contradicts_the_callback_before_it_is_an_incident(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with an_order(tmp_path, TestPos(gate), "order_processing") as (server, _, phone):
        await call_back(server)
        await phone.until("order_confirmed")
        gate.open(CLOSED)

        async def on_record() -> bool:
            return bool(await listed(server, "?incidents=standing"))

        await until(on_record)
        assert attempts_in(tmp_path) == ["rejected"]
        assert incidents_of(await the_order(server)) == [
            ("refused_after_confirmed", "The kitchen is closed (closed)")
        ]


@pytest.mark.parametrize("answer", [Pending("A-1", None), HELD], ids=["pending", "unknown"])
async def test_a_callback_settles_an_order_that_is_still_asked_for(
    tmp_path: Path, answer: Pending | Unknown
) -> None:
    async with an_order(tmp_path, TestPos(answer), "order_processing") as (server, _, phone):
        stage = "pending" if isinstance(answer, Pending) else "unknown"
        await phone.until("order_processing", stage=stage)
        await call_back(server, pos_reference="A-1")
        await phone.until("order_confirmed")
        order = await the_order(server)
        assert (order["state"], order["pos_reference"]) == ("confirmed", "A-1")


@pytest.mark.parametrize("retryable", [True, False])
async def test_a_rejection_gives_the_lines_back_in_the_poss_words(
    tmp_path: Path, retryable: bool
) -> None:
    async with an_order(tmp_path, TestPos(Gate()), "order_processing") as (server, ana, phone):
        await call_back(
            server, "rejected", message="No more lemons", code="sold_out", retryable=retryable
        )
        failed = await phone.until("order_failed")
        assert (failed["error"], failed["allow_retry"]) == ("No more lemons", retryable)
        cart = await server.cart(ana)
        assert [item["state"] for item in cart["items"]] == ["pending"]
        assert cart["cart_locked"] is False


async def test_a_rejection_without_a_word_is_told_in_ours_and_not_tried_again(
    tmp_path: Path,
) -> None:
    async with an_order(tmp_path, TestPos(Gate()), "order_processing") as (server, _, phone):
        await call_back(server, "rejected")
        failed = await phone.until("order_failed")
        assert failed["error"] == "The kitchen has refused the order"
        assert failed["allow_retry"] is False


async def test_the_same_callback_twice_has_one_effect(tmp_path: Path) -> None:
    async with an_order(tmp_path, TestPos(Gate()), "order_processing") as (server, _, phone):
        await call_back(server, pos_reference="A-1")
        await phone.until("order_confirmed")
        before = await the_order(server)
        for _ in range(3):
            await call_back(server, pos_reference="A-2")
        await phone.hear_nothing()
        assert await the_order(server) == before
        assert before["incidents"] == []


async def test_a_callback_after_the_answer_that_says_the_same_changes_nothing(
    tmp_path: Path,
) -> None:
    async with an_order(tmp_path, TestPos(), "order_confirmed") as (server, _, phone):
        before = await the_order(server)
        await call_back(server, pos_reference="A-9")
        await phone.hear_nothing()
        assert await the_order(server) == before
        assert (before["heard_by"], before["pos_reference"]) == (None, "POS-1")


async def test_an_order_left_to_the_staff_is_settled_and_no_later_lock_is_touched(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with an_order(tmp_path, TestPos(Gate()), "cart_unlocked", **SHORT_LOCK) as (
        first,
        ana,
        _,
    ):
        assert (await the_order(first))["state"] == "needs_staff"
    async with (
        serving(tmp_path, TestPos(gate), pos_secret=SECRET) as server,
        server.phone(ana) as phone,
    ):
        await put_an_order(phone)
        await phone.until("order_processing", order_id="ORD-7-2", stage="sent")
        await call_back(server, pos_reference="A-1")
        # The phone's own books take every confirmation for the locked order's; the server's count.
        assert (await phone.next())["order_id"] == ORDER_ID
        assert phone.heard[-1]["type"] == "order_confirmed"
        cart = await server.cart(ana)
        assert (cart["pending_order_id"], cart["cart_locked"]) == ("ORD-7-2", True)
        assert [item["state"] for item in cart["items"]] == ["locked"]
        assert cart["orders_in_doubt"] == []
        gate.open(Accepted("A-2"))
        await phone.until("order_confirmed", order_id="ORD-7-2")
        order = await the_order(server)
        assert (order["state"], order["heard_by"]) == ("confirmed", "callback evt-1")
        await server.refused("conflict", 409, "POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)


# --- Contradictions -------------------------------------------------------------------------------


async def test_an_accepted_order_that_had_failed_is_an_incident_until_the_staff_close_it(
    tmp_path: Path,
) -> None:
    pos = TestPos(CLOSED)
    async with an_order(tmp_path, pos, "order_failed") as (server, ana, phone):
        assert await listed(server, "?incidents=standing") == []
        before = (await the_order(server))["error"]
        for _ in range(2):
            await call_back(server, pos_reference="A-1")
        await phone.hear_nothing()
        [order] = await listed(server, "?incidents=standing")
        assert (order["order_id"], order["state"], order["error"]) == (ORDER_ID, "rejected", before)
        assert incidents_of(order) == [("accepted_after_rejected", "accepted as A-1")]

        async def taken_back() -> bool:
            return pos.voided == [ORDER_ID]

        await until(taken_back)
        history = await server.call("GET", f"/api/sessions/{ana.pid}/orders", token=ana.token)
        assert history.json()["orders"] == []

        closed = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)).json()
        [incident] = closed["incidents"]
        assert closed["state"] == "rejected"
        assert (incident["closed_outcome"], incident["closed_reason"], incident["closed_by"]) == (
            "rejected",
            LOOKED["reason"],
            "the house's staff",
        )
        assert incident["closed_at"] is not None
        assert await listed(server, "?incidents=standing") == []
        again = await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)
        assert again.json() == closed
        other = {**LOOKED, "reason": "Looked again"}
        await server.refused("conflict", 409, "POST", RESOLVE, token=HOUSE_TOKEN, json=other)
        await call_back(server)
        assert await listed(server, "?incidents=standing") == []


async def test_a_refused_order_that_was_confirmed_is_an_incident_and_not_taken_back(
    tmp_path: Path,
) -> None:
    async with an_order(tmp_path, TestPos(), "order_confirmed") as (server, _, phone):
        await call_back(server, "rejected", message="The oven is cold", code="oven")
        await phone.hear_nothing()
        [order] = await listed(server, "?incidents=standing")
        assert order["state"] == "confirmed"
        assert incidents_of(order) == [("refused_after_confirmed", "The oven is cold (oven)")]
        assert voids_in(tmp_path) == []
        body = {"outcome": "confirmed", "reason": "Cooked after all"}
        closed = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=body)).json()
        assert closed["incidents"][0]["closed_outcome"] == "confirmed"


async def test_what_the_staff_have_cancelled_is_taken_back_and_a_late_word_is_an_incident(
    tmp_path: Path,
) -> None:
    pos = TestPos(Gate())
    async with an_order(tmp_path, pos, "cart_unlocked", **SHORT_LOCK) as (server, _, phone):
        await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)
        await phone.until("order_failed")

        async def taken_back() -> bool:
            return pos.voided == [ORDER_ID]

        await until(taken_back)
        await call_back(server, pos_reference="A-1")
        [order] = await listed(server, "?incidents=standing")
        assert incidents_of(order) == [("accepted_after_rejected", "accepted as A-1")]


async def test_a_late_word_that_comes_while_the_staff_settle_the_order_is_not_closed_by_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_order(tmp_path, TestPos(Gate()), "cart_unlocked", **SHORT_LOCK) as (
        server,
        _,
        _p,
    ):
        store = server.running.house.store
        close = store.close_incidents

        async def close_after_the_callback(*said: Any) -> int:
            await call_back(server)
            return await close(*said)

        monkeypatch.setattr(store, "close_incidents", close_after_the_callback)
        await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)
        [order] = await listed(server, "?incidents=standing")
        assert [kind for kind, _ in incidents_of(order)] == ["accepted_after_rejected"]


async def test_a_callback_of_an_order_whose_key_is_used_twice_is_not_believed(
    tmp_path: Path,
) -> None:
    pos = TestPos(Unknown("the POS has this key with another body", key_reused=True))
    async with an_order(tmp_path, pos, "order_processing", **SHORT_LOCK) as (server, _, phone):
        await phone.until("order_processing", stage="unknown")
        await call_back(server)
        assert (await the_order(server))["state"] == "unknown"
        await phone.until("cart_unlocked")
        await call_back(server)
        order = await the_order(server)
        assert order["state"] == "needs_staff"
        assert [kind for kind, _ in incidents_of(order)] == ["key_reused"]
        settled = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=LOOKED)).json()
        assert settled["state"] == "rejected"
        assert settled["incidents"][0]["closed_outcome"] == "rejected"
        assert voids_in(tmp_path) == []


async def test_incidents_are_asked_for_by_one_word(one_that_listens: Server) -> None:
    for query in ("all", "standing,closed", "x" * 513, "%00"):
        path = f"{ORDERS}?incidents={query}"
        await one_that_listens.refused("bad_message", 400, "GET", path, token=HOUSE_TOKEN)


# --- Storage, metrics -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pos", "heard"),
    [(TestPos(Gate()), "order_processing"), (TestPos(CLOSED), "order_failed")],
    ids=["on its way", "settled"],
)
async def test_a_callback_that_storage_cannot_take_has_its_effect_when_it_comes_again(
    tmp_path: Path, pos: TestPos, heard: str
) -> None:
    async with an_order(tmp_path, pos, heard) as (server, _, phone):
        body = body_of()
        with server.storage_held():
            await server.refused(
                "storage_unavailable", 503, "POST", CALLBACKS, content=body, headers=signed(body)
            )
        await phone.hear_nothing()
        assert (await the_order(server))["heard_by"] is None
        await call_back(server)
        order = await the_order(server)
        if heard == "order_failed":
            assert [kind for kind, _ in incidents_of(order)] == ["accepted_after_rejected"]
        else:
            assert order["state"] == "confirmed"
            await phone.until("order_confirmed")


async def test_the_metrics_count_what_waits_for_somebody(tmp_path: Path) -> None:
    never = TestPos(CLOSED, Gate())
    never.promises = False  # so that the void stays due
    async with an_order(tmp_path, never, "order_failed", **SHORT_LOCK) as (server, _, phone):
        await call_back(server)
        await phone.order()
        await phone.until("cart_unlocked")
    wanted = {
        'orders_unsettled{state="needs_staff"}': 1.0,
        "incidents_standing": 1.0,
        "voids_due": 1.0,
    }
    async with serving(tmp_path, never, pos_secret=SECRET) as server:

        async def counted() -> bool:
            return {name: await gauge(server, name) for name in wanted} == wanted

        await until(counted)


async def gauge(server: Server, name: str) -> float:
    """A gauge's value on `/metrics`."""
    lines = (await server.call("GET", "/metrics")).text.splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith(f"comanda_{name} ")]
    return float(value)


def voids_in(folder: Path) -> list[str]:
    """The orders that the POS was, or is, to take back."""
    return _column(folder, "SELECT order_id FROM voids")


def attempts_in(folder: Path) -> list[str | None]:
    """What the calls of the only order have brought, as the journal has it."""
    outcomes = _column(folder, "SELECT outcome FROM pos_attempts ORDER BY attempt")
    return [None if text is None else json.loads(text)["type"] for text in outcomes]


def _column(folder: Path, query: str) -> list[Any]:
    connection = sqlite3.connect(folder / "comanda.db")
    try:
        return [row[0] for row in connection.execute(query)]
    finally:
        connection.close()
