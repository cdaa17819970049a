"""An order over the wire, from the lock to its outcome, with a POS that does as it is told."""

from pathlib import Path
from typing import Any

import trio

from comanda.actors.domain.order import Accepted, NotSent, Pending, Rejected, Unknown

from .server import (
    HOUSE_TOKEN,
    LEMONADE,
    MARGHERITA,
    ORDER_FIELDS,
    ORDER_LINE_FIELDS,
    Gate,
    Phone,
    Server,
    TestPos,
    serving,
)

UNAVAILABLE = Rejected("unavailable", "POS system unavailable", retryable=True)


def without_times(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in ("timestamp", "lock_ends_at")}


async def test_an_order_that_is_accepted_is_told_step_by_step_to_everybody(
    server: Server, pos: TestPos
) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens:
        await bens.add(MARGHERITA, 2, note="Extra spicy", public_id="a")
        await anas.until("cart_updated")
        assert await anas.order(request_id="o", special_instructions="By the window") == {
            "type": "ack",
            "request_id": "o",
            "seq": 4,
        }
        await anas.until("order_confirmed")
        await bens.until("order_confirmed")
        kinds = ("cart_locked", "order_processing", "order_confirmed")
        told = [frame for frame in bens.heard if frame["type"] in kinds]
        assert told == [frame for frame in anas.heard if frame["type"] in kinds]
        locked, processing, confirmed = told
        assert without_times(locked) == {
            "type": "cart_locked",
            "seq": 4,
            "locked_by_member": ana.member_id,
            "locked_by": ana.member_id,
            "locked_by_name": "Ana",
            "order_id": "ORD-7-1",
            "message": "Order is being processed...",
        }
        assert without_times(processing) == {
            "type": "order_processing",
            "seq": 5,
            "order_id": "ORD-7-1",
            "stage": "sent",
            "attempt": 1,
            "message": "Your order is being processed...",
        }
        assert processing["lock_ends_at"].endswith("Z")
        assert (confirmed["seq"], confirmed["order_id"]) == (6, "ORD-7-1")
        assert confirmed["message"] == "Order placed successfully!"
        order = confirmed["order"]
        assert order.keys() >= ORDER_FIELDS
        assert order["lines"][0].keys() >= ORDER_LINE_FIELDS
        assert order["lines"] == [
            {
                "public_id": "a",
                "menu_item_id": MARGHERITA,
                "name": "Margherita",
                "qty": 2,
                "unit_price": 625.0,
                "line_total": 1250.0,
                "note": "Extra spicy",
                "added_by": "Ben",
            }
        ]
        assert (order["total"], order["pos_reference"]) == (1250.0, "POS-1")
        cart = await server.cart(ana)
        assert (cart["items"], cart["cart_locked"]) == ([], False)
        assert cart["order_processing_status"] == "confirmed"
        assert cart["last_order"] == {
            "order_id": "ORD-7-1",
            "status": "confirmed",
            "error": None,
            "allow_retry": False,
            "placed_by": ana.member_id,
            "tries": 0,
            "special_instructions": "By the window",
        }
        await bens.add(LEMONADE)
        assert (await server.cart(ana))["order_processing_status"] == "idle"
        assert (await server.cart(ana))["last_order"] is None
    [sent] = pos.submitted
    assert sent.special_instructions == "By the window"


async def test_the_snapshot_of_a_locked_cart_restores_a_refreshed_page(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana) as phone:
            await phone.add(public_id="a")
            await phone.order()
            await phone.until("order_processing")
        async with server.phone(ben) as phone:
            snapshot = phone.heard[0]
            assert snapshot["cart_locked"] is True
            assert snapshot["locked_by_member"] == ana.member_id
            assert snapshot["locked_by_name"] == "Ana"
            assert snapshot["pending_order_id"] == "ORD-7-1"
            assert snapshot["order_processing_status"] == "processing"
            assert snapshot["items"][0]["state"] == "locked"
            pending = snapshot["pending_order"]
            assert pending["placed_at"] < pending["lock_ends_at"]
            assert (pending["order_id"], pending["stage"]) == ("ORD-7-1", "sent")
            assert (pending["attempt"], pending["placed_by"]) == (1, ana.member_id)
            gate.open(Accepted("POS-1"))
            await phone.until("order_confirmed")
        async with server.phone(ana) as phone:
            assert phone.heard[0]["order_processing_status"] == "confirmed"


