"""Joining with a PIN over HTTP: what a photographed code is still good for."""

from functools import partial
from pathlib import Path
from typing import Any

import trio

from comanda.actors.door import WRONG_PINS
from comanda.http.limits import FrontLimits

from .server import HOUSE_TOKEN, Member, Server, serving, until


async def join(server: Server, status: int, table: str = "demo-1", **body: Any) -> dict[str, Any]:
    response = await server.call(
        "POST", f"/api/tables/{table}/join", status=status, json={"name": "Ben", **body}
    )
    answer: dict[str, Any] = response.json()
    return answer


def another(pin: str) -> str:
    """A PIN that is not this one."""
    return f"{(int(pin) + 1) % 10_000:04}"


async def test_without_the_setting_nobody_is_asked(server: Server) -> None:
    ana = await server.join()
    assert ana.answer["join_pin"] is None
    assert (await server.cart(ana))["join_pin"] is None
    assert (await join(server, 201, pin="1234"))["session_pid"] == ana.pid


async def test_a_later_guest_must_say_the_pin_that_the_table_is_shown(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        ana = await server.join()
        pin = ana.answer["join_pin"]
        assert len(pin) == 4
        assert (await server.cart(ana))["join_pin"] == pin
        assert (await join(server, 403))["code"] == "pin_required"
        assert (await join(server, 403, pin=another(pin)))["code"] == "pin_wrong"
        assert (await join(server, 400, pin="12345"))["code"] == "bad_message"
        ben = await join(server, 201, pin=pin)
        assert ben["session_pid"] == ana.pid
        assert ben["join_pin"] == pin
        assert [one["name"] for one in (await server.cart(ana))["members"]] == ["Ana", "Ben"]


async def test_the_staff_see_the_pin_and_closing_the_table_ends_it(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        ana = await server.join()
        path = "/api/restaurants/7/tables"
        tables = (await server.call("GET", path, token=HOUSE_TOKEN)).json()["tables"]
        assert tables[0]["party"]["join_pin"] == ana.answer["join_pin"]
        await server.close_table(ana)
        new = await join(server, 201)
        assert new["session_pid"] != ana.pid


async def test_a_member_keeps_the_seat_and_the_pin_holds_over_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        ana = await server.join()
    async with serving(tmp_path, join_pin="on") as server:
        async with server.phone(ana) as phone:  # who holds a token is asked for nothing
            assert phone.heard[0]["join_pin"] == ana.answer["join_pin"]
        await join(server, 403)
        await join(server, 201, pin=ana.answer["join_pin"])


async def test_too_many_wrong_pins_are_429_and_say_when_to_come_back(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        pin = (await server.join()).answer["join_pin"]
        for _ in range(WRONG_PINS):
            assert (await join(server, 403, pin=another(pin)))["code"] == "pin_wrong"
        response = await server.call(
            "POST", "/api/tables/demo-1/join", status=429, json={"name": "Ben", "pin": pin}
        )
        assert response.json()["code"] == "rate_limited"
        assert 0 < int(response.headers["Retry-After"]) <= 60


async def test_an_address_that_guesses_at_many_tables_is_stopped(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        most = FrontLimits().wrong_pins
        pins = [(await server.join(f"demo-{n}")).answer["join_pin"] for n in range(1, 8)]
        each = most // len(pins)
        for number in range(each * len(pins)):
            table = number % len(pins)
            await join(server, 403, f"demo-{table + 1}", pin=another(pins[table]))
        for _ in range(most - each * len(pins)):
            await join(server, 403, "demo-1", pin=another(pins[0]))
        told = await join(server, 429, "demo-7", pin=pins[6])
        assert told["code"] == "rate_limited"
        await server.join("demo-12")  # who opens a table is not asked, and not kept out


async def test_right_pins_use_nothing_up(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        pin = (await server.join()).answer["join_pin"]
        for _ in range(FrontLimits().wrong_pins + 5):
            await join(server, 201, pin=pin)


async def test_pins_that_storage_kept_from_being_judged_use_nothing_up(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on", join_burst=100_000) as server:
        pin = (await server.join()).answer["join_pin"]
        most = FrontLimits().wrong_pins
        with server.storage_held():
            async with trio.open_nursery() as nursery:
                for _ in range(most):
                    nursery.start_soon(partial(join, server, 503, pin=pin))

        async def joined() -> bool:
            response = await server.http.post(
                "/api/tables/demo-1/join", json={"name": "Ben", "pin": pin}
            )
            assert response.status_code in (201, 503), response.text
            return response.status_code == 201

        await until(joined)  # storage is looked at again in a moment


async def test_the_pin_is_no_part_of_what_others_can_read(tmp_path: Path) -> None:
    async with serving(tmp_path, join_pin="on") as server:
        ana: Member = await server.join()
        pin = ana.answer["join_pin"]
        for path in ("/api/tables/demo-1", "/t/demo-1", "/metrics"):
            body = (await server.call("GET", path)).text
            assert f'"{pin}"' not in body
            assert "join_pin" not in body
