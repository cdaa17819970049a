"""The same database under a second server: what was acknowledged is there, and nothing is done twice."""

from pathlib import Path
from typing import Any

import trio

from comanda.actors.domain.order import Accepted, Order, PosOutcome, Unknown

from .server import LEMONADE, MARGHERITA, Gate, Phone, Server, TestPos, serving


async def test_tokens_hold_and_the_cart_is_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana) as phone:
            await phone.add(MARGHERITA, 2, note="Extra spicy")
        before = await server.cart(ana)
    async with serving(tmp_path) as server:
        assert await server.cart(ana) == before
        async with server.phone(ben) as phone:
            assert phone.heard[0]["items"] == before["items"]
            await phone.add(LEMONADE)
            assert phone.seq == before["seq"] + 1
        cleo = await server.join(name="Cleo")
        assert cleo.pid == ana.pid


async def test_a_request_id_gets_the_same_reply_from_the_next_server(tmp_path: Path) -> None:
    command: dict[str, Any] = {
        "type": "add_item",
        "menu_item_id": LEMONADE,
        "qty": 1,
        "request_id": "once",
    }
    async with serving(tmp_path) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            first = await phone.do(**command)
            await phone.add()
    async with serving(tmp_path) as server, server.phone(ana) as phone:
        assert await phone.do(**command) == first
        changed = {**command, "qty": 2}
        assert (await phone.do(**changed))["code"] == "request_id_reused"
        assert len(phone.cart) == 2


async def test_a_closed_session_stays_closed(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ana = await server.join()
        await server.close_table(ana)
    async with serving(tmp_path) as server:
        path = f"/api/sessions/{ana.pid}/cart"
        await server.refused("unauthorized", 401, "GET", path, token=ana.token)
        async with server.socket(ana) as phone:
            await phone.say("join", token=ana.token)
            assert (await phone.closed())[0] == 4410
        assert (await server.join()).pid != ana.pid


async def test_an_order_in_flight_is_settled_by_the_next_server_without_anybody_there(
    tmp_path: Path,
) -> None:
    gone = TestPos(Gate())
    async with serving(tmp_path, gone) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing", stage="sent")
            await gone.wait_called()
            server.shutdown.set()
            assert (await phone.closed())[0] == 1012
    pos = TestPos()
    pos.found = Unknown("nobody knows")
    async with serving(tmp_path, pos) as server:
        await pos.wait_called()
        async with server.phone(ana) as phone:
            if phone.heard[0]["cart_locked"]:
                assert phone.heard[0]["pending_order"]["stage"] == "unknown"
                await phone.until("order_confirmed")
        cart = await server.cart(ana)
        assert (cart["items"], cart["order_processing_status"]) == ([], "confirmed")
    [before], [after] = gone.submitted, pos.submitted
    assert (before.order_id, before.payload) == (after.order_id, after.payload)


async def test_an_order_that_the_pos_had_taken_is_found_and_not_sent_again(tmp_path: Path) -> None:
    async with serving(tmp_path, TestPos(Gate())) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing", stage="sent")
    pos = TestPos()
    pos.found = Accepted("POS-7")
    async with serving(tmp_path, pos) as server:
        async with server.phone(ana) as phone:
            if phone.heard[0]["cart_locked"]:
                await phone.until("order_confirmed")
        path = f"/api/sessions/{ana.pid}/orders"
        [order] = (await server.call("GET", path, token=ana.token)).json()["orders"]
        assert order["pos_reference"] == "POS-7"
    assert pos.submitted == []


async def test_a_lock_limit_that_passed_while_no_server_ran_opens_the_cart(tmp_path: Path) -> None:
    times = {"pos_timeout": 0.5, "lock_limit": 0.6}
    async with serving(tmp_path, TestPos(Gate()), **times) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing")

    class Silent(TestPos):
        async def submit(self, order: Order) -> PosOutcome:
            await trio.sleep_forever()
            raise AssertionError

        async def look_up(self, order: Order) -> PosOutcome | None:
            await trio.sleep_forever()
            raise AssertionError

    async with serving(tmp_path, Silent(), **times) as server, server.phone(ana) as phone:
        if phone.heard[0]["cart_locked"]:
            await phone.until("cart_unlocked")
        cart = await server.cart(ana)
        assert (cart["cart_locked"], cart["items"]) == (False, [])
        assert [doubt["order_id"] for doubt in cart["orders_in_doubt"]] == ["ORD-7-1"]


async def test_another_key_ends_all_tokens(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        ana = await server.join()
    (tmp_path / "comanda.key").unlink()
    async with serving(tmp_path) as server:
        path = f"/api/sessions/{ana.pid}/cart"
        await server.refused("unauthorized", 401, "GET", path, token=ana.token)
        async with server.socket(ana) as phone:
            await phone.say("join", token=ana.token)
            assert (await phone.closed())[0] == 4401


async def test_commands_acknowledged_before_the_end_are_there_after_it(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    async with serving(tmp_path) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await _add_until_cut(server, phone, acknowledged)
    async with serving(tmp_path) as server:
        there = [item["public_id"] for item in (await server.cart(ana))["items"]]
    assert acknowledged
    assert acknowledged <= set(there)
    assert len(there) == len(set(there))


async def _add_until_cut(server: Server, phone: Phone, acknowledged: set[str]) -> None:
    for number in range(20):
        name = f"line-{number}"
        await phone.say("add_item", menu_item_id=LEMONADE, qty=1, public_id=name, request_id=name)
    acknowledged.add((await phone.until("ack"))["request_id"])
    server.shutdown.set()
    await phone.closed()
    acknowledged.update(ack["request_id"] for ack in phone.of_type("ack"))