async def test_an_order_that_fails_gives_the_cart_back_and_may_be_tried_again(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, TestPos(UNAVAILABLE, UNAVAILABLE)) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana) as phone, server.phone(ben) as bens:
            await phone.add(public_id="a")
            for tries in (1, 2):
                await phone.order(special_instructions="By the window")
                failed = await phone.until("order_failed")
                assert without_times(failed) == {
                    "type": "order_failed",
                    "seq": failed["seq"],
                    "order_id": f"ORD-7-{tries}",
                    "error": "POS system unavailable",
                    "message": "Order failed. Please try again.",
                    "allow_retry": True,
                    "special_instructions": "By the window",
                }
                cart = await server.cart(ana)
                assert cart["order_processing_status"] == "failed"
                assert (cart["cart_locked"], cart["items"][0]["state"]) == (False, "pending")
                assert cart["last_order"] == {
                    "order_id": f"ORD-7-{tries}",
                    "status": "failed",
                    "error": "POS system unavailable",
                    "allow_retry": True,
                    "placed_by": ana.member_id,
                    "tries": tries,
                    "special_instructions": "By the window",
                }
            await phone.order()
            await phone.until("order_confirmed")
            await bens.until("order_confirmed")
            assert bens.cart == {}


async def test_an_order_refused_for_good_does_not_ask_for_another_try(tmp_path: Path) -> None:
    pos = TestPos(Rejected("closed", "The kitchen is closed", retryable=False), NotSent("no way"))
    async with serving(tmp_path, pos) as server, server.phone(await server.join()) as phone:
        await phone.add()
        await phone.order()
        failed = await phone.until("order_failed")
        assert (failed["error"], failed["allow_retry"]) == ("The kitchen is closed", False)
        await phone.order()
        assert (await phone.until("order_failed"))["allow_retry"] is True


async def test_no_answer_is_no_failure_and_a_member_may_ask_for_the_outcome_now(
    tmp_path: Path,
) -> None:
    pos = TestPos(Gate())
    async with serving(tmp_path, pos, pos_timeout=0.1) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana) as phone, server.phone(ben) as bens:
            await phone.add()
            await phone.order()
            await phone.until("order_processing", stage="unknown", attempt=1)
            cart = await server.cart(ana)
            assert (cart["cart_locked"], cart["pending_order"]["stage"]) == (True, "unknown")
            await bens.until("order_processing", stage="unknown")
            assert (await bens.do("resolve_now"))["type"] == "ack"
            again = await bens.until("order_processing")
            assert again["attempt"] == 2
            await phone.until("order_confirmed")
        assert pos.looked_up == ["ORD-7-1"]
        assert {order.order_id for order in pos.submitted} == {"ORD-7-1"}
        assert len({order.payload for order in pos.submitted}) == 1


async def test_an_unknown_order_is_settled_without_anybody_asking(tmp_path: Path) -> None:
    pos = TestPos(Unknown("the answer was lost"))
    async with serving(tmp_path, pos) as server:
        async with server.phone(await server.join()) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing", stage="unknown")
            pos.found = Accepted("POS-9")
            confirmed = await phone.until("order_confirmed")
            assert confirmed["order"]["pos_reference"] == "POS-9"
        assert len(pos.submitted) == 1


async def test_a_pos_that_wants_time_is_told_as_pending(tmp_path: Path) -> None:
    pos = TestPos(Pending("POS-1", None))
    async with serving(tmp_path, pos) as server, server.phone(await server.join()) as phone:
        await phone.add()
        await phone.order()
        await phone.until("order_processing", stage="pending")
        pos.found = UNAVAILABLE
        await phone.do("resolve_now")
        assert (await phone.until("order_failed"))["allow_retry"] is True
        assert [item["state"] for item in phone.cart.values()] == ["pending"]


async def test_resolve_now_is_heeded_once_in_two_seconds_and_joins_a_call_that_runs(
    tmp_path: Path,
) -> None:
    gate = Gate()
    pos = TestPos(gate)
    async with serving(tmp_path, pos) as server:
        async with server.phone(await server.join()) as phone:
            await phone.add()
            await phone.order()
            await phone.until("order_processing")
            assert (await phone.do("resolve_now"))["type"] == "ack"
            refused = await phone.do("resolve_now")
            assert refused["code"] == "rate_limited"
            assert 0 < refused["retry_after"] <= 2
            gate.open(Accepted("POS-1"))
            await phone.until("order_confirmed")
        assert len(pos.submitted) == 1


