"""From the handshake to the seat: who gets in, and how everybody else is sent away."""

import json
from contextlib import suppress
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed

from .server import MARGHERITA, SNAPSHOT_FIELDS, Member, Server, serving, until

TOO_LONG = "x" * 3000


async def test_a_join_is_answered_by_the_snapshot_and_all_that_follows_is_newer(
    server: Server,
) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as anas:
        await anas.add()
        async with server.phone(ben) as bens:
            snapshot = bens.heard[0]
            assert snapshot.keys() >= SNAPSHOT_FIELDS
            assert snapshot["seq"] == 3
            assert [item["menu_item_id"] for item in snapshot["items"]] == [MARGHERITA]
            await anas.add()
            assert (await bens.until("cart_updated"))["seq"] == 4


async def test_a_snapshot_says_who_is_there(server: Server) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana), server.phone(ben) as bens:
        assert bens.heard[0]["members"] == [
            {"member_id": ana.member_id, "name": "Ana", "online": True},
            {"member_id": ben.member_id, "name": "Ben", "online": True},
        ]


async def test_members_hear_who_sits_down_once_and_who_comes_and_goes(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as phone:
        ben = await server.join(name="Ben")
        joined = await phone.until("member_joined")
        assert joined["member"] == {"member_id": ben.member_id, "name": "Ben"}
        for _ in range(2):
            async with server.phone(ben):
                there = await phone.until("presence")
                assert [one["online"] for one in there["members"]] == [True, True]
            gone = await phone.until("presence")
            assert [one["online"] for one in gone["members"]] == [True, False]
        assert len(phone.of_type("member_joined")) == 1


async def test_a_members_second_connection_is_no_news(server: Server) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana) as phone, server.phone(ben):
        await phone.until("presence")
        async with server.phone(ben):
            await phone.hear_nothing()
        await phone.hear_nothing()


async def test_all_connections_of_a_member_hear_the_same(server: Server) -> None:
    ana = await server.join()
    async with server.phone(ana) as first, server.phone(ana) as second:
        await first.add()
        await second.until("cart_updated")
        await second.add()
        await first.until("cart_updated", seq=3)
        assert first.of_type("cart_updated") == second.of_type("cart_updated")
        assert len(first.of_type("ack")) == len(second.of_type("ack")) == 1


async def test_commands_right_behind_the_join_are_executed_in_their_order(server: Server) -> None:
    ana = await server.join()
    async with server.socket(ana) as phone:
        await phone.say("join", token=ana.token)
        for number in range(40):
            await phone.say("add_item", menu_item_id=MARGHERITA, qty=1, public_id=f"line-{number}")
        await phone.say("place_order", cart_items=[], total=0, request_id="last")
        assert (await phone.reply("last"))["code"] == "cart_changed"
        assert phone.heard[0]["type"] == "cart_snapshot"
        assert list(phone.cart) == [f"line-{number}" for number in range(40)]


async def test_a_join_in_the_same_segment_as_the_handshake_is_heard(server: Server) -> None:
    ana = await server.join()
    assert b'"type":"cart_snapshot"' in await _join_in_the_segment_of_the_handshake(server, ana)


async def _join_in_the_segment_of_the_handshake(server: Server, member: Member) -> bytes:
    join = json.dumps({"type": "join", "token": member.token}).encode()
    head = (
        f"GET /ws/sessions/{member.pid} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"
        "connection: upgrade\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "sec-websocket-version: 13\r\n\r\n"
    ).encode()
    frame = b"\x81\xfe" + len(join).to_bytes(2, "big") + bytes(4) + join
    heard = b""
    with trio.fail_after(5):
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            await stream.send_all(head + frame)
            while b"cart_snapshot" not in heard:
                heard += await stream.receive_some()
            await stream.send_all(b"\x88\x80\0\0\0\0")  # a close frame
            async for part in stream:
                heard += part
    return heard


# --- Who is not let in ----------------------------------------------------------------------------


