"""The HTTP calls: what is sent, and what becomes of answers good and bad."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest
import trio
from trio.testing import MockClock

from comanda.client import Api, ApiError, ClientLimits, StaffClient, Surroundings

MENU = {
    "restaurant_id": 7,
    "sections": [
        {
            "name": "Pizza",
            "items": [
                {
                    "menu_item_id": 456,
                    "name": "Margherita",
                    "description": "",
                    "price": 625.00,
                    "available": True,
                    "of_a_newer_server": 1,
                }
            ],
        }
    ],
}


class Calls:
    """Keeps the requests and answers each with `answer`."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(204)

    def surroundings(self) -> Surroundings:
        def handle(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            return self.answer(request)

        return Surroundings(http_transport=httpx.MockTransport(handle))

    @property
    def said(self) -> list[tuple[str, str, object]]:
        """Method, path with query, body of every request."""
        return [
            (
                request.method,
                request.url.raw_path.decode(),
                msgspec.json.decode(request.content) if request.content else None,
            )
            for request in self.requests
        ]


@asynccontextmanager
async def an_api(calls: Calls, limits: ClientLimits | None = None) -> AsyncIterator[Api]:
    with trio.fail_after(60):
        surroundings = calls.surroundings()
        async with Api("http://comanda.test", "t", limits=limits, surroundings=surroundings) as api:
            yield api


async def test_every_call_carries_the_token() -> None:
    calls = Calls()
    calls.answer = lambda _: httpx.Response(200, json={"orders": [], "next": None})
    async with an_api(calls) as api:
        assert (await api.orders("session_1")).orders == ()
    assert calls.requests[0].headers["authorization"] == "Bearer t"


async def test_an_unchanged_menu_costs_no_body() -> None:
    calls = Calls()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"one"':
            return httpx.Response(304)
        return httpx.Response(200, json=MENU, headers={"etag": '"one"'})

    calls.answer = answer
    async with an_api(calls) as api:
        first = await api.menu(7)
        second = await api.menu(7)
    assert second is first
    assert [item.name for item in first.items] == ["Margherita"]
    assert len(calls.requests) == 2


async def test_a_problem_becomes_an_error_with_code_sentence_and_wait() -> None:
    calls = Calls()
    problem = {
        "title": "Rate limited",
        "status": 429,
        "code": "rate_limited",
        "detail": "Slow down",
    }
    calls.answer = lambda _: httpx.Response(429, json=problem, headers={"retry-after": "3"})
    async with an_api(calls) as api:
        with pytest.raises(ApiError, match="Slow down") as refused:
            await api.cart("session_1")
    error = refused.value
    assert (error.status, error.code, error.retry_after) == (429, "rate_limited", 3.0)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b""])
async def test_an_error_that_is_no_problem_is_one_all_the_same(body: bytes) -> None:
    calls = Calls()
    calls.answer = lambda _: httpx.Response(502, content=body, headers={"retry-after": "soon"})
    async with an_api(calls) as api:
        with pytest.raises(ApiError) as refused:
            await api.cart("session_1")
    assert (refused.value.status, refused.value.retry_after) == (502, None)


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense"])
async def test_a_success_that_is_no_answer_is_an_error(body: bytes) -> None:
    calls = Calls()
    calls.answer = lambda _: httpx.Response(200, content=body)
    async with an_api(calls) as api:
        with pytest.raises(ApiError) as refused:
            await api.cart("session_1")
    assert refused.value.code == "bad_answer"


async def test_an_answer_beyond_the_limit_is_refused() -> None:
    calls = Calls()
    calls.answer = lambda _: httpx.Response(200, content=b"x" * 1001)
    async with an_api(calls, ClientLimits(max_http_bytes=1000)) as api:
        with pytest.raises(ApiError) as refused:
            await api.cart("session_1")
    assert refused.value.code == "answer_too_large"


async def test_a_server_that_does_not_answer_is_given_up(autojump_clock: MockClock) -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await trio.sleep_forever()
        raise AssertionError

    surroundings = Surroundings(http_transport=httpx.MockTransport(never))
    with trio.fail_after(60):
        async with Api("http://comanda.test", surroundings=surroundings) as api:
            with pytest.raises(trio.TooSlowError):
                await api.cart("session_1")


async def test_a_table_code_is_one_part_of_the_path_whatever_is_in_it() -> None:
    calls = Calls()
    calls.answer = lambda _: httpx.Response(404, json={"code": "not_found", "detail": "No table"})
    async with an_api(calls) as api:
        with pytest.raises(ApiError):
            await api.join("a/b?c", "Ana")
    assert calls.said == [("POST", "/api/tables/a%2Fb%3Fc/join", {"name": "Ana"})]


