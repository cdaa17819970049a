"""What the HTTP front refuses, and how: always a problem with a code, never a 5xx for bad input."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .server import HOUSE_TOKEN, MARGHERITA, Server, serving

JOIN = "/api/tables/demo-1/join"
JSON = {"content-type": "application/json"}
MENU_ITEM = f"/api/restaurants/7/menu/{MARGHERITA}"


async def test_a_problem_has_the_fields_of_rfc_9457_and_a_code(server: Server) -> None:
    response = await server.call("GET", "/api/tables/nowhere", status=404)
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem == {
        "title": "Not found",
        "status": 404,
        "code": "not_found",
        "detail": "There is no table with this code",
    }


# --- Whom it lets in ------------------------------------------------------------------------------


NO_TOKENS = [
    "",
    "Bearer",
    "Basic YW5hOmFuYQ==",
    "Bearer nonsense",
    "Bearer a.b.c.d",
    "Bearer " + "x" * 8000,
    "Bearer null",
    "bearerWzcsInNl",
    "Bearer WzcsInNlc3Npb25fMSIsIm0iXQ.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "Bearer \xff\xfe",
    "Bearer one two",
]


async def test_a_token_that_is_none_of_ours_is_unauthorized_wherever_one_is_needed(
    server: Server,
) -> None:
    ana = await server.join()
    for authorization in NO_TOKENS:
        for method, path in [
            ("GET", f"/api/sessions/{ana.pid}/cart"),
            ("GET", f"/api/sessions/{ana.pid}/orders"),
            ("POST", f"/api/sessions/{ana.pid}/close"),
            ("GET", "/api/restaurants/7/orders"),
            ("PATCH", MENU_ITEM),
        ]:
            headers = {b"Authorization": authorization.encode("latin-1")}
            response = await server.http.request(method, path, headers=headers)
            server.contract.check(method, response)
            assert response.status_code == 401, (method, path, authorization)
            assert response.json()["code"] == "unauthorized"
            assert response.headers["www-authenticate"] == "Bearer"


async def test_the_scheme_is_not_case_sensitive(server: Server) -> None:
    ana = await server.join()
    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {ana.token}"}
        await server.call("GET", f"/api/sessions/{ana.pid}/cart", headers=headers)


async def test_another_sessions_token_is_forbidden(server: Server) -> None:
    ana, eve = await server.join("demo-1"), await server.join("demo-2", "Eve")
    for what in ("cart", "orders"):
        path = f"/api/sessions/{ana.pid}/{what}"
        await server.refused("forbidden", 403, "GET", path, token=eve.token)


async def test_a_mangled_token_opens_nothing(server: Server) -> None:
    ana = await server.join()
    body, _, signature = ana.token.rpartition(".")
    other = await server.join(name="Ben")
    for token in (body, signature, f"{body}.", f"{ana.token}x", f"{other.token[:-43]}{signature}"):
        path = f"/api/sessions/{ana.pid}/cart"
        await server.refused("unauthorized", 401, "GET", path, token=token)


async def test_an_unknown_session_is_not_found(server: Server) -> None:
    ana = await server.join()
    for pid in ("session_none", "x" * 65, "%00", "ä", "%ff"):
        path = f"/api/sessions/{pid}/cart"
        await server.refused("not_found", 404, "GET", path, token=ana.token)
        path = f"/api/sessions/{pid}/close"
        await server.refused("not_found", 404, "POST", path, token=HOUSE_TOKEN)


async def test_a_closed_sessions_token_is_unauthorized(server: Server) -> None:
    ana = await server.join()
    await server.close_table(ana)
    for what in ("cart", "orders"):
        path = f"/api/sessions/{ana.pid}/{what}"
        await server.refused("unauthorized", 401, "GET", path, token=ana.token)


async def test_members_are_no_staff_and_staff_are_no_members(server: Server) -> None:
    ana = await server.join()
    refused = server.refused
    await refused("forbidden", 403, "POST", f"/api/sessions/{ana.pid}/close", token=ana.token)
    await refused("forbidden", 403, "GET", "/api/restaurants/7/orders", token=ana.token)
    await refused("forbidden", 403, "PATCH", MENU_ITEM, token=ana.token, json={"available": False})
    await refused("forbidden", 403, "GET", f"/api/sessions/{ana.pid}/cart", token=HOUSE_TOKEN)


async def test_who_may_not_ask_is_told_so_before_the_body_is_looked_at(server: Server) -> None:
    await server.refused("unauthorized", 401, "PATCH", MENU_ITEM, content=b"x" * 70_000)


# --- What it cannot take --------------------------------------------------------------------------


async def test_another_method_is_not_allowed_and_the_answer_says_which_is(server: Server) -> None:
    for method, path, allow in [
        ("GET", JOIN, {"POST"}),
        ("OPTIONS", JOIN, {"POST"}),
        ("DELETE", "/api/restaurants/7/menu", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("PUT", MENU_ITEM, {"PATCH"}),
        ("BREW", "/readyz", {"GET", "HEAD"}),
    ]:
        response = await server.call(method, path, status=405)
        assert response.json()["code"] == "method_not_allowed"
        assert set(response.headers["allow"].split(", ")) == allow, (method, path)


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_does_not_say_it_is_json_is_of_an_unsupported_media_type(
    server: Server, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"content-type": media_type}
    await server.refused(
        "unsupported_media_type", 415, "POST", JOIN, content=b'{"name":"A"}', headers=headers
    )


async def test_json_with_a_charset_is_json(server: Server) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    await server.call("POST", JOIN, status=201, content=b'{"name":"A"}', headers=headers)


async def test_a_body_of_64_kib_is_taken_and_one_byte_more_is_too_large(server: Server) -> None:
    body = json.dumps({"name": "Ana", "pad": ""}).encode()
    padded = body[:-2] + b"x" * (65_536 - len(body)) + body[-2:]
    assert len(padded) == 65_536
    await server.call("POST", JOIN, status=201, content=padded, headers=JSON)
    await server.refused(
        "payload_too_large", 413, "POST", JOIN, content=padded + b" ", headers=JSON
    )


async def test_a_body_in_chunks_is_bounded_too(server: Server) -> None:
    async def chunks() -> Any:
        for _ in range(100):
            yield b" " * 1024

    await server.refused("payload_too_large", 413, "POST", JOIN, content=chunks(), headers=JSON)


async def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(
    server: Server,
) -> None:
    head = f"POST {JOIN} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    heard = await server.raw(f"{head}content-length: 999999999\r\n\r\n".encode())
    assert heard.startswith(b"HTTP/1.1 413")
    assert b'"code":"payload_too_large"' in heard


async def test_a_body_that_nobody_asked_for_does_no_harm(server: Server) -> None:
    ana = await server.join()
    path = f"/api/sessions/{ana.pid}/close"
    await server.call("POST", path, token=HOUSE_TOKEN, status=204, content=b"x" * 200_000)
    await server.call("GET", "/healthz")


BAD_JOINS = [
    b"",
    b" ",
    b"null",
    b"true",
    b"[]",
    b'"name"',
    b"{}",
    b'{"name"',
    b'{"name":null}',
    b'{"name":1}',
    b'{"name":["Ana"]}',
    b'{"name":{"name":"Ana"}}',
    b'{"Name":"Ana"}',
    b'{"name":"Ana"} trailing',
    b"{'name':'Ana'}",
    b'{"name":"\xff"}',
    b'{"name":"\\ud800"}',
    b'{"name":"\\ud83d"}',
    b'{"name":"a\nb"}',
    b"\xef\xbb\xbf" + b'{"name":"Ana"}',
    '{"name":"Ana"}'.encode("utf-16"),
    b"[" * 65_000,
    b'{"x":' * 10_000,
    b'{"name":"Ana","x":' + b"[" * 60_000,
    b"1" * 65_000,
    b"\x00" * 100,
]


async def test_a_body_that_says_nothing_usable_is_a_bad_message(server: Server) -> None:
    for body in BAD_JOINS:
        await server.refused("bad_message", 400, "POST", JOIN, content=body, headers=JSON)


BAD_CHANGES: list[dict[str, Any]] = [
    {},
    {"colour": "red"},
    {"available": None},
    {"available": 1},
    {"available": "yes"},
    {"price": None},
    {"price": "6.25"},
    {"price": -1},
    {"price": -0.01},
    {"price": True},
    {"price": 1e300},
    {"price": 10**15},
    {"price": 10**400},
    {"price": [1]},
    {"price": {}},
    {"available": False, "price": "free"},
]


async def test_a_menu_change_that_cannot_be_is_a_bad_message_and_changes_nothing(
    server: Server,
) -> None:
    before = (await server.call("GET", "/api/restaurants/7/menu")).json()
    for change in BAD_CHANGES:
        await server.refused("bad_message", 400, "PATCH", MENU_ITEM, token=HOUSE_TOKEN, json=change)
    assert (await server.call("GET", "/api/restaurants/7/menu")).json() == before


BAD_QUERIES = [
    "state=cooking",
    "state=confirmed,cooking",
    "state=%00",
    "state=" + "x" * 600,
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=1e2",
    "limit=",
    "limit=ten",
    "limit=%D9%A1",
    "limit=" + "9" * 400,
    "limit=00000000000000000201",
    "cursor=x",
    "cursor=%00",
    "cursor=%ff",
    "cursor=ORD-7-1",
    "cursor=" + "A" * 100,
    "cursor=bjk5OTk5OTk5OTk5OTk5OTk5OTk5",
    "cursor=bi0x",
]


async def test_a_query_that_cannot_be_is_a_bad_message(server: Server) -> None:
    for query in BAD_QUERIES:
        path = f"/api/restaurants/7/orders?{query}"
        await server.refused("bad_message", 400, "GET", path, token=HOUSE_TOKEN)


async def test_a_query_that_says_little_is_taken(server: Server) -> None:
    for query in ("", "limit=1", "limit=200", "state=", "state=,", "x=1&x=2"):
        await server.call("GET", f"/api/restaurants/7/orders?{query}", token=HOUSE_TOKEN)


HUGE = ["9" * 10, "9" * 16, "9" * 17, "9223372036854775807", "9223372036854775808", "9" * 30]


async def test_a_number_in_a_path_that_names_nothing_is_not_found(server: Server) -> None:
    for number in [*HUGE, "9" * 5000, "0", "-1", "1.0", "0x7", "%00", "٧", "7 "]:
        for method, path in [
            ("GET", f"/api/restaurants/{number}/menu"),
            ("GET", f"/api/restaurants/{number}/orders"),
            ("PATCH", f"/api/restaurants/{number}/menu/{MARGHERITA}"),
            ("PATCH", f"/api/restaurants/7/menu/{number}"),
        ]:
            body = {"json": {"available": True}} if method == "PATCH" else {}
            await server.refused("not_found", 404, method, path, token=HOUSE_TOKEN, **body)


LOST_PATHS = [
    "/",
    "/nowhere",
    "/api",
    "/api/tables",
    "/healthz/",
    "/api//restaurants/7/menu",
    "//evil.example/%2e%2e/healthz",
    "/api/tables/%00",
    "/api/tables/%2e%2e%2f",
    "/api/tables/%ff%fe",
    "/api/tables/" + "x" * 10_000,
    "/" + "a/" * 4000,
    "/static/../comanda.db",
    "/api/restaurants/7/menu;x=1",
    "/%",
    "/%zz",
    "/?" + "&" * 5000,
]


async def test_a_path_that_leads_nowhere_is_not_found(server: Server) -> None:
    for path in LOST_PATHS:
        request = f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        head, _, body = (await server.raw(request.encode())).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 404"), (path, head)
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "not_found"


NO_HTTP = [
    b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n",
    b"GET /healthz HTTP/1.1\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nhost: y\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nbad header\r\n",
    b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: \x00\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET  /healthz\r\n",
    b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: x\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\ncookie: " + b"a" * 40_000 + b"\r\n",
]


async def test_what_is_no_http_is_a_fault_of_the_one_who_sent_it(server: Server) -> None:
    for head in NO_HTTP:
        heard = await server.raw(head + b"connection: close\r\n\r\n")
        assert heard.startswith(b"HTTP/1.1 4"), (head[:60], heard)
    await server.call("GET", "/healthz")


async def test_a_strange_host_and_strange_headers_do_no_harm(server: Server) -> None:
    for lines in (
        b"host: \r\n",
        b"host: [::1\r\n",
        b"host: a:99999999\r\n",
        b"host: x\r\nif-none-match: \xff\xfe\r\n",
        b"host: x\r\ncookie: =;;\xff\r\n",
        b"host: x\r\naccept-encoding: \xff\r\n",
        b"host: x\r\nrange: bytes=9-1\r\n",
        b"host: x\r\nexpect: magic\r\n",
    ):
        head = b"GET /api/restaurants/7/menu HTTP/1.1\r\n" + lines + b"connection: close\r\n\r\n"
        heard = await server.raw(head)
        assert heard[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4"), (lines, heard)


async def test_websockets_and_other_requests_have_paths_of_their_own(server: Server) -> None:
    response = await server.http.get("/ws/sessions/any")
    assert (response.status_code, response.json()["code"]) == (400, "bad_message")
    upgrade = (
        "GET {} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    for path, status, code in [
        ("/healthz", 400, "bad_message"),
        ("/nowhere", 404, "not_found"),
    ]:
        heard = await server.raw(upgrade.format(path).encode())
        assert heard.startswith(b"HTTP/1.1 %d" % status), heard
        assert f'"code":"{code}"'.encode() in heard


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["name", "available", "price"]) | st.text(max_size=8), inner, max_size=4
        )
    ),
    max_leaves=8,
)
SEGMENT = st.text(max_size=30).map(lambda text: quote(text, safe="")) | st.sampled_from(
    [
        "api",
        "tables",
        "demo-1",
        "join",
        "restaurants",
        "7",
        "menu",
        "456",
        "orders",
        "sessions",
        "..",
    ]
)
PATH = st.sampled_from([JOIN, MENU_ITEM, "/api/restaurants/7/orders"]) | st.lists(
    SEGMENT, max_size=6
).map(lambda parts: "/" + "/".join(parts))
QUERY = st.lists(
    st.tuples(st.sampled_from(["state", "limit", "cursor", "x"]), st.text(max_size=40)), max_size=3
).map(urlencode)
HEADER = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60
).map(lambda text: text.strip().encode("latin-1"))
ATTEMPTS = st.tuples(
    st.sampled_from([b"GET", b"POST", b"PATCH", b"PUT", b"DELETE", b"HEAD", b"OPTIONS"]),
    st.tuples(PATH, QUERY).map("?".join),
    ANY_JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200),
    st.sampled_from([b"application/json", b"text/html", b"multipart/form-data; boundary=x"])
    | HEADER,
    st.just(f"Bearer {HOUSE_TOKEN}".encode()) | HEADER,
)


def test_nothing_that_anybody_sends_is_a_fault_of_the_server(tmp_path: Path) -> None:
    attempts: list[Any] = []

    @settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
    @given(ATTEMPTS)
    def collect(attempt: Any) -> None:
        attempts.append(attempt)

    collect()

    async def send_all() -> None:
        async with serving(tmp_path, rate_limits="off") as server:
            for method, target, body, media_type, authorization in attempts:
                heard = await server.raw(
                    b"%s %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: %s\r\n"
                    b"authorization: %s\r\ncontent-length: %d\r\n\r\n%s"
                    % (method, target.encode(), media_type, authorization, len(body), body)
                )
                assert heard[:10] in (b"HTTP/1.1 2", b"HTTP/1.1 4"), (method, target, body, heard)

    trio.run(send_all)


# --- Who asks too often ---------------------------------------------------------------------------


async def test_an_address_that_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with serving(tmp_path, request_burst=3, requests_per_second=0.1) as server:
        for _ in range(3):
            await server.call("GET", "/api/restaurants/7/menu")
        response = await server.call("GET", "/api/restaurants/7/menu", status=429)
        assert response.json()["code"] == "rate_limited"
        assert 1 <= int(response.headers["retry-after"]) <= 10
        assert 0 < response.json()["retry_after"] <= 10
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
            await server.call("GET", path)


async def test_joins_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path, join_burst=2, joins_per_minute=6) as server:
        await server.join()
        await server.join()
        response = await server.call("POST", JOIN, status=429, json={"name": "Eve"})
        assert 1 <= int(response.headers["retry-after"]) <= 10
        await server.call("GET", "/api/restaurants/7/menu")


async def test_load_tests_can_turn_the_limits_off(tmp_path: Path) -> None:
    async with serving(tmp_path, rate_limits="off", join_burst=1, request_burst=1) as server:
        for _ in range(5):
            await server.join()


async def test_storage_that_does_not_answer_is_a_503_and_nothing_has_changed(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        ana = await server.join()
        with server.storage_held():
            response = await server.call("POST", JOIN, status=503, json={"name": "Ben"})
            assert response.json()["code"] == "storage_unavailable"
            assert int(response.headers["retry-after"]) >= 1
        assert [one["name"] for one in (await server.cart(ana))["members"]] == ["Ana"]
        await server.join(name="Ben")
