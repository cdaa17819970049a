"""The POS over HTTP, against a scripted one on real sockets: every answer becomes one honest outcome."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from comanda.actors.domain.order import (
    Accepted,
    NotSent,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)
from comanda.actors.ports import Pos
from comanda.pos.answers import (
    DEFAULT_RETRY_SECONDS,
    Answer,
    read_look_up,
    read_submit,
    retry_after_seconds,
)
from comanda.pos.webhook import (
    LATE_CALLS_PER_RESTAURANT,
    MAX_ANSWER_BYTES,
    WebhookPos,
    open_webhook_pos,
)
from tests.actors.domain.helpers import NOW
from tests.http.server import serving

from .fake_pos import FakePos, Reply, accepted, answer, drip, flood, hang, open_pos, raw, reset
from .test_dummy import an_order

TOKEN = "tok-very-secret"
BODY = b'{"order_id": "ORD-7-42", "total": 1250.00}'
ORDER = replace(an_order(42), payload=BODY)
REJECTED = {"status": "rejected", "code": "closed", "message": "Closed", "retryable": True}
FOUND = {"order_id": "ORD-7-42", "pos_reference": None, "code": None, "message": None}


@asynccontextmanager
async def calling(*script: Reply, **settings: Any) -> AsyncIterator[tuple[WebhookPos, FakePos]]:
    """A scripted POS and the adapter that calls it."""
    with trio.fail_after(8):
        async with (
            open_pos(*script) as fake,
            open_webhook_pos(fake.url, TOKEN, **settings) as pos,
        ):
            yield pos, fake


def refusing_port() -> socket.socket:
    """A port that is bound, so that nobody else has it, and does not listen."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken


# --- Submitting -----------------------------------------------------------------------------------

READ: list[tuple[Reply, PosOutcome]] = [
    (answer(200, {"status": "accepted", "pos_reference": "P-1"}), Accepted("P-1")),
    (answer(201, {"status": "accepted", "pos_reference": "P-1", "more": [1]}), Accepted("P-1")),
    (
        answer(201, {"status": "accepted", "pos_reference": "P", "order_id": "ORD-7-42"}),
        Accepted("P"),
    ),
    (answer(202, {"status": "pending"}), Pending(None, None)),
    (
        answer(202, {"status": "pending", "pos_reference": None, "expected_by": None}),
        Pending(None, None),
    ),
    (
        answer(
            202,
            {
                "status": "pending",
                "pos_reference": "P-1",
                "expected_by": "2024-01-15T10:30:20+00:00",
            },
        ),
        Pending("P-1", datetime(2024, 1, 15, 10, 30, 20, tzinfo=UTC)),
    ),
    (answer(202, {"status": "pending", "expected_by": "2024-01-15T10:30:20"}), Pending(None, None)),
    (answer(202, {"status": "pending", "expected_by": "soon"}), Pending(None, None)),
    (answer(400, REJECTED), Rejected("closed", "Closed", retryable=True)),
    (answer(409, REJECTED), Rejected("closed", "Closed", retryable=True)),
    (
        answer(422, {**REJECTED, "retryable": False}),
        Rejected("closed", "Closed", retryable=False),
    ),
    (
        answer(409, {**REJECTED, "code": "voided", "retryable": False}),
        Rejected("voided", "Closed", retryable=False),
    ),
    (answer(429, retry_after="7"), NotSent("The kitchen is too busy", 7.0)),
    (answer(429, b"<html>", retry_after="0"), NotSent("The kitchen is too busy", 0.0)),
    (answer(429), NotSent("The kitchen is too busy", DEFAULT_RETRY_SECONDS)),
]


@pytest.mark.parametrize(("reply", "outcome"), READ, ids=[repr(outcome) for _, outcome in READ])
async def test_an_answer_of_the_contract_is_its_outcome(reply: Reply, outcome: PosOutcome) -> None:
    async with calling(reply) as (pos, _):
        assert await pos.submit(ORDER) == outcome