async def test_a_pin_goes_with_the_join_and_a_table_that_asks_for_one_says_so() -> None:
    calls = Calls()
    refusal = {"code": "pin_required", "detail": "Ask them"}
    calls.answer = lambda _: httpx.Response(403, json=refusal)
    async with an_api(calls) as api:
        for pin in (None, "0482"):
            with pytest.raises(ApiError) as refused:
                await api.join("demo-1", "Ana", pin)
            assert (refused.value.code, refused.value.message) == ("pin_required", "Ask them")
    path = "/api/tables/demo-1/join"
    assert calls.said == [
        ("POST", path, {"name": "Ana"}),
        ("POST", path, {"name": "Ana", "pin": "0482"}),
    ]


async def test_the_staff_have_guests_forgotten_by_the_sessions_id() -> None:
    calls = Calls()
    with trio.fail_after(60):
        async with StaffClient(
            "http://comanda.test", "t", surroundings=calls.surroundings()
        ) as staff:
            await staff.forget_session("a/b")
    assert calls.said == [("POST", "/api/sessions/a%2Fb/forget", None)]


AN_ORDER = {
    "order_id": "ORD-7-1",
    "restaurant_id": 7,
    "order_number": 1,
    "session_pid": "session_1",
    "table": "T1",
    "state": "rejected",
    "placed_by": "member_1",
    "placed_by_name": "Ana",
    "placed_at": "2024-01-15T10:30:00Z",
    "confirmed_at": None,
    "lines": [],
    "total": 0,
    "currency": "INR",
    "special_instructions": "",
    "pos_reference": None,
    "error": "The staff have cancelled this order",
    "settled_at": "2024-01-15T10:34:00Z",
    "decided_by": "the house's staff",
    "decided_reason": "Nobody has it",
    "heard_by": None,
    "incidents": [],
}


async def test_the_staff_see_restaurants_tables_and_qr_codes() -> None:
    calls = Calls()
    restaurant = {"id": 7, "name": "Trattoria", "currency": "INR", "minor_digits": 2}
    code = {"code": "demo-1", "label": "T1", "link": "http://10.0.0.5/t/demo-1", "svg": "<svg/>"}
    answers: dict[str, dict[str, object]] = {
        "/api/restaurants": {"restaurants": [restaurant]},
        "/api/restaurants/7/tables": {
            "restaurant_id": 7,
            "tables": [{"code": "demo-1", "label": "T1", "party": None}],
        },
        "/api/restaurants/7/qr-codes": {
            "address": "http://10.0.0.5",
            "addresses": ["http://10.0.0.5"],
            "reachable": True,
            "codes": [code],
        },
    }
    calls.answer = lambda request: httpx.Response(200, json=answers[request.url.path])
    with trio.fail_after(10):
        async with StaffClient(
            "http://comanda.test", "staff", surroundings=calls.surroundings()
        ) as staff:
            assert [one.name for one in await staff.list_restaurants()] == ["Trattoria"]
            assert [one.label for one in (await staff.list_tables(7)).tables] == ["T1"]
            assert (await staff.fetch_qr_codes(7)).codes[0].link == "http://10.0.0.5/t/demo-1"
            assert (await staff.fetch_qr_codes(7, "http://10.0.0.5")).reachable
    assert [path for _, path, _ in calls.said] == [
        "/api/restaurants",
        "/api/restaurants/7/tables",
        "/api/restaurants/7/qr-codes",
        "/api/restaurants/7/qr-codes?address=http%3A%2F%2F10.0.0.5",
    ]
    assert {one.headers["authorization"] for one in calls.requests} == {"Bearer staff"}


async def test_the_staffs_calls_are_the_protocols() -> None:
    calls = Calls()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"orders": [], "next": "more"})
        if request.method == "PATCH":
            return httpx.Response(200, json={"whatever": 1})
        if request.url.path.endswith("/resolve"):
            return httpx.Response(200, json=AN_ORDER)
        return httpx.Response(204)

    calls.answer = answer
    with trio.fail_after(10):
        async with StaffClient(
            "http://comanda.test", "staff", surroundings=calls.surroundings()
        ) as staff:
            await staff.close_session("session_1")
            page = await staff.list_orders(7, states=["needs_staff"], cursor="here", limit=5)
            await staff.list_orders(7)
            await staff.list_orders(7, with_incidents=True)
            await staff.patch_menu_item(7, 456, available=False, price=640.0)
            await staff.patch_menu_item(7, 456, available=True)
            settled = await staff.resolve_order("ORD-7-1", "rejected", reason="Nobody has it")
    assert (settled.state, settled.decided_reason) == ("rejected", "Nobody has it")
    assert page.next == "more"
    assert calls.said == [
        ("POST", "/api/sessions/session_1/close", None),
        ("GET", "/api/restaurants/7/orders?state=needs_staff&cursor=here&limit=5", None),
        ("GET", "/api/restaurants/7/orders", None),
        ("GET", "/api/restaurants/7/orders?incidents=standing", None),
        ("PATCH", "/api/restaurants/7/menu/456", {"available": False, "price": 640.0}),
        ("PATCH", "/api/restaurants/7/menu/456", {"available": True}),
        (
            "POST",
            "/api/orders/ORD-7-1/resolve",
            {"outcome": "rejected", "reason": "Nobody has it", "pos_reference": None},
        ),
    ]