NO_JOINS = [
    "",
    "hello",
    "null",
    "[]",
    "{}",
    '{"type":"ping"}',
    '{"type":"add_item","menu_item_id":456,"qty":1}',
    '{"type":"join"}',
    '{"type":"join","token":null}',
    '{"type":"join","token":7}',
    '{"type":"join","token":""}',
    '{"type":"join","token":"nonsense"}',
    f'{{"type":"join","token":"{TOO_LONG}"}}',
    '{"type":"join","token":"\\u0000"}',
    '{"type":"join","token":"ÿ"}',
    "[" * 50_000,
]


async def test_a_first_frame_that_is_no_valid_join_closes_4401(server: Server) -> None:
    ana = await server.join()
    for first in NO_JOINS:
        async with server.socket(ana) as phone:
            await phone.say_text(first)
            assert (await phone.closed())[0] == 4401, first
            assert phone.heard == []


async def test_without_a_join_in_time_the_connection_closes_4401(tmp_path: Path) -> None:
    async with serving(tmp_path, join_timeout=1) as server:
        ana = await server.join()
        async with server.phone(ana) as phone, server.socket(ana) as silent:
            assert (await silent.closed())[0] == 4401
            await phone.hear_nothing()  # Whose own time was over before.


async def test_the_staffs_token_and_other_sessions_tokens_close_4401(server: Server) -> None:
    ana, eve = await server.join("demo-1"), await server.join("demo-2", "Eve")
    for token in (eve.token, "the-house-token"):
        async with server.socket(ana) as phone:
            await phone.say("join", token=token)
            assert (await phone.closed())[0] == 4401


async def test_an_unknown_session_closes_4404(server: Server) -> None:
    ana = await server.join()
    for pid in ("session_none", "x" * 200, "%00", "%ff"):
        async with server.socket(f"/ws/sessions/{pid}") as phone:
            await phone.say("join", token=ana.token)
            assert (await phone.closed())[0] == 4404


async def test_a_members_fifth_connection_closes_1008_and_the_others_go_on(server: Server) -> None:
    ana = await server.join()
    async with (
        server.phone(ana) as first,
        server.phone(ana),
        server.phone(ana),
        server.phone(ana) as fourth,
    ):
        async with server.socket(ana) as fifth:
            await fifth.say("join", token=ana.token)
            assert (await fifth.closed())[0] == 1008
            assert fifth.heard == []
        await first.add()
        await fourth.until("cart_updated")
    async with server.phone(ana) as again:
        await again.add()


async def test_a_guest_who_has_gone_before_the_table_answered_keeps_no_seat(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, connections_per_address=2) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        for _ in range(5):
            async with server.phone(ben) as bens:
                with server.storage_held():
                    before = _given(server)
                    await bens.say("add_item", menu_item_id=MARGHERITA, qty=1)
                    await server.wait_taken(before + 1)
                    async with server.socket(ana) as anas:
                        await anas.say("join", token=ana.token)
                        await server.wait_taken(before + 2, waiting=1)
                    await _wait_for_room(server, ana)
                await bens.until("cart_updated")
            cart = await server.cart(ana)
            assert cart["members"][0]["online"] is False
        async with server.phone(ana):
            pass


def _given(server: Server) -> int:
    [table] = server.running.house.registry.statistics().children
    return table.mailbox.accepted_total


async def _wait_for_room(server: Server, member: Member) -> None:
    """Until the front counts one connection less: a further one is let in."""

    async def let_in() -> bool:
        try:
            async with server.socket(member):
                return True
        except ExceptionGroup:
            return False

    await until(let_in)


async def test_too_many_connections_of_an_address_are_refused_until_one_goes(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, connections_per_address=2) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        async with server.phone(ana):
            async with server.phone(ben):
                refusal = await server.handshake_refused(ana)
                assert refusal.status_code == 429
                assert _header(refusal, "retry-after") == "1"
                assert json.loads(refusal.body)["code"] == "rate_limited"
            await _wait_for_room(server, ben)


