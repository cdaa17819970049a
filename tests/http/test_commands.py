"""Commands over the websocket: each one, its ack, its errors, and what every member hears of it."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed

from comanda.actors.domain.order import Accepted

from .server import (
    DIAVOLA,
    LEMONADE,
    MARGHERITA,
    Gate,
    Phone,
    Server,
    TestPos,
    serving,
)


async def test_an_added_line_is_acknowledged_and_told_to_everybody(server: Server) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens:
        reply = await anas.do(
            "add_item",
            menu_item_id=MARGHERITA,
            qty=2,
            note="Extra spicy",
            public_id="line-1",
            request_id="r-1",
        )
        assert reply == {"type": "ack", "request_id": "r-1", "seq": 3}
        event = await bens.until("cart_updated")
        assert event == anas.of_type("cart_updated")[0]
        event.pop("timestamp")
        assert event == {
            "type": "cart_updated",
            "seq": 3,
            "by_member": ana.member_id,
            "items": [
                {
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
            ],
            "removed": [],
            "total": 1250.0,
        }
        await bens.hear_nothing()


async def test_lines_are_changed_removed_and_cleared_by_anybody(server: Server) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens:
        for name in ("a", "b", "c"):
            await anas.add(public_id=name, note=f"for {name}")
        await bens.do("update_item", public_id="a", qty=5)
        assert (bens.cart["a"]["qty"], bens.cart["a"]["note"]) == (5, "for a")
        await bens.do("update_item", public_id="a", note="")
        assert (bens.cart["a"]["qty"], bens.cart["a"]["note"]) == (5, "")
        await bens.do("update_item", public_id="b", qty=1, note="both")
        assert bens.cart["a"]["added_by"] == ana.member_id
        await bens.do("remove_item", public_id="a")
        removed = bens.of_type("cart_updated")[-1]
        assert (removed["removed"], removed["items"]) == (["a"], [])
        await bens.do("clear_cart")
        cleared = await anas.until("cart_updated", removed=["b", "c"])
        assert cleared["total"] == 0
        assert anas.cart == bens.cart == {}


async def test_a_command_without_a_request_id_has_no_reply_but_its_event(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        for _ in range(2):
            await phone.say("add_item", menu_item_id=LEMONADE, qty=1)
        await phone.until("cart_updated", seq=3)
        await phone.hear_nothing()
        assert len(phone.cart) == 2
        assert phone.of_type("ack") == []


async def test_a_ping_is_answered_by_a_pong_with_its_request_id(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        assert (await phone.do("ping", request_id="p"))["type"] == "pong"
        await phone.say("ping")
        assert (await phone.until("pong"))["request_id"] is None


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"type": "add_item", "menu_item_id": 999, "qty": 1}, "item_not_found"),
    ({"type": "add_item", "menu_item_id": 2**53, "qty": 1}, "item_not_found"),
    (
        {"type": "add_item", "menu_item_id": LEMONADE, "qty": 1, "public_id": "there"},
        "public_id_taken",
    ),
    (
        {"type": "add_item", "menu_item_id": LEMONADE, "qty": 1, "public_id": "gone"},
        "public_id_taken",
    ),
    ({"type": "update_item", "public_id": "gone", "qty": 1}, "item_not_found"),
    ({"type": "remove_item", "public_id": "never"}, "item_not_found"),
]


async def test_what_cannot_be_done_is_refused_with_its_code_and_changes_nothing(
    server: Server,
) -> None:
    async with server.phone(await server.join()) as phone:
        await phone.add(public_id="there")
        await phone.add(public_id="gone")
        await phone.do("remove_item", public_id="gone")
        seq = phone.seq
        for command, code in IMPOSSIBLE:
            error = await phone.do(**command, request_id="r")
            assert error == {
                "type": "error",
                "request_id": "r",
                "code": code,
                "message": error["message"],
            }
            assert error["message"]
        await phone.hear_nothing()
        assert phone.seq == seq


async def test_a_cart_holds_a_hundred_lines(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, rate_limits="off") as server,
        server.phone(await server.join()) as phone,
    ):
        for number in range(100):
            await phone.add(LEMONADE, public_id=f"line-{number}")
        assert (await phone.do("add_item", menu_item_id=LEMONADE, qty=1))["code"] == "cart_full"
        await phone.do("remove_item", public_id="line-0")
        await phone.add(LEMONADE)
        assert (await phone.order())["type"] == "ack"


async def test_the_notes_of_a_cart_hold_16_kib_of_utf_8(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        for _ in range(14):
            await phone.add(LEMONADE, note="👍" * 280)
        refused = await phone.do("add_item", menu_item_id=LEMONADE, qty=1, note="👍" * 280)
        assert refused["code"] == "cart_full"
        await phone.add(LEMONADE, note="👍" * 176)
        refused = await phone.do("add_item", menu_item_id=LEMONADE, qty=1, note="x")
        assert refused["code"] == "cart_full"


# --- Bad messages ---------------------------------------------------------------------------------

BAD = [
    "",
    "hello",
    "null",
    "7",
    "[]",
    '"add_item"',
    "{}",
    '{"type":null}',
    '{"type":"add_item"}',
    '{"type":"fly"}',
    '{"type":"ADD_ITEM","menu_item_id":456,"qty":1}',
    '{"type":"add_item","menu_item_id":456}',
    '{"type":"add_item","menu_item_id":456,"qty":0}',
    '{"type":"add_item","menu_item_id":456,"qty":100}',
    '{"type":"add_item","menu_item_id":456,"qty":-1}',
    '{"type":"add_item","menu_item_id":456,"qty":1.5}',
    '{"type":"add_item","menu_item_id":456,"qty":"1"}',
    '{"type":"add_item","menu_item_id":456,"qty":true}',
    '{"type":"add_item","menu_item_id":456,"qty":1e400}',
    '{"type":"add_item","menu_item_id":-1,"qty":1}',
    '{"type":"add_item","menu_item_id":9007199254740993,"qty":1}',
    '{"type":"add_item","menu_item_id":' + "9" * 400 + ',"qty":1}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"note":null}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"note":"' + "x" * 281 + '"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"note":"\\ud800"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"public_id":""}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"public_id":"a b"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"public_id":"é"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"public_id":"a\\n"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"public_id":"' + "x" * 65 + '"}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"request_id":""}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"request_id":7}',
    '{"type":"add_item","menu_item_id":456,"qty":1,"request_id":"' + "x" * 65 + '"}',
    '{"type":"update_item","public_id":"a"}',
    '{"type":"update_item","qty":1}',
    '{"type":"remove_item"}',
    '{"type":"place_order"}',
    '{"type":"place_order","cart_items":[],"total":-1}',
    '{"type":"place_order","cart_items":[],"total":"1"}',
    '{"type":"place_order","cart_items":[],"total":NaN}',
    '{"type":"place_order","cart_items":[],"total":1e999}',
    '{"type":"place_order","cart_items":{},"total":1}',
    '{"type":"place_order","cart_items":[{}],"total":1}',
    '{"type":"place_order","cart_items":[],"total":0,"special_instructions":"' + "x" * 501 + '"}',
    '{"type":"ping"} ',
    '{"type":"ping"}{"type":"ping"}',
    '{"type":"join"}',
    '{"type":"ping","x":' + "[" * 60_000,
    "[" * 65_000,
]
BAD.remove('{"type":"ping"} ')  # space around a frame is JSON


async def test_what_is_no_command_is_a_bad_message_and_changes_nothing(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        for text in BAD:
            await phone.say_text(text)
            error = await phone.until("error")
            assert error["code"] == "bad_message", text
            assert error["message"]
            assert len(error["message"]) <= 200
            await phone.do("ping")
        assert phone.seq == 1


async def test_a_bad_message_is_answered_under_its_request_id_where_it_has_one(
    server: Server,
) -> None:
    async with server.phone(await server.join()) as phone:
        error = await phone.do("add_item", menu_item_id=MARGHERITA, qty=0, request_id="r-9")
        assert (error["code"], error["request_id"]) == ("bad_message", "r-9")
        await phone.say("add_item", menu_item_id=MARGHERITA, qty=0, request_id=["r"])
        assert (await phone.until("error"))["request_id"] is None


async def test_the_third_bad_message_in_a_row_closes_1008_and_a_good_one_starts_anew(
    server: Server,
) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        for _ in range(3):
            for _ in range(2):
                await phone.say_text("nonsense")
                await phone.until("error")
            await phone.do("ping")
        for _ in range(3):
            await phone.say_text("nonsense")
        assert (await phone.closed())[0] == 1008
        assert len(phone.of_type("error")) == 9


async def test_a_refused_command_is_no_bad_message(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        for _ in range(5):
            assert (await phone.do("remove_item", public_id="x"))["code"] == "item_not_found"


async def test_a_second_join_is_a_bad_message(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.say("join", token=ana.token)
        error = await phone.until("error")
        assert (error["code"], error["request_id"]) == ("bad_message", None)
        await phone.add()
        assert len(phone.of_type("cart_snapshot")) == 1


async def test_frames_that_are_no_text_or_too_long_close_with_the_protocols_codes(
    server: Server,
) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.say_text(b'{"type":"ping"}')
        assert (await phone.closed())[0] == 1003
    async with server.phone(ana) as phone:
        await phone.say("ping", padding="x" * 65_536)
        assert (await phone.closed())[0] == 1009
    async with server.phone(ana) as phone:
        text = json.dumps({"type": "ping", "request_id": "long", "padding": ""})
        await phone.say_text(text[:-2] + "x" * (65_536 - len(text)) + text[-2:])
        assert (await phone.reply("long"))["type"] == "pong"


# --- Ordering -------------------------------------------------------------------------------------


async def test_an_empty_cart_cannot_be_ordered(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        assert (await phone.order())["code"] == "cart_empty"


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [{"public_id": "a", "menu_item_id": MARGHERITA, "qty": 1}],
        [{"public_id": "a", "menu_item_id": MARGHERITA, "qty": 2, "note": "other"}],
        [{"public_id": "a", "menu_item_id": DIAVOLA, "qty": 2, "note": "n"}],
        [{"public_id": "b", "menu_item_id": MARGHERITA, "qty": 2, "note": "n"}],
        [{"public_id": "a", "menu_item_id": MARGHERITA, "qty": 2, "note": "n"}] * 2,
    ],
)
async def test_an_order_for_another_cart_is_refused_with_a_fresh_snapshot(
    server: Server, seen: list[dict[str, Any]]
) -> None:
    async with server.phone(await server.join()) as phone:
        seq = await phone.add(MARGHERITA, 2, note="n", public_id="a")
        error = await phone.order(cart_items=seen)
        assert error["code"] == "cart_changed"
        snapshot = await phone.next()
        assert snapshot["type"] == "cart_snapshot"
        assert (snapshot["seq"], snapshot["cart_locked"]) == (seq, False)
        assert [item["public_id"] for item in snapshot["items"]] == ["a"]


async def test_an_order_at_another_total_is_refused_with_a_fresh_snapshot(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        await phone.add(MARGHERITA, 2)
        for total in (0, 1249.99, 1250.01, 1249.994, 1e300, 10**40):
            assert (await phone.order(total=total))["code"] == "total_mismatch", total
            assert (await phone.next())["type"] == "cart_snapshot"
        assert (await phone.order(total=1250.004))["type"] == "ack"


async def test_what_a_member_saw_is_compared_in_any_order_and_without_empty_notes(
    server: Server,
) -> None:
    async with server.phone(await server.join()) as phone:
        await phone.add(MARGHERITA, 1, public_id="a")
        await phone.add(LEMONADE, 3, public_id="b")
        seen = phone.what_it_sees()["cart_items"][::-1]
        for item in seen:
            del item["note"]
        assert (await phone.order(cart_items=seen))["type"] == "ack"


async def test_during_an_order_edits_and_second_orders_are_refused_in_the_specifications_words(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana) as anas, server.phone(ben) as bens:
            await anas.add(public_id="a")
            await anas.order()
            await bens.until("cart_locked")
            for command in (
                {"type": "add_item", "menu_item_id": LEMONADE, "qty": 1},
                {"type": "add_item", "menu_item_id": 999, "qty": 1, "public_id": "a"},
                {"type": "update_item", "public_id": "a", "qty": 2},
                {"type": "update_item", "public_id": "none", "qty": 2},
                {"type": "remove_item", "public_id": "a"},
                {"type": "clear_cart"},
                {"type": "place_order", **bens.what_it_sees()},
                {"type": "place_order", "cart_items": [], "total": 0},
            ):
                error = await bens.do(**command)
                assert (error["code"], error["message"]) == (
                    "cart_locked",
                    "Order already being processed",
                )
            gate.open(Accepted("POS-1"))
            await bens.until("order_confirmed")
            await bens.add()


async def test_of_two_orders_at_the_same_moment_one_is_taken(server: Server, pos: TestPos) -> None:
    members = [await server.join(name=f"Guest {number}") for number in range(4)]
    async with server.phone(members[0]) as first:
        await first.add()
        replies: list[dict[str, Any]] = []

        async def order(number: int) -> None:
            async with server.phone(members[number]) as phone:
                gathered.append(number)
                if len(gathered) == 4:
                    ready.set()
                await ready.wait()
                replies.append(await phone.order())

        gathered: list[int] = []
        ready = trio.Event()
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(order, number)
        await first.until("order_confirmed")
    assert sorted(reply["type"] for reply in replies) == ["ack", "error", "error", "error"]
    assert {reply.get("code") for reply in replies} <= {None, "cart_locked", "cart_empty"}
    assert len(pos.submitted) == 1


# --- request_id -----------------------------------------------------------------------------------


async def test_the_same_request_gets_the_same_reply_and_changes_nothing(server: Server) -> None:
    ana = await server.join()
    command = {"menu_item_id": LEMONADE, "qty": 1, "request_id": "once"}
    async with server.phone(ana) as phone:
        first = await phone.do("add_item", **command)
        await phone.add()
        assert await phone.do("add_item", **command) == first
    async with server.phone(ana) as phone:
        assert await phone.do("add_item", **command) == first
        assert len(phone.cart) == 2
        await phone.hear_nothing()


async def test_a_request_id_is_used_for_one_command_of_one_member(server: Server) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens:
        await anas.add(qty=1, request_id="r")
        for other in (
            {"type": "add_item", "menu_item_id": MARGHERITA, "qty": 2},
            {"type": "clear_cart"},
        ):
            assert (await anas.do(**other, request_id="r"))["code"] == "request_id_reused"
        await bens.add(qty=2, request_id="r")
        assert (await anas.do("add_item", menu_item_id=MARGHERITA, qty=1, request_id="r")) == (
            anas.of_type("ack")[0]
        )


async def test_a_refused_request_may_be_tried_again_under_its_id(server: Server) -> None:
    async with server.phone(await server.join()) as phone:
        assert (await phone.order(request_id="again"))["code"] == "cart_empty"
        await phone.add()
        assert (await phone.order(request_id="again"))["type"] == "ack"


async def test_an_order_that_was_sent_twice_is_one_order(server: Server, pos: TestPos) -> None:
    async with server.phone(await server.join()) as phone:
        await phone.add()
        sees = phone.what_it_sees()
        first = await phone.do("place_order", **sees, request_id="order")
        await phone.until("order_confirmed")
        assert await phone.do("place_order", **sees, request_id="order") == first
    assert len(pos.submitted) == 1


async def test_a_members_last_256_requests_are_remembered(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, rate_limits="off") as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add(public_id="a", request_id="oldest")
        for number in range(255):
            await phone.do("update_item", public_id="a", qty=1 + number % 9, request_id=f"{number}")
        clear = {"type": "clear_cart", "request_id": "oldest"}
        assert (await phone.do(**clear))["code"] == "request_id_reused"
        await phone.do("update_item", public_id="a", qty=1, request_id="one more")
        assert (await phone.do(**clear))["type"] == "ack"


async def test_which_refusal_comes_first_is_fixed(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        serving(tmp_path, TestPos(gate)) as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add(public_id="a", request_id="used")
        await phone.order()
        bad = await phone.do("add_item", menu_item_id=MARGHERITA, qty=0, request_id="used")
        assert bad["code"] == "bad_message"
        reused = await phone.do("remove_item", public_id="none", request_id="used")
        assert reused["code"] == "request_id_reused"
        locked = await phone.do("remove_item", public_id="none")
        assert locked["code"] == "cart_locked"
        gate.open(Accepted("POS-1"))
        await phone.until("order_confirmed")
        missing = await phone.do("remove_item", public_id="none")
        assert missing["code"] == "item_not_found"


# --- Limits ---------------------------------------------------------------------------------------


async def test_a_member_who_talks_too_fast_is_told_when_to_go_on(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, message_burst=2, messages_per_second=0.1) as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add()
        await phone.add()
        error = await phone.do("add_item", menu_item_id=LEMONADE, qty=1, request_id="third")
        assert (error["code"], error["request_id"]) == ("rate_limited", "third")
        assert 0 < error["retry_after"] <= 10
        await phone.say_text("nonsense")
        assert (await phone.until("error"))["code"] == "rate_limited"
        assert len(phone.cart) == 2


async def test_a_member_who_is_told_so_and_goes_on_is_closed_1008(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, message_burst=1, messages_per_second=0.1, flood_messages=5) as server,
        server.phone(await server.join()) as phone,
    ):
        for _ in range(6):
            await phone.say("ping")
        assert (await phone.closed())[0] == 1008
        assert len(phone.of_type("pong")) == 1
        assert len(phone.of_type("error")) == 5


async def test_a_flood_is_one_also_when_a_few_of_its_messages_get_through(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, message_burst=20, messages_per_second=2, flood_messages=100) as server,
        server.phone(await server.join()) as phone,
    ):
        while (refused := await phone.do("ping"))["type"] == "pong":
            pass
        await trio.sleep(refused["retry_after"] + 0.001)  # What it says is rounded.
        assert (await phone.do("ping"))["type"] == "pong"
        with suppress(ConnectionClosed):
            while True:
                await phone.do("ping")
        assert (await phone.closed())[0] == 1008
        assert len(phone.of_type("error")) == 100  # With the one before the pong.


async def test_a_full_mailbox_is_too_busy_and_what_was_taken_is_done(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, mailbox_capacity=2) as server,
        server.phone(await server.join()) as phone,
    ):
        with server.storage_held():
            [table] = server.running.house.registry.statistics().children
            before = table.mailbox.accepted_total
            await phone.say("add_item", menu_item_id=LEMONADE, qty=1, request_id="in hand")
            await server.wait_taken(before + 1)
            for number in range(3):
                await phone.say("add_item", menu_item_id=LEMONADE, qty=1, request_id=f"{number}")
            error = await phone.until("error")
            assert (error["code"], error["request_id"]) == ("too_busy", "2")
        for request_id in ("in hand", "0", "1"):
            assert (await phone.reply(request_id))["type"] == "ack"
        await phone.add(LEMONADE, request_id="2")
        assert len(phone.cart) == 4


async def test_what_storage_does_not_take_is_refused_and_may_be_tried_again(server: Server) -> None:
    command: dict[str, Any] = {
        "type": "add_item",
        "menu_item_id": LEMONADE,
        "qty": 1,
        "request_id": "again",
    }
    async with server.phone(await server.join()) as phone:
        with server.storage_held():
            error = await phone.do(**command)
            assert error["code"] == "storage_unavailable"
            assert phone.seq == 1
        assert await phone.do(**command) == {"type": "ack", "request_id": "again", "seq": 2}


# --- Many at once ---------------------------------------------------------------------------------


async def test_members_who_act_at_once_all_see_the_same_at_the_same_seq(tmp_path: Path) -> None:
    async with serving(tmp_path, rate_limits="off") as server:
        members = [await server.join(name=f"Guest {number}") for number in range(5)]
        phones: list[Phone] = []
        ready, done = trio.Event(), trio.Event()
        finished: list[int] = []

        async def act(number: int) -> None:
            choice = random.Random(number)
            async with server.phone(members[number]) as phone:
                phones.append(phone)
                if len(phones) == 5:
                    ready.set()
                await ready.wait()
                for _ in range(30):
                    if phone.cart and choice.random() < 0.5:
                        line = choice.choice(list(phone.cart))
                        kind = choice.choice(["update_item", "remove_item"])
                        fields = {"qty": choice.randint(1, 9)} if kind == "update_item" else {}
                        await phone.do(kind, public_id=line, **fields)
                    else:
                        await phone.add(choice.choice([MARGHERITA, DIAVOLA, LEMONADE]))
                finished.append(phone.seq or 0)
                if len(finished) == 5:
                    done.set()
                await done.wait()
                while phone.seq != max(finished):
                    await phone.next()

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    nursery.start_soon(act, number)
        cart = await server.cart(members[0])
        assert cart["seq"] == max(finished)
        for phone in phones:
            assert list(phone.cart.values()) == cart["items"]
            for seq, state in phone.carts_by_seq.items():
                others = [other.carts_by_seq[seq] for other in phones if seq in other.carts_by_seq]
                assert all(other == state for other in others)
        assert sum(len(phone.carts_by_seq) for phone in phones) > 5 * 70