UNREADABLE: dict[str, Reply] = {
    "a key used with another body": answer(422, {**REJECTED, "code": "key_reused"}),
    "accepted without a reference": answer(200, {"status": "accepted"}),
    "accepted with an empty reference": answer(200, {"status": "accepted", "pos_reference": ""}),
    "accepted with a number": answer(200, {"status": "accepted", "pos_reference": 7}),
    "accepted for another order": answer(
        200, {"status": "accepted", "pos_reference": "P", "order_id": "ORD-7-43"}
    ),
    "accepted with 202": answer(202, {"status": "accepted", "pos_reference": "P-1"}),
    "accepted with 409": answer(409, {"status": "accepted", "pos_reference": "P-1"}),
    "accepted with 204": raw(b"HTTP/1.1 204 x\r\n\r\n"),
    "pending with 200": answer(200, {"status": "pending"}),
    "pending until a number": answer(202, {"status": "pending", "expected_by": 1705314620}),
    "rejected with 200": answer(200, REJECTED),
    "rejected with 404": answer(404, REJECTED),
    "rejected with 500": answer(500, REJECTED),
    "rejected without a code": answer(409, {**REJECTED, "code": None}),
    "rejected, retryable as a word": answer(409, {**REJECTED, "retryable": "yes"}),
    "rejected, retryable not said": answer(
        409, {"status": "rejected", "code": "c", "message": "m"}
    ),
    "a proxy's 400": answer(400, b"<h1>Bad Request</h1>", content_type="text/html"),
    "another status": answer(200, {"status": "cooking", "pos_reference": "P-1"}),
    "a list": answer(200, []),
    "nothing": answer(200),
    "null": answer(200, None),
    "half a JSON": answer(200, b'{"status": "accepted", "pos_ref'),
    "no UTF-8": answer(200, b'{"status": "accepted", "pos_reference": "\xff"}'),
    "a bottomless JSON": answer(
        200, b'{"status": "accepted", "pos_reference": "P", "x": ' + b"[" * 60_000
    ),
    "401": answer(401, {"status": "unauthorized"}),
    "404": answer(404, {"status": "not_found"}),
    "500": answer(500, b"oops"),
    "503 with a Retry-After": answer(503, b"later", retry_after="1"),
    "a redirect": answer(307, location="/api/elsewhere"),
    "a redirect to another house": answer(302, location="http://no-such-host.invalid/orders"),
    "compressed": answer(
        200, {"status": "accepted", "pos_reference": "P"}, content_encoding="gzip"
    ),
    "more than it may be": answer(
        200, {"status": "accepted", "pos_reference": "P" * MAX_ANSWER_BYTES}
    ),
    "a body without an end": flood,
    "a head without an end": raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000),
    "half a head": raw(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "half a body": raw(
        b"HTTP/1.1 200 OK\r\ncontent-length: 80\r\n\r\n"
        b'{"status": "accepted", "pos_reference": "P-1"}'
    ),
    "garbage": raw(b"\x00\x01 not HTTP at all\r\n\r\n"),
    "the connection's end": raw(b""),
    "a reset": reset,
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_what_cannot_be_read_is_unknown_and_the_next_call_is_heard(case: str) -> None:
    async with calling(UNREADABLE[case], accepted()) as (pos, fake):
        outcome = await pos.submit(ORDER)
        assert isinstance(outcome, Unknown), outcome
        assert outcome.why
        assert len(outcome.why) < 100
        assert TOKEN not in outcome.why
        assert await pos.submit(ORDER) == Accepted("POS-42")
        assert len(fake.heard) == 2


async def test_a_key_used_with_another_body_is_told_to_the_operator_without_the_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with calling(UNREADABLE["a key used with another body"]) as (pos, _):
        await pos.submit(ORDER)
    assert [record.levelname for record in caplog.records if "comanda" in record.name] == ["ERROR"]
    assert "ORD-7-42" in caplog.text
    assert TOKEN not in caplog.text
    assert "1250.00" not in caplog.text


@pytest.mark.parametrize("reply", [hang, drip])
async def test_silence_and_a_body_that_drips_are_unknown_before_the_callers_time_is_over(
    reply: Reply,
) -> None:
    async with calling(reply, call_timeout_seconds=1.5) as (pos, _):
        with trio.fail_after(5):
            assert await pos.submit(ORDER) == Unknown("the POS did not answer in time")


async def test_a_refused_connection_has_sent_nothing() -> None:
    with refusing_port() as taken:
        async with open_webhook_pos(f"http://127.0.0.1:{taken.getsockname()[1]}") as pos:
            assert await pos.submit(ORDER) == NotSent("The kitchen cannot be reached")
            assert isinstance(await pos.look_up(ORDER), Unknown)
            assert await pos.void(ORDER) is False


async def test_a_name_that_is_not_found_has_sent_nothing() -> None:
    async with open_webhook_pos("http://no-such-host.invalid") as pos:
        assert await pos.submit(ORDER) == NotSent("The kitchen cannot be reached")


async def test_a_failed_handshake_of_tls_has_sent_nothing() -> None:
    async with (
        open_pos() as fake,
        open_webhook_pos(fake.url.replace("http:", "https:"), TOKEN) as pos,
    ):
        assert await pos.submit(ORDER) == NotSent("The kitchen cannot be reached")
        assert fake.heard == []


async def test_a_pos_that_takes_no_connection_has_been_sent_nothing() -> None:
    """A listener whose queue is full drops what comes: the connection never stands."""
    with trio.fail_after(8), socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            async with open_webhook_pos(
                f"http://127.0.0.1:{port}", call_timeout_seconds=1.0
            ) as pos:
                assert await pos.submit(ORDER) == NotSent("The kitchen cannot be reached")
        finally:
            for filler in fillers:
                filler.close()


async def test_each_call_with_a_key_carries_the_same_bytes_and_headers() -> None:
    async with calling(reset, answer(503), accepted()) as (pos, fake):
        for _ in range(3):
            await pos.submit(ORDER)
        assert {(one.method, one.target, one.body) for one in fake.heard} == {
            ("POST", "/api/orders", BODY)
        }
        for one in fake.heard:
            assert one.headers["idempotency-key"] == "ORD-7-42"
            assert one.headers["content-type"] == "application/json"
            assert one.headers["authorization"] == f"Bearer {TOKEN}"
            assert one.headers["content-length"] == str(len(BODY))


async def test_without_a_token_none_is_sent_and_no_cookie_comes_back() -> None:
    sets = answer(200, {"status": "accepted", "pos_reference": "P"}, set_cookie="a=b; Path=/")
    async with open_pos(sets, accepted()) as fake, open_webhook_pos(fake.url) as pos:
        await pos.submit(ORDER)
        await pos.submit(ORDER)
        for one in fake.heard:
            assert "authorization" not in one.headers
            assert "cookie" not in one.headers


async def test_connections_are_used_again_and_closed_at_the_end() -> None:
    async with open_pos(otherwise=accepted()) as fake:
        async with open_webhook_pos(fake.url) as pos:
            for _ in range(5):
                assert await pos.submit(ORDER) == Accepted("POS-42")
            assert fake.connections == 1
        with pytest.raises(RuntimeError):
            await pos.submit(ORDER)


async def test_cancellation_passes_through_and_the_turn_is_given_back() -> None:
    async with calling(hang, accepted(), calls_per_restaurant=1) as (pos, fake):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pos.submit, ORDER)
            await fake.wait_heard(1)
            nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught
        assert await pos.submit(ORDER) == Accepted("POS-42")


