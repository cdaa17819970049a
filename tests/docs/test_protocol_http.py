"""docs/protocol.md against the code: HTTP calls, problems, close codes, limits, client settings."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from comanda.actors import audience, carrier, door
from comanda.actors.domain import messages, money, session
from comanda.actors.domain.messages import ClientSettings, encode
from comanda.actors.house import HouseLimits
from comanda.config import Settings
from comanda.http import (
    call,
    front,
    limits,
    quart_app,
    routes,
    staff_routes,
)
from comanda.http.endpoints import Endpoint
from comanda.http.limits import FrontLimits
from comanda.http.openapi import openapi_path
from comanda.http.problems import STATUSES, Problem
from comanda.http.routes import ENDPOINTS
from comanda.http.socket import WorkerLimits

from .pages import ROOT, Section, read_page

PAGE = read_page("docs/protocol.md")
CALL = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/\S+)")
OPEN_TO = {
    "anyone": "For anyone",
    "member": "For a member.",
    "staff": "For staff.",
    "pos": "For the POS",
}
CLOSERS = {"close", "close_websocket", "Violation", "_Closed"}

FRONT, WORKER, HOUSE = FrontLimits(), WorkerLimits(), HouseLimits()

LIMITS: dict[str, float] = {
    "quantity of a line": messages.MAX_QTY,
    "characters of a note": messages.MAX_NOTE_CHARACTERS,
    "characters of the special instructions": messages.MAX_INSTRUCTIONS_CHARACTERS,
    "characters of a member's name": messages.MAX_NAME_CHARACTERS,
    "lines in a cart": messages.MAX_LINES,
    "bytes of all notes in a cart, in UTF-8": messages.MAX_NOTES_BYTES,
    "lines that a session may ever have had": session.MAX_LINES_EVER,
    "members of a session": session.MAX_MEMBERS,
    "orders of a session that may wait for the staff": session.MAX_IN_DOUBT,
    "minor units of an amount": money.MAX_MINOR,
    "connections of a member": audience.MAX_CONNECTIONS_A_MEMBER,
    "`request_id`s remembered for a member": session.MAX_REQUESTS_KEPT,
    "characters of the sentence with a `bad_message`": messages.MAX_SENTENCE_CHARACTERS,
    "characters of the staff's reason for settling an order": messages.MAX_REASON_CHARACTERS,
    "characters of a `pos_reference` that the staff give": messages.MAX_REFERENCE_CHARACTERS,
    "characters of an `order_id`": messages.MAX_ORDER_ID_CHARACTERS,
    "characters of the `event_id` of a callback": messages.MAX_EVENT_ID_CHARACTERS,
    "characters of a `session_pid`": front.MAX_PID_CHARACTERS,
    "characters of a query parameter": call.MAX_QUERY_CHARACTERS,
    "bytes of a request body": quart_app.MAX_BODY_BYTES,
    "bytes of a request's head": WORKER.header_bytes,
    "bytes of a websocket message": WORKER.message_bytes,
    "bytes that may wait for a slow reader": WORKER.outgoing_bytes,
    "pings, pongs and parts of messages a second, beyond which 1008 closes": (
        WORKER.wordless_frames_a_second
    ),
    "pings, pongs and parts of messages at once": WORKER.wordless_frames,
    "orders a page, at most": staff_routes.PAGE_MOST,
    "orders a page, by default": staff_routes.PAGE_DEFAULT,
    "seconds from the handshake to the join": FRONT.join_timeout_seconds,
    "frames behind the join before it is answered": FRONT.early_messages,
    "characters of those frames together": FRONT.early_characters,
    "messages a second, one connection": FRONT.messages_a_second,
    "messages at once, one connection": FRONT.message_burst,
    "refused messages until close 1008, unless the connection rests for a whole burst": (
        FRONT.flood_messages
    ),
    "bad messages in a row until close 1008": FRONT.bad_messages,
    "requests a second, one address": FRONT.requests_a_second,
    "requests at once, one address": FRONT.request_burst,
    "requests a second, one member's token": FRONT.member_requests_a_second,
    "requests at once, one member's token": FRONT.member_request_burst,
    "requests a second, one staff token": FRONT.staff_requests_a_second,
    "requests at once, one staff token": FRONT.staff_request_burst,
    "digits of a join PIN": messages.PIN_DIGITS,
    "wrong PINs of a session until joining it rests": door.WRONG_PINS,
    "seconds of the first such rest": door.FIRST_REST_SECONDS,
    "seconds of the longest such rest": door.LONGEST_REST_SECONDS,
    "wrong PINs a minute, one address": FRONT.wrong_pins_a_minute,
    "wrong PINs at once, one address": FRONT.wrong_pins,
    "joins a minute, one address": FRONT.joins_a_minute,
    "joins at once, one address": FRONT.join_burst,
    "connections of one address": FRONT.connections,
    "connections of the server": WORKER.max_connections,
    "commands that may wait for one table": HOUSE.mailbox_capacity,
    "seconds between two `resolve_now` that are heeded": carrier.RESOLVE_INTERVAL_SECONDS,
    "seconds that a cart stays locked, at most": HOUSE.lock_limit_seconds,
    "seconds of silence until the server pings": WORKER.ping_interval_seconds,
    "seconds for a sign of life after a ping": WORKER.pong_timeout_seconds,
}
INSIDE = {"MAX_BUCKETS"}
"""Bounds that no client can meet."""


def name_of(endpoint: Endpoint) -> str:
    """The endpoint as the page heads its section."""
    return f"{endpoint.method} {openapi_path(endpoint.path)}"


BY_NAME = {name_of(endpoint): endpoint for endpoint in ENDPOINTS}


def section_of(endpoint: Endpoint) -> Section:
    """The page's section on an endpoint."""
    return PAGE.section(name_of(endpoint))


