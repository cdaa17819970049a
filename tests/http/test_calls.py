"""The calls of the protocol's HTTP table: who may ask, what comes back, in which shape."""

import re
from pathlib import Path

import trio

from comanda.actors.domain.order import Rejected

from .server import (
    CART_ITEM_FIELDS,
    DIAVOLA,
    MARGHERITA,
    ORDER_FIELDS,
    ORDER_LINE_FIELDS,
    SNAPSHOT_FIELDS,
    Server,
    TestPos,
    serving,
)

RFC3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


async def test_a_join_opens_the_tables_session_and_says_all_that_a_phone_needs(
    server: Server,
) -> None:
    answer = (await server.join("demo-3", "Ana")).answer
    assert answer.keys() >= {"session_pid", "member_id", "member_token"}
    assert answer["ws_url"] == f"ws://127.0.0.1:{server.port}/ws/sessions/{answer['session_pid']}"
    assert answer["restaurant"] == {
        "id": 7,
        "name": "Trattoria Comanda",
        "currency": "INR",
        "minor_digits": 2,
    }
    assert answer["table"] == {"code": "demo-3", "label": "T3"}
    assert answer["settings"] == {
        "order_timeout_seconds": 10,
        "reconnect_timeout_seconds": 5,
        "poll_interval_seconds": 2,
        "retry_limit": 3,
        "retry_delay_seconds": 2,
    }


async def test_a_second_join_sits_down_at_the_same_session_as_somebody_else(server: Server) -> None:
    ana, ben = await server.join(name="Ana"), await server.join(name="Ben")
    assert ana.pid == ben.pid
    assert ana.member_id != ben.member_id
    assert ana.token != ben.token
    assert (await server.join("demo-2")).pid != ana.pid


async def test_many_joins_at_once_open_one_session(server: Server) -> None:
    pids: set[str] = set()

    async def join(number: int) -> None:
        pids.add((await server.join(name=f"Guest {number}")).pid)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(join, number)
    assert len(pids) == 1


async def test_a_table_says_what_it_is_before_one_sits_down(server: Server) -> None:
    before = (await server.call("GET", "/api/tables/demo-1")).json()
    assert before["session_open"] is False
    assert before["label"] == "T1"
    await server.join()
    assert (await server.call("GET", "/api/tables/demo-1")).json()["session_open"] is True


async def test_names_of_one_to_forty_code_points_are_taken(server: Server) -> None:
    for name in ("A", "x" * 40, "Zoë", "安娜", "👩‍👩‍👧", "O'Neil; DROP TABLE"):
        ana = await server.join(name=name)
        assert (await server.cart(ana))["members"][-1]["name"] == name


async def test_names_of_other_lengths_are_bad_messages(server: Server) -> None:
    for name in ("", "   ", "x" * 41, "👍" * 41, "\n\t"):
        await server.refused(
            "bad_message", 400, "POST", "/api/tables/demo-1/join", json={"name": name}
        )


async def test_a_table_that_is_full_is_a_conflict_and_no_fault_of_the_server(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, rate_limits="off") as server:
        for number in range(64):
            await server.join(name=f"Guest {number}")
        problem = await server.refused(
            "conflict", 409, "POST", "/api/tables/demo-1/join", json={"name": "Late"}
        )
        assert "64" in problem["detail"]


async def test_unknown_members_of_a_body_are_ignored(server: Server) -> None:
    body = {"name": "Ana", "colour": "blue", "nested": {"deep": [1, 2]}}
    await server.call("POST", "/api/tables/demo-1/join", status=201, json=body)