# --- Bounds ---------------------------------------------------------------------------------------


async def test_one_restaurants_hanging_calls_hold_up_no_other_restaurant() -> None:
    async with calling(*[hang] * 16, accepted()) as (pos, fake), trio.open_nursery() as nursery:
        for number in range(16):
            nursery.start_soon(pos.submit, an_order(number))
        await fake.wait_heard(16)
        other = replace(ORDER, restaurant_id=8, order_id="ORD-8-1")
        assert await pos.submit(other) == Accepted("POS-42")
        nursery.cancel_scope.cancel()


async def test_a_restaurants_call_whose_turn_does_not_come_has_sent_nothing() -> None:
    async with (
        calling(hang, calls_per_restaurant=1, call_timeout_seconds=2) as (pos, fake),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(pos.submit, an_order(1))
        await fake.wait_heard(1)
        outcome = await pos.submit(ORDER)
        assert isinstance(outcome, NotSent)
        assert outcome.retry_after_seconds == 2
        assert len(fake.heard) == 1
        nursery.cancel_scope.cancel()


async def test_old_orders_that_are_looked_up_and_taken_back_cost_a_new_order_no_turn() -> None:
    waiting = replace(ORDER, state="needs_staff")
    hanging = 2 * LATE_CALLS_PER_RESTAURANT
    async with (
        calling(
            *[hang] * LATE_CALLS_PER_RESTAURANT,
            accepted(),
            calls_per_restaurant=2 * LATE_CALLS_PER_RESTAURANT,
            call_timeout_seconds=6,
        ) as (pos, fake),
        trio.open_nursery() as nursery,
    ):
        for _ in range(hanging):
            nursery.start_soon(pos.look_up, waiting)
            nursery.start_soon(pos.void, waiting)
        await fake.wait_heard(LATE_CALLS_PER_RESTAURANT)
        assert await pos.submit(ORDER) == Accepted("POS-42")
        assert len(fake.heard) == LATE_CALLS_PER_RESTAURANT + 1
        nursery.cancel_scope.cancel()


async def test_old_orders_have_no_more_turns_than_the_operator_allows_a_restaurant() -> None:
    waiting = replace(ORDER, state="needs_staff")
    async with (
        calling(hang, calls_per_restaurant=1, call_timeout_seconds=2) as (pos, fake),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(pos.look_up, waiting)
        await fake.wait_heard(1)
        assert isinstance(await pos.look_up(waiting), Unknown)
        assert len(fake.heard) == 1
        nursery.cancel_scope.cancel()


# --- Looking up and voiding -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (
            answer(200, {**FOUND, "status": "accepted", "pos_reference": "P-1"}),
            Accepted("P-1"),
        ),
        (answer(200, {**FOUND, "status": "pending"}), Pending(None, None)),
        (
            answer(200, {**FOUND, **REJECTED, "retryable": True}),
            Rejected("closed", "Closed", retryable=True),
        ),
        (
            answer(200, {**FOUND, "status": "rejected", "code": "c", "message": "m"}),
            Rejected("c", "m", retryable=False),
        ),
        (
            answer(200, {**FOUND, "status": "voided"}),
            Rejected("voided", "The order was taken back", retryable=False),
        ),
        (
            answer(200, {**FOUND, "status": "voided", "message": "By the staff"}),
            Rejected("voided", "By the staff", retryable=False),
        ),
        (answer(404, {"status": "not_found"}), None),
    ],
)
async def test_a_look_up_tells_what_the_pos_knows(reply: Reply, found: PosOutcome | None) -> None:
    async with calling(reply) as (pos, fake):
        assert await pos.look_up(ORDER) == found
        [heard] = fake.heard
        assert (heard.method, heard.target, heard.body) == ("GET", "/api/orders/ORD-7-42", b"")
        assert heard.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, {**FOUND, "status": "accepted"}),
        answer(200, {"status": "accepted", "pos_reference": "P-1"}),
        answer(200, {**FOUND, "order_id": "ORD-7-4", "status": "accepted", "pos_reference": "P"}),
        answer(200, {**FOUND, "status": "rejected"}),
        answer(200, {**FOUND, **REJECTED, "code": "key_reused"}),
        answer(200, {**FOUND, "status": "not_found"}),
        answer(200, b"<html>"),
        answer(201, {**FOUND, "status": "accepted", "pos_reference": "P-1"}),
        answer(410, {**FOUND, **REJECTED}),
        answer(429, retry_after="1"),
        answer(500),
        answer(301, location="/"),
        flood,
        reset,
    ],
)
async def test_any_other_answer_to_a_look_up_is_unknown(reply: Reply) -> None:
    async with calling(reply) as (pos, _):
        assert isinstance(await pos.look_up(ORDER), Unknown)