def through(example: Any, kind: Any) -> Any:
    """The example, decoded as `kind` and encoded again."""
    return json.loads(encode(msgspec.json.decode(json.dumps(example), type=kind)))


def test_the_calls_are_those_of_the_code() -> None:
    on_page = [section.title for section in PAGE.sections if CALL.fullmatch(section.title)]
    assert sorted(on_page) == sorted([*BY_NAME, "GET /ws/sessions/{session_pid}"])


def test_the_websocket_is_where_the_page_says() -> None:
    assert '"/ws/sessions/<session_pid>"' in inspect.getsource(quart_app.make_quart_app)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_a_call_is_open_to_whom_the_page_says(endpoint: Endpoint) -> None:
    assert section_of(endpoint).prose.strip().startswith(OPEN_TO[endpoint.access])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=name_of)
def test_a_calls_problems_are_those_of_the_code(endpoint: Endpoint) -> None:
    _, found, listed = section_of(endpoint).prose.partition("Problems: ")
    assert found
    assert set(re.findall(r"`(\w+)`", listed.partition(".")[0])) == set(endpoint.codes)


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.content is None], ids=name_of)
def test_a_calls_status_is_the_codes(endpoint: Endpoint) -> None:
    assert f"Answer, {endpoint.status}:" in section_of(endpoint).prose
    for bare in endpoint.bare:
        assert f"a {bare} without a body" in section_of(endpoint).prose


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.body], ids=name_of)
def test_a_calls_body_is_an_example_of_its_type(endpoint: Endpoint) -> None:
    (example,) = section_of(endpoint).json("Body:")
    assert through(example, endpoint.body) == example
    assert set(example) == {field.name for field in msgspec.structs.fields(endpoint.body)}


def test_every_answer_has_an_example_that_says_just_what_its_type_says() -> None:
    shown = set()
    for endpoint in ENDPOINTS:
        for example in section_of(endpoint).json("Answer"):
            assert through(example, endpoint.answer) == example, name_of(endpoint)
            shown.add(endpoint.answer)
    assert shown == {one.answer for one in ENDPOINTS if one.answer} - {messages.CartSnapshot}


def test_the_queries_are_those_of_the_code() -> None:
    for endpoint in ENDPOINTS:
        if endpoint.query:
            assert section_of(endpoint).column("query") == list(endpoint.query)
    text = section_of(BY_NAME["GET /api/restaurants/{restaurant_id}/orders"]).prose
    assert (
        f"1 to {staff_routes.PAGE_MOST}, {staff_routes.PAGE_DEFAULT} where it is not given" in text
    )


def test_the_problem_codes_and_statuses_are_those_of_the_code() -> None:
    rows = PAGE.section("Problems").table
    assert {row["code"].strip("`"): int(row["status"]) for row in rows} == STATUSES


def test_a_code_that_the_page_calls_reserved_is_answered_by_no_call() -> None:
    reserved = {
        row["code"].strip("`")
        for row in PAGE.section("Problems").table
        if row["when"].startswith("reserved")
    }
    answered = {code for endpoint in ENDPOINTS for code in endpoint.codes}
    assert not reserved & answered
    assert set(STATUSES) - answered - reserved == {"method_not_allowed", "server_error"}


def test_the_example_of_a_problem_shows_all_that_a_problem_says() -> None:
    (example,) = PAGE.section("Problems").json()
    assert through(example, Problem) == example
    assert set(example) | {"type"} == {field.name for field in msgspec.structs.fields(Problem)}
    assert STATUSES[example["code"]] == example["status"]


def test_the_close_codes_are_those_that_the_code_gives() -> None:
    given = set[int]()
    for room in ("http", "actors"):
        for path in (ROOT / "comanda" / room).rglob("*.py"):
            given |= set(close_codes_in(ast.parse(path.read_text("utf-8"))))
    assert {int(code) for code in PAGE.section("Close codes").column("code")} == given


def close_codes_in(module: ast.Module) -> Iterator[int]:
    """Numbers given to what closes a connection, and constants named for it."""
    for node in ast.walk(module):
        match node:
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called),
                args=[ast.Constant(value=int(code)), *_],
            ) if called in CLOSERS:
                yield code
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int(code)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=int(code)))
            ) if name.startswith("CLOSE_"):
                yield code


def test_the_limits_are_those_of_the_code() -> None:
    rows = PAGE.section("Limits").table
    assert {row["limit"]: float(row["value"]) for row in rows} == LIMITS


def test_every_bound_that_a_client_can_meet_is_among_the_limits() -> None:
    known = list(LIMITS.values())
    modules = (messages, money, session, audience, call, front, limits, quart_app)
    for module in (*modules, routes, staff_routes):
        for name, value in vars(module).items():
            if re.match(r"(MAX|PAGE)_", name) and name not in INSIDE:
                assert value in known, f"{module.__name__}.{name} is not on the page"
    for field in fields(FrontLimits):
        if field.name != "enabled":
            assert getattr(FRONT, field.name) in known, f"{field.name} is not on the page"


def test_a_limits_setting_is_one_and_has_the_limits_value() -> None:
    for row in PAGE.section("Limits").table:
        if row["setting"]:
            name = row["setting"].strip("`").removeprefix("COMANDA_").lower()
            assert float(row["value"]) == Settings.model_fields[name].default, row["limit"]


def test_the_client_settings_are_those_of_the_code() -> None:
    on_page = {
        row["setting"].strip("`"): float(row["default"])
        for row in PAGE.section("What a client does").table
    }
    assert on_page == msgspec.structs.asdict(ClientSettings())
