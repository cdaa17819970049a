"""What the staff may do: see orders, change the menu, close a table."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import trio

from comanda.actors.domain.order import Accepted, Rejected

from .server import (
    DIAVOLA,
    HOUSE_TOKEN,
    LEMONADE,
    MARGHERITA,
    ORDER_FIELDS,
    ORDER_LINE_FIELDS,
    Gate,
    Server,
    TestPos,
    serving,
    until,
)

TWO_RESTAURANTS = """
[[restaurants]]
id = 1
name = "One"
currency = "EUR"
staff_token_sha256 = "{one}"
tables = [{{ code = "one-1", label = "A" }}]
sections = [{{ name = "All", items = [{{ id = 1, name = "Soup", price = 4.50 }}] }}]

[[restaurants]]
id = 2
name = "Two"
currency = "JPY"
tables = [{{ code = "two-1", label = "B" }}]
sections = [{{ name = "All", items = [{{ id = 1, name = "Ramen", price = 900 }}] }}]
"""


def two_restaurants(folder: Path) -> Path:
    path = folder / "menu.toml"
    token_hash = hashlib.sha256(b"token-of-one").hexdigest().upper()
    path.write_text(TWO_RESTAURANTS.format(one=token_hash))
    return path


async def test_a_restaurants_token_opens_that_restaurant_and_no_other(tmp_path: Path) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        one, two = await server.join("one-1"), await server.join("two-1")
        own, change = "token-of-one", {"available": False}
        await server.call("GET", "/api/restaurants/1/orders", token=own)
        await server.call("PATCH", "/api/restaurants/1/menu/1", token=own, json=change)
        refused = server.refused
        await refused("forbidden", 403, "GET", "/api/restaurants/2/orders", token=own)
        await refused("forbidden", 403, "GET", "/api/restaurants/99/orders", token=own)
        path = "/api/restaurants/2/menu/1"
        await refused("forbidden", 403, "PATCH", path, token=own, json=change)
        await refused("forbidden", 403, "POST", f"/api/sessions/{two.pid}/close", token=own)
        await server.close_table(one, token=own)
        await server.cart(two)


async def test_the_houses_token_opens_every_restaurant(tmp_path: Path) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        for number in (1, 2):
            await server.call("GET", f"/api/restaurants/{number}/orders", token=HOUSE_TOKEN)
        path = "/api/restaurants/99/orders"
        await server.refused("not_found", 404, "GET", path, token=HOUSE_TOKEN)


async def test_the_hash_of_a_token_is_no_token(tmp_path: Path) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        token = hashlib.sha256(b"token-of-one").hexdigest()
        path = "/api/restaurants/1/orders"
        await server.refused("unauthorized", 401, "GET", path, token=token)


@pytest.mark.parametrize("given", [None, ""])
async def test_without_a_staff_token_nobody_is_staff(tmp_path: Path, given: str | None) -> None:
    async with serving(tmp_path, staff_token=given) as server:
        for token in (HOUSE_TOKEN, "None", "x"):
            path = "/api/restaurants/7/orders"
            await server.refused("unauthorized", 401, "GET", path, token=token)


async def test_the_staff_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("  in-a-file \n")
    async with serving(tmp_path, staff_token_file=file) as server:
        await server.call("GET", "/api/restaurants/7/orders", token="in-a-file")
        path = "/api/restaurants/7/orders"
        await server.refused("unauthorized", 401, "GET", path, token=HOUSE_TOKEN)


# --- Orders ---------------------------------------------------------------------------------------


async def test_the_staff_see_orders_in_any_state(tmp_path: Path) -> None:
    gate = Gate()
    pos = TestPos(
        Accepted("POS-A"), Rejected("closed", "The kitchen is closed", retryable=False), gate
    )
    async with serving(tmp_path, pos) as server:
        async with server.phone(await server.join("demo-1")) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_confirmed")
        async with server.phone(await server.join("demo-2")) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_failed")
        async with server.phone(await server.join("demo-3")) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing", stage="sent")
            listed = await _orders(server)
            gate.open(Accepted("POS-C"))
            await phone.until("order_confirmed")
        assert [(order["order_number"], order["state"]) for order in listed] == [
            (3, "sent"),
            (2, "rejected"),
            (1, "confirmed"),
        ]
        for order in listed:
            assert order.keys() >= ORDER_FIELDS
            assert order["lines"][0].keys() >= ORDER_LINE_FIELDS
        assert listed[1]["error"] == "The kitchen is closed"
        assert listed[1]["confirmed_at"] is None
        assert listed[0]["pos_reference"] is None
        assert [one["order_number"] for one in await _orders(server, "state=rejected")] == [2]
        both = await _orders(server, "state=rejected,confirmed")
        assert [one["order_number"] for one in both] == [3, 2, 1]
        assert await _orders(server, "state=needs_staff") == []


async def test_orders_are_paged_newest_first_without_a_gap_or_a_repetition(
    server: Server,
) -> None:
    async with server.phone(await server.join()) as phone:
        for _ in range(7):
            await phone.add(LEMONADE)
            await phone.order()
            await phone.until("order_confirmed")
    numbers: list[int] = []
    sizes: list[int] = []
    cursor = ""
    while True:
        path = f"/api/restaurants/7/orders?limit=3&state=confirmed&cursor={cursor}"
        page = (await server.call("GET", path, token=HOUSE_TOKEN)).json()
        numbers += [order["order_number"] for order in page["orders"]]
        sizes.append(len(page["orders"]))
        if page["next"] is None:
            break
        cursor = page["next"]
    assert numbers == [7, 6, 5, 4, 3, 2, 1]
    assert sizes == [3, 3, 1]


async def test_a_page_that_ends_with_the_last_order_has_no_next(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        for _ in range(2):
            await phone.add(LEMONADE)
            await phone.order()
            await phone.until("order_confirmed")
    path = "/api/restaurants/7/orders?limit=2"
    page = (await server.call("GET", path, token=HOUSE_TOKEN)).json()
    assert (len(page["orders"]), page["next"]) == (2, None)


async def _orders(server: Server, query: str = "") -> list[dict[str, Any]]:
    path = f"/api/restaurants/7/orders?{query}"
    response = await server.call("GET", path, token=HOUSE_TOKEN)
    orders: list[dict[str, Any]] = response.json()["orders"]
    return orders


# --- The menu -------------------------------------------------------------------------------------


async def test_a_changed_price_reaches_every_open_session_and_the_carts_that_it_touches(
    server: Server,
) -> None:
    ana, ben = await server.join("demo-1"), await server.join("demo-2", "Ben")
    async with server.phone(ana) as with_pizza, server.phone(ben) as without:
        await with_pizza.add(MARGHERITA, 2, public_id="pizza")
        await with_pizza.add(LEMONADE)
        await without.add(LEMONADE)
        assert await server.patch(MARGHERITA, price=640.0) == {
            "menu_item_id": MARGHERITA,
            "name": "Margherita",
            "description": "Tomato, fior di latte, basil",
            "price": 640.0,
            "available": True,
        }
        change = {"menu_item_id": MARGHERITA, "price": 640.0, "available": True}
        assert (await without.until("menu_updated"))["items"] == [change]
        while not with_pizza.of_type("menu_updated") or with_pizza.seq != 4:
            await with_pizza.next()  # the protocol does not say which of the two comes first
        [told] = with_pizza.of_type("menu_updated")
        assert told["items"] == [change]
        assert any('"price":640.00' in text for text in with_pizza.texts)
        [updated] = [one for one in with_pizza.of_type("cart_updated") if one["by_member"] is None]
        assert [item["public_id"] for item in updated["items"]] == ["pizza"]
        assert updated["items"][0]["unit_price"] == 640.0
        assert updated["total"] == 1460.0
        await without.hear_nothing()
        assert len(without.of_type("cart_updated")) == 1


async def test_what_is_sold_out_shows_in_the_cart_and_cannot_be_added_or_ordered(
    server: Server,
) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.add(MARGHERITA)
        await server.patch(MARGHERITA, available=False)
        updated = await phone.until("cart_updated", by_member=None)
        assert updated["items"][0]["available"] is False
        assert (await phone.order())["code"] == "item_unavailable"
        refused = await phone.do("add_item", menu_item_id=MARGHERITA, qty=1)
        assert refused["code"] == "item_unavailable"
        assert (await server.cart(ana))["cart_locked"] is False
        await server.patch(MARGHERITA, available=True)
        await phone.until("cart_updated", by_member=None)
        assert (await phone.order())["type"] == "ack"


async def test_both_members_of_a_change_may_come_together(server: Server) -> None:
    changed = await server.patch(DIAVOLA, available=False, price=0)
    assert (changed["available"], changed["price"]) == (False, 0)


async def test_a_price_is_rounded_to_minor_units(server: Server) -> None:
    for price, becomes in ((640.005, 640.01), (0.001, 0), (1e-30, 0), (5, 5)):
        assert (await server.patch(DIAVOLA, price=price))["price"] == becomes


async def test_an_unknown_item_or_restaurant_is_not_found(server: Server) -> None:
    for path in ("/api/restaurants/7/menu/1", "/api/restaurants/99/menu/456"):
        await server.refused(
            "not_found", 404, "PATCH", path, token=HOUSE_TOKEN, json={"available": True}
        )


async def test_an_order_keeps_the_price_at_which_it_was_placed(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add(MARGHERITA)
            await phone.order()
            await server.patch(MARGHERITA, price=999.0)
            await phone.until("menu_updated")
            assert (await server.cart(ana))["total"] == 625.0
            gate.open(Accepted("POS-1"))
            assert (await phone.until("order_confirmed"))["order"]["total"] == 625.0
            assert not [one for one in phone.of_type("cart_updated") if one["by_member"] is None]


async def test_a_change_during_an_order_reaches_the_lines_that_come_back(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        serving(tmp_path, TestPos(gate)) as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add(MARGHERITA)
        await phone.order()
        await server.patch(MARGHERITA, price=999.0)
        gate.open(Rejected("unavailable", "POS system unavailable", retryable=True))
        await phone.until("order_failed")
        assert (await phone.until("cart_updated"))["total"] == 999.0


async def test_changes_at_the_same_moment_are_all_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, rate_limits="off") as server:
        menu = (await server.call("GET", "/api/restaurants/7/menu")).json()
        ids = [item["menu_item_id"] for one in menu["sections"] for item in one["items"]]
        for price in (100, 200, 300):
            async with trio.open_nursery() as nursery:
                for number in ids:
                    nursery.start_soon(_set_price, server, number, price + number)
            menu = (await server.call("GET", "/api/restaurants/7/menu")).json()
            prices = {
                item["menu_item_id"]: item["price"]
                for section in menu["sections"]
                for item in section["items"]
            }
            assert prices == {number: price + number for number in ids}


async def _set_price(server: Server, menu_item_id: int, price: float) -> None:
    await server.patch(menu_item_id, price=price)


# --- Closing --------------------------------------------------------------------------------------


async def test_closing_a_table_says_good_bye_and_the_next_join_opens_another_session(
    server: Server,
) -> None:
    ana, ben = await server.join(name="Ana"), await server.join(name="Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens:
        await anas.add()
        await server.close_table(ana)
        for phone in (anas, bens):
            code, reason = await phone.closed()
            assert code == 4410
            assert reason
            assert re.search("closed", phone.heard[-1]["reason"])
            assert phone.heard[-1]["type"] == "session_closed"
    for member in (ana, ben):
        async with server.socket(member) as late:
            await late.say("join", token=member.token)
            assert (await late.closed())[0] == 4410
    cleo = await server.join(name="Cleo")
    assert cleo.pid != ana.pid
    assert (await server.cart(cleo))["items"] == []


async def test_closing_twice_is_closing_once(server: Server) -> None:
    ana = await server.join()
    await server.close_table(ana)
    await server.close_table(ana)
    ben = await server.join(name="Ben")
    await server.close_table(ana)
    await server.cart(ben)


async def test_a_table_closed_during_an_order_still_has_its_order_settled(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing")
            await server.close_table(ana)
            assert (await phone.closed())[0] == 4410
        gate.open(Accepted("POS-1"))
        ben = await server.join(name="Ben")

        async def confirmed() -> bool:
            return bool(await _orders(server, "state=confirmed"))

        await until(confirmed)
        assert (await server.cart(ben))["items"] == []