async def test_only_the_word_of_the_pos_makes_an_order_voided() -> None:
    word = answer(200, {"status": "voided"})
    others = [
        answer(200, {"status": "accepted"}),
        answer(202, {"status": "voided"}),
        answer(500, {"status": "voided"}),
        answer(200),
        answer(404),
        reset,
    ]
    async with calling(word, *others) as (pos, fake):
        assert await pos.void(ORDER) is True
        assert [await pos.void(ORDER) for _ in others] == [False] * len(others)
        heard = fake.heard[0]
        assert (heard.method, heard.target, heard.body) == (
            "POST",
            "/api/orders/ORD-7-42/void",
            b"",
        )


# --- Reading, without a socket --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        (" 30 ", 30),
        (None, DEFAULT_RETRY_SECONDS),
        ("", DEFAULT_RETRY_SECONDS),
        ("-1", DEFAULT_RETRY_SECONDS),
        ("1.5", DEFAULT_RETRY_SECONDS),
        ("soon", DEFAULT_RETRY_SECONDS),
        ("Mon, 15 Jan 2024 10:30:20 GMT", 20),
        ("Mon, 15 Jan 2024 10:00:00 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    assert retry_after_seconds(header, datetime(2024, 1, 15, 10, 30, tzinfo=UTC)) == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [-+\w]+"))