async def test_an_empty_cart_has_the_protocols_fields(server: Server) -> None:
    ana = await server.join()
    cart = await server.cart(ana)
    assert cart.keys() >= SNAPSHOT_FIELDS
    assert RFC3339_UTC.fullmatch(cart.pop("last_updated"))
    assert cart == {
        "type": "cart_snapshot",
        "session_pid": ana.pid,
        "seq": 1,
        "items": [],
        "total": 0,
        "currency": "INR",
        "cart_locked": False,
        "locked_by_member": None,
        "locked_by_name": None,
        "pending_order_id": None,
        "order_processing_status": "idle",
        "pending_order": None,
        "orders_in_doubt": [],
        "last_order": None,
        "members": [{"member_id": ana.member_id, "name": "Ana", "online": False}],
        "join_pin": None,
    }


async def test_money_goes_over_the_wire_as_a_number_with_its_decimals(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.add(MARGHERITA, 2, note="Extra spicy", public_id="line-1")
        text = (await server.call("GET", f"/api/sessions/{ana.pid}/cart", token=ana.token)).text
        assert '"unit_price":625.00,' in text
        assert '"total":1250.00,' in text
        [item] = (await server.cart(ana))["items"]
        assert item.keys() >= CART_ITEM_FIELDS
        assert item == {
            "public_id": "line-1",
            "menu_item_id": MARGHERITA,
            "name": "Margherita",
            "unit_price": 625.0,
            "qty": 2,
            "note": "Extra spicy",
            "state": "pending",
            "available": True,
            "added_by": ana.member_id,
        }
        assert '"total":1250.00,' in phone.texts[-2]


async def test_the_cart_is_the_same_over_http_and_over_the_websocket(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.add(DIAVOLA)
        async with server.phone(ana) as second:
            assert second.heard[0] == await server.cart(ana)


async def test_a_sessions_orders_are_the_confirmed_ones_newest_first(
    server: Server, pos: TestPos
) -> None:
    ana = await server.join()
    path = f"/api/sessions/{ana.pid}/orders"
    assert (await server.call("GET", path, token=ana.token)).json() == {"orders": [], "next": None}
    async with server.phone(ana) as phone:
        for number in range(3):
            await phone.add(MARGHERITA, number + 1, note=f"round {number}")
            await phone.order(special_instructions="Table by the window")
            await phone.until("order_confirmed")
        listed = (await server.call("GET", path, token=ana.token)).json()["orders"]
    assert [order["order_number"] for order in listed] == [3, 2, 1]
    newest = listed[0]
    assert newest.keys() >= ORDER_FIELDS
    assert newest["lines"][0].keys() >= ORDER_LINE_FIELDS
    assert newest["order_id"] == "ORD-7-3"
    assert newest["state"] == "confirmed"
    assert newest["total"] == 1875.0
    assert newest["table"] == "T1"
    assert newest["placed_by"] == ana.member_id
    assert newest["special_instructions"] == "Table by the window"
    assert newest["pos_reference"] == "POS-3"
    assert RFC3339_UTC.fullmatch(newest["placed_at"])
    assert RFC3339_UTC.fullmatch(newest["confirmed_at"])


async def test_a_failed_order_is_no_part_of_the_history(tmp_path: Path) -> None:
    pos = TestPos(Rejected("unavailable", "POS system unavailable", retryable=True))
    async with serving(tmp_path, pos) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_failed")
        path = f"/api/sessions/{ana.pid}/orders"
        assert (await server.call("GET", path, token=ana.token)).json()["orders"] == []


async def test_the_menu_is_sections_of_items_with_prices_as_numbers(server: Server) -> None:
    response = await server.call("GET", "/api/restaurants/7/menu")
    assert '"price":625.00,' in response.text
    menu = response.json()
    assert menu["restaurant_id"] == 7
    assert [section["name"] for section in menu["sections"]][:2] == ["To start", "Pizza"]
    assert menu["sections"][1]["items"][0] == {
        "menu_item_id": MARGHERITA,
        "name": "Margherita",
        "description": "Tomato, fior di latte, basil",
        "price": 625.0,
        "available": True,
    }


async def test_an_unchanged_menu_is_not_sent_again(server: Server) -> None:
    first = await server.call("GET", "/api/restaurants/7/menu")
    for form in ("{0}", "W/{0}", '"other", {0}', "*"):
        known = {"If-None-Match": form.format(first.headers["etag"])}
        second = await server.call("GET", "/api/restaurants/7/menu", status=304, headers=known)
        assert second.headers["etag"] == first.headers["etag"]


async def test_a_changed_menu_has_another_etag(server: Server) -> None:
    first = await server.call("GET", "/api/restaurants/7/menu")
    await server.patch(MARGHERITA, price=640.0)
    known = {"If-None-Match": first.headers["etag"]}
    second = await server.call("GET", "/api/restaurants/7/menu", headers=known)
    assert second.headers["etag"] != first.headers["etag"]
    await server.patch(MARGHERITA, price=625.0)
    await server.call("GET", "/api/restaurants/7/menu", status=304, headers=known)


async def test_garbage_in_if_none_match_gets_the_menu(server: Server) -> None:
    for garbage in ("", '"', "\\", '"unfinished', "W/", "," * 500):
        await server.call("GET", "/api/restaurants/7/menu", headers={"If-None-Match": garbage})


async def test_the_operators_calls_answer(server: Server) -> None:
    assert (await server.call("GET", "/healthz")).json()["status"] == "alive"
    assert (await server.call("GET", "/readyz")).json()["status"] == "ready"


async def test_the_metrics_count_what_happens(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.add()
        await phone.do("remove_item", public_id="none-such")
        await server.refused("not_found", 404, "GET", "/api/restaurants/99/menu")
        too_long = {"content-type": "application/json"}
        await server.refused(
            "payload_too_large",
            413,
            "POST",
            "/api/tables/demo-1/join",
            content=b" " * 65_537,
            headers=too_long,
        )
        response = await server.call("GET", "/metrics")
    lines = response.text.splitlines()
    for expected in (
        "comanda_sessions_live 1.0",
        "comanda_joins_total 1.0",
        "comanda_connections_total 1.0",
        'comanda_commands_total{result="accepted",type="add_item"} 1.0',
        'comanda_commands_total{result="item_not_found",type="remove_item"} 1.0',
        'comanda_http_requests_total{route="/api/tables/<table_code>/join",status="201"} 1.0',
        'comanda_http_requests_total{route="/api/tables/<table_code>/join",status="413"} 1.0',
        'comanda_http_requests_total{route="/api/restaurants/<int:restaurant_id>/menu",'
        'status="404"} 1.0',
    ):
        assert expected in lines
    assert response.headers["content-type"].startswith("text/plain; version=")


async def test_head_answers_as_get_without_the_body(server: Server) -> None:
    got = await server.call("GET", "/api/restaurants/7/menu")
    head = await server.call("HEAD", "/api/restaurants/7/menu")
    assert head.content == b""
    for name in ("etag", "content-length", "content-type"):
        assert head.headers[name] == got.headers[name]


async def test_an_answer_without_a_body_names_no_type_of_one(server: Server) -> None:
    ana = await server.join()
    request = (
        f"POST /api/sessions/{ana.pid}/close HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        "authorization: Bearer the-house-token\r\n\r\n"
    )
    heard = (await server.raw(request.encode())).decode().lower()
    assert heard.startswith("http/1.1 204")
    assert "\r\ncontent-type" not in heard
    assert "\r\ncontent-length" not in heard


async def test_answers_are_not_to_be_sniffed_or_kept(server: Server) -> None:
    ana = await server.join()
    path = f"/api/sessions/{ana.pid}/cart"
    headers = (await server.call("GET", path, token=ana.token)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


async def test_a_public_url_is_what_phones_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path, public_url="HTTPS://Eat.Example:443/") as server:
        ana = await server.join()
        assert ana.ws_url == f"wss://eat.example/ws/sessions/{ana.pid}"
        assert server.running.url == "https://eat.example"