async def test_messages_without_end_before_the_join_is_answered_close_1008(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        for count, size in ((70, 10), (6, 60_000)):
            async with server.phone(ben) as bens, server.socket(ana) as anas:
                with server.storage_held():
                    before = _given(server)
                    await bens.say("add_item", menu_item_id=MARGHERITA, qty=1)
                    await server.wait_taken(before + 1)
                    await anas.say("join", token=ana.token)
                    with suppress(ConnectionClosed):
                        for _ in range(count):
                            await anas.say("ping", padding="x" * size)
                    assert (await anas.closed())[0] == 1008
                await bens.until("cart_updated")


# --- Origins --------------------------------------------------------------------------------------


ORIGINS: list[tuple[str | None, bool]] = [
    ("http://127.0.0.1:{port}", True),
    ("HTTP://127.0.0.1:{port}", True),
    ("https://eat.example", True),
    ("https://widgets.example:8443", True),
    (None, True),
    ("null", False),
    ("", False),
    ("https://127.0.0.1:{port}", False),
    ("http://127.0.0.1", False),
    ("http://127.0.0.1:1", False),
    ("http://localhost:{port}", False),
    ("http://eat.example", False),
    ("https://eat.example.evil.example", False),
    ("https://evil-eat.example", False),
    ("https://eat.example:8443", False),
    ("https://widgets.example", False),
    ("https://eat.example@evil.example", False),
    ("https://eat.example/", False),
    ("http://127.0.0.1:{port}.evil.example", False),
    ("file://", False),
]


async def test_a_handshake_is_let_in_from_our_own_origins_alone(tmp_path: Path) -> None:
    async with serving(
        tmp_path,
        public_url="https://eat.example:443/table/",
        allowed_origin=("https://Widgets.example:8443/",),
    ) as server:
        ana = await server.join()
        for origin, allowed in ORIGINS:
            headers = {} if origin is None else {"Origin": origin.format(port=server.port)}
            if allowed:
                async with server.socket(ana, headers):
                    continue
            refusal = await server.handshake_refused(ana, headers)
            assert refusal.status_code == 403, origin
            assert json.loads(refusal.body)["code"] == "forbidden"


def _header(refusal: object, name: str) -> str | None:
    headers = dict(refusal.headers)  # type: ignore[attr-defined]
    value = headers.get(name.encode())
    return None if value is None else value.decode()


# --- The server's end -----------------------------------------------------------------------------


async def test_at_the_servers_end_members_hear_so_and_are_closed_1012(server: Server) -> None:
    ana, ben = await server.join("demo-1"), await server.join("demo-2", "Ben")
    async with server.phone(ana) as anas, server.phone(ben) as bens, server.socket(ana) as unseated:
        server.shutdown.set()
        for phone in (anas, bens):
            assert (await phone.closed())[0] == 1012
            assert phone.heard[-1]["type"] == "server_closing"
            assert phone.heard[-1]["retry_after"] > 0
        assert (await unseated.closed())[0] == 1012
    await server.stop()


async def test_while_draining_nobody_new_is_let_in_and_who_is_in_gets_the_answer(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            with server.storage_held():
                before = _given(server)
                await phone.say("add_item", menu_item_id=MARGHERITA, qty=1, request_id="one")
                await server.wait_taken(before + 1)
                server.shutdown.set()

                async def draining() -> bool:
                    return (await server.http.get("/readyz")).status_code == 503

                await until(draining)
                await server.refused("too_busy", 503, "GET", "/readyz")
                await server.call("GET", "/healthz")
                refusal = await server.handshake_refused(ana)
                assert refusal.status_code == 503
                assert _header(refusal, "retry-after") == "1"
                assert json.loads(refusal.body)["code"] == "too_busy"
                response = await server.call(
                    "POST", "/api/tables/demo-1/join", status=503, json={"name": "Late"}
                )
                assert int(response.headers["retry-after"]) >= 1
                # Too late for this table: it is sent away like everybody, not as after a crash.
                await phone.say("add_item", menu_item_id=MARGHERITA, qty=1, request_id="two")
                await phone.connection.ping()
            assert (await phone.closed())[0] == 1012
            assert phone.heard[-1]["type"] == "server_closing"
            assert [ack["request_id"] for ack in phone.of_type("ack")] == ["one"]
        await server.stop()