def test_no_retry_after_confuses_it(header: str) -> None:
    assert retry_after_seconds(header, NOW) >= 0


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_bytes_confuse_the_reader_and_none_are_taken_for_an_order(
    status: int, body: bytes
) -> None:
    answer = Answer(status, body)
    assert isinstance(read_submit(answer, "ORD-7-42", NOW), Unknown | NotSent)
    assert isinstance(read_look_up(answer, "ORD-7-42"), Unknown | None)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "pos_reference", "code", "message", "retryable"]), inner
        )
    ),
)


@given(
    st.sampled_from([200, 201, 202, 400, 404, 409, 422, 429, 500]),
    st.sampled_from(["accepted", "pending", "rejected", "voided"]),
    st.dictionaries(
        st.sampled_from(["pos_reference", "expected_by", "code", "message", "retryable"]), JSONS
    ),
)
def test_any_json_is_one_outcome_and_a_status_leads_to_its_own_kind_alone(
    status: int, word: str, more: dict[str, Any]
) -> None:
    body = json.dumps({**more, "status": word}).encode()
    outcome = read_submit(Answer(status, body), "ORD-7-42", NOW)
    allowed: dict[int, type[Any]] = {200: Accepted, 201: Accepted, 202: Pending, 429: NotSent}
    refusals = {400: Rejected, 409: Rejected, 422: Rejected}
    assert isinstance(outcome, (Unknown, (allowed | refusals).get(status, Unknown)))


# --- In a whole server ----------------------------------------------------------------------------


async def test_a_guests_order_goes_to_the_pos_over_http_and_its_answers_reach_the_table(
    tmp_path: Path,
) -> None:
    token_file = tmp_path / "pos.token"
    token_file.write_text(f"{TOKEN}\n")
    script = [
        answer(429, retry_after="0"),
        accepted("K-1"),
        answer(409, REJECTED),
    ]
    async with open_pos(*script) as fake:
        async with (
            serving(tmp_path, fake.url, pos_token_file=token_file) as server,
            server.phone(await server.join()) as phone,
        ):
            await phone.add()
            await phone.order()
            confirmed = await phone.until("order_confirmed")
            assert confirmed["order"]["pos_reference"] == "K-1"
            await phone.add()
            await phone.order()
            failed = await phone.until("order_failed")
            assert failed["allow_retry"] is True
        first, again, other = fake.heard
        assert first == again
        assert json.loads(first.body)["order_id"] == first.headers["idempotency-key"] == "ORD-7-1"
        assert other.headers["idempotency-key"] == "ORD-7-2"
        assert other.headers["authorization"] == f"Bearer {TOKEN}"


async def test_it_fulfils_the_port() -> None:
    async with open_webhook_pos("http://no-such-host.invalid") as adapter:
        pos: Pos = adapter
        assert isinstance(await pos.look_up(ORDER), Unknown)