async def test_resolve_now_with_nothing_in_doubt_brings_a_fresh_snapshot(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        await phone.add()
        assert (await phone.do("resolve_now"))["type"] == "ack"
        assert (await phone.next())["type"] == "cart_snapshot"
        await phone.say("resolve_now")
        assert (await phone.next())["type"] == "cart_snapshot"


async def test_at_the_lock_limit_the_cart_opens_and_the_staff_have_the_order(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate), pos_timeout=0.5, lock_limit=0.6) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add(public_id="a")
            await phone.order()
            staff = await phone.until("order_processing", stage="needs_staff")
            unlocked = await phone.until("cart_unlocked")
            assert unlocked["seq"] == staff["seq"] + 1
            assert unlocked["order_id"] == "ORD-7-1"
            cart = await server.cart(ana)
            assert cart["items"] == []
            assert (cart["cart_locked"], cart["pending_order"]) == (False, None)
            assert cart["order_processing_status"] == "idle"
            [doubt] = cart["orders_in_doubt"]
            assert (doubt["order_id"], doubt["stage"]) == ("ORD-7-1", "needs_staff")
            assert doubt["lines"][0].keys() >= ORDER_LINE_FIELDS
            path = "/api/restaurants/7/orders?state=needs_staff"
            listed = (await server.call("GET", path, token=HOUSE_TOKEN)).json()["orders"]
            assert [order["order_id"] for order in listed] == ["ORD-7-1"]
            await phone.add(LEMONADE, public_id="b")
            assert (await phone.order())["type"] == "ack"
            confirmed = await phone.until("order_confirmed")
            assert confirmed["order_id"] == "ORD-7-2"


async def test_the_member_who_ordered_may_leave(tmp_path: Path) -> None:
    gate = Gate()
    pos = TestPos(gate)
    async with serving(tmp_path, pos) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ben) as bens:
            async with server.phone(ana) as anas:
                await anas.add()
                await anas.say("place_order", **anas.what_it_sees())
                await pos.wait_called()
            gate.open(Accepted("POS-1"))
            await bens.until("order_confirmed")


async def test_an_order_is_settled_though_everybody_has_left(tmp_path: Path) -> None:
    gate = Gate()
    pos = TestPos(gate)
    async with serving(tmp_path, pos) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add()
            await phone.order()
            await pos.wait_called()
        gate.open(Accepted("POS-1"))
        async with server.phone(ana) as phone:
            if phone.heard[0]["cart_locked"]:
                await phone.until("order_confirmed")
        assert (await server.cart(ana))["last_order"]["status"] == "confirmed"


async def test_a_pos_that_raises_leaves_the_order_in_doubt_and_nobody_else_hears(
    tmp_path: Path,
) -> None:
    class Broken(TestPos):
        async def submit(self, order: object) -> Any:
            raise RuntimeError("the adapter is broken")

    async with serving(tmp_path, Broken()) as server, server.phone(await server.join()) as phone:
        await phone.add()
        await phone.order()
        await phone.until("order_processing", stage="unknown")


async def test_order_numbers_count_up_over_the_tables_of_a_restaurant(server: Server) -> None:
    numbers: list[int] = []

    async def eat(table: str) -> None:
        async with server.phone(await server.join(table)) as phone:
            for _ in range(2):
                await phone.add()
                await phone.order()
                order = (await phone.until("order_confirmed"))["order"]
                assert order["order_id"] == f"ORD-7-{order['order_number']}"
                numbers.append(order["order_number"])

    async with trio.open_nursery() as nursery:
        for number in range(1, 5):
            nursery.start_soon(eat, f"demo-{number}")
    assert len(set(numbers)) == 8
    assert max(numbers) <= 8


async def test_equal_seq_is_an_equal_snapshot_through_a_whole_order(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        ana, ben = await server.join(), await server.join(name="Ben")

        async def compare(first: Phone, second: Phone) -> None:
            cart = await server.cart(ana)
            while first.seq != cart["seq"]:
                await first.next()
            while second.seq != cart["seq"]:
                await second.next()
            assert list(first.cart.values()) == list(second.cart.values()) == cart["items"]

        async with server.phone(ana) as anas, server.phone(ben) as bens:
            await anas.add(public_id="a")
            await bens.add(public_id="b")
            await compare(anas, bens)
            await bens.order()
            await bens.until("order_processing")
            await compare(anas, bens)
            gate.open(UNAVAILABLE)
            await anas.until("order_failed")
            await compare(anas, bens)
            await anas.order()
            await anas.until("order_confirmed")
            await compare(anas, bens)
