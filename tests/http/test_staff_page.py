"""What the staff's page asks for: whose staff one is, the tables, the QR codes, and the page itself."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest
import segno

from comanda.actors.domain.order import Accepted, Unknown
from comanda.http.addresses import is_plain_host, local_addresses, phone_addresses
from comanda.http.static_files import static_tree

from .server import HOUSE_TOKEN, LEMONADE, MARGHERITA, Gate, Server, TestPos, serving, until
from .test_staff import two_restaurants

TABLES = "/api/restaurants/7/tables"
CODES = "/api/restaurants/7/qr-codes"
ETAGGED = [TABLES, "/api/restaurants/7/orders?limit=10"]


async def tables_of(server: Server, restaurant_id: int = 7) -> list[dict[str, Any]]:
    path = f"/api/restaurants/{restaurant_id}/tables"
    listed: list[dict[str, Any]] = (await server.call("GET", path, token=HOUSE_TOKEN)).json()[
        "tables"
    ]
    return listed


async def party_at(server: Server, code: str = "demo-1") -> Any:
    return next(one["party"] for one in await tables_of(server) if one["code"] == code)


# --- Whom it lets in ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["", "/1/tables", "/1/qr-codes", "/1/orders"])
async def test_only_the_restaurants_staff_and_the_houses_get_an_answer(
    tmp_path: Path, what: str
) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        ana = await server.join("one-1")
        path = f"/api/restaurants{what}"
        await server.refused("unauthorized", 401, "GET", path)
        await server.refused("unauthorized", 401, "GET", path, token="guessed")
        await server.refused("forbidden", 403, "GET", path, token=ana.token)
        await server.call("GET", path, token="token-of-one")
        await server.call("GET", path, token=HOUSE_TOKEN)


@pytest.mark.parametrize("what", ["tables", "qr-codes"])
async def test_another_restaurants_token_is_forbidden_and_no_restaurant_is_not_found(
    tmp_path: Path, what: str
) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        other = f"/api/restaurants/2/{what}"
        await server.refused("forbidden", 403, "GET", other, token="token-of-one")
        nowhere = f"/api/restaurants/99/{what}"
        await server.refused("not_found", 404, "GET", nowhere, token=HOUSE_TOKEN)
        await server.refused("forbidden", 403, "GET", nowhere, token="token-of-one")


async def test_a_token_is_told_the_restaurants_that_it_opens(tmp_path: Path) -> None:
    async with serving(tmp_path, menu=two_restaurants(tmp_path)) as server:
        one = {"id": 1, "name": "One", "currency": "EUR", "minor_digits": 2}
        two = {"id": 2, "name": "Two", "currency": "JPY", "minor_digits": 0}
        own = await server.call("GET", "/api/restaurants", token="token-of-one")
        assert own.json() == {"restaurants": [one]}
        house = await server.call("GET", "/api/restaurants", token=HOUSE_TOKEN)
        assert house.json() == {"restaurants": [one, two]}


# --- Tables ---------------------------------------------------------------------------------------


async def test_free_tables_are_listed_in_the_menu_files_order(server: Server) -> None:
    listed = await tables_of(server)
    assert listed[0] == {"code": "demo-1", "label": "T1", "party": None}
    assert [one["label"] for one in listed] == [f"T{number}" for number in range(1, 13)]


async def test_a_table_shows_who_sits_there_who_is_online_and_what_the_cart_costs(
    server: Server,
) -> None:
    ana = await server.join("demo-2", "Ana")
    ben = await server.join("demo-2", "Ben")
    async with server.phone(ana) as phone:
        await phone.add(MARGHERITA, 2)
        await phone.add(LEMONADE, public_id="gone")
        await phone.do("remove_item", public_id="gone")
        party = await party_at(server, "demo-2")
        assert party.pop("opened_at").endswith("Z")
        assert party == {
            "session_pid": ana.pid,
            "members": [
                {"member_id": ana.member_id, "name": "Ana", "online": True},
                {"member_id": ben.member_id, "name": "Ben", "online": False},
            ],
            "total": 1250.0,
            "pending_order": None,
            "orders_in_doubt": [],
            "join_pin": None,
        }

    async def gone() -> bool:
        return not any(one["online"] for one in (await party_at(server, "demo-2"))["members"])

    await until(gone)
    assert await party_at(server) is None


async def test_an_order_is_seen_while_it_is_on_its_way_and_the_cart_still_costs_it(
    tmp_path: Path,
) -> None:
    gate = Gate()
    async with serving(tmp_path, TestPos(gate)) as server:
        async with server.phone(await server.join()) as phone:
            await phone.add(MARGHERITA)
            await phone.order()
            sent = await phone.until("order_processing", stage="sent")
            party = await party_at(server)
            assert party["pending_order"].pop("placed_at").endswith("Z")
            assert party["pending_order"] == {
                "order_id": sent["order_id"],
                "state": "sent",
                "placed_by_name": "Ana",
                "total": 625.0,
            }
            assert party["total"] == 625.0
            gate.open(Accepted("POS-1"))
            await phone.until("order_confirmed")
        party = await party_at(server)
        assert (party["total"], party["pending_order"]) == (0.0, None)


async def test_an_order_that_waits_for_the_staff_stands_beside_the_next_cart(
    tmp_path: Path,
) -> None:
    silent = TestPos(*[Unknown("silence")] * 20)
    times = {"pos_timeout": 0.3, "lock_limit": 0.6}
    async with (
        serving(tmp_path, silent, **times) as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add(MARGHERITA)
        await phone.order()
        unlocked = await phone.until("cart_unlocked")
        await phone.add(LEMONADE)
        party = await party_at(server)
        [order] = party["orders_in_doubt"]
        assert (order["order_id"], order["state"]) == (unlocked["order_id"], "needs_staff")
        assert (party["total"], party["pending_order"]) == (180.0, None)


async def test_a_closed_table_is_free(server: Server) -> None:
    ana = await server.join()
    assert await party_at(server) is not None
    await server.close_table(ana)
    assert await party_at(server) is None


async def test_a_table_that_left_the_menu_file_is_listed_until_its_party_leaves(
    tmp_path: Path,
) -> None:
    menu = two_restaurants(tmp_path)
    async with serving(tmp_path, menu=menu) as server:
        await server.join("one-1")
    menu.write_text(menu.read_text().replace("one-1", "one-2"))
    async with serving(tmp_path, menu=menu) as server:
        listed = await tables_of(server, 1)
        assert [(one["code"], one["party"] is None) for one in listed] == [
            ("one-2", True),
            ("one-1", False),
        ]


async def test_looking_at_the_tables_loads_no_session(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        await server.join()
    async with serving(tmp_path) as server:
        assert (await party_at(server))["members"][0]["online"] is False
        assert server.running.house.registry.statistics().children == ()


@pytest.mark.parametrize("path", ETAGGED)
async def test_what_has_not_changed_is_not_sent_again(server: Server, path: str) -> None:
    first = await server.call("GET", path, token=HOUSE_TOKEN)
    assert first.headers["cache-control"] == "no-store"
    known = {"If-None-Match": first.headers["etag"]}
    await server.call("GET", path, token=HOUSE_TOKEN, status=304, headers=known)
    async with server.phone(await server.join()) as phone:
        await phone.add()
        await phone.order()
        await phone.until("order_confirmed")
    after = await server.call("GET", path, token=HOUSE_TOKEN, headers=known)
    assert after.headers["etag"] != first.headers["etag"]
    await server.refused("unauthorized", 401, "GET", path, headers=known)


# --- QR codes -------------------------------------------------------------------------------------


def modules_of(svg: str) -> list[list[bool]]:
    """The dark modules that an SVG picture shows, drawn as its path says; the border is cut off."""
    size = int(re.search(r'viewBox="0 0 (\d+) ', svg)[1])  # type: ignore[index]
    dark = [[False] * size for _ in range(size)]
    path = re.search(r'class="qrline"[^>]* d="([^"]+)"', svg)
    assert path is not None
    x, y = 0.0, 0.0
    for command, first, second in re.findall(r"([MmhH])(-?[\d.]+)(?:[ ,]?(-?[\d.]+))?", path[1]):
        if command == "h":
            for column in range(int(x), int(x + float(first))):
                dark[int(y)][column] = True
            x += float(first)
        else:
            moved = (float(first), float(second))
            x, y = moved if command == "M" else (x + moved[0], y + moved[1])
    border = 4
    return [row[border:-border] for row in dark[border:-border]]


async def test_a_qr_code_is_a_picture_of_its_tables_link(tmp_path: Path) -> None:
    async with serving(tmp_path, public_url="https://eat.example/") as server:
        listed = (await server.call("GET", CODES, token=HOUSE_TOKEN)).json()
    assert listed["address"] == "https://eat.example"
    assert listed["addresses"] == ["https://eat.example"]
    assert listed["reachable"] is True
    assert [one["label"] for one in listed["codes"]][:2] == ["T1", "T2"]
    for one in listed["codes"]:
        assert one["link"] == f"https://eat.example/t/{one['code']}"
        drawn = modules_of(one["svg"])
        wanted = segno.make(one["link"], error="q", micro=False).matrix
        assert drawn == [[bool(module) for module in row] for row in wanted]


async def test_the_codes_lead_to_the_address_that_the_staff_came_by(server: Server) -> None:
    for host in ("192.168.1.20:8080", "comanda.local", "[fd00::2]:8080"):
        path, headers = CODES, {"Host": host}
        listed = (await server.call("GET", path, token=HOUSE_TOKEN, headers=headers)).json()
        assert listed["addresses"] == [f"http://{host}"]
        assert listed["reachable"] is True


async def test_a_server_that_listens_on_this_machine_alone_says_that_no_phone_comes_here(
    server: Server,
) -> None:
    listed = (await server.call("GET", CODES, token=HOUSE_TOKEN)).json()
    assert listed["address"] == f"http://127.0.0.1:{server.port}"
    assert listed["reachable"] is False


async def test_an_address_that_was_not_offered_gets_no_code(server: Server) -> None:
    for address in ("http://evil.example", "x" * 600, ""):
        path = f"{CODES}?address={address}"
        await server.refused("bad_message", 400, "GET", path, token=HOUSE_TOKEN)


@pytest.mark.parametrize("host", ["evil.test; x", "a b", "127.0.0.1:99999", "[:::::]:80", "[1.1]"])
async def test_a_host_that_is_none_gets_into_no_code(server: Server, host: str) -> None:
    request = (
        f"GET {CODES} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {HOUSE_TOKEN}\r\n"
        "Connection: close\r\n\r\n"
    )
    heard = (await server.raw(request.encode())).decode()
    status = int(heard.split()[1])
    assert status in (200, 400), heard[:300]
    assert status == 400 or '"link":"http://localhost/t/demo-1"' in heard


LOCAL = ("192.168.1.20", "10.0.0.5", "fd00::5")


@pytest.mark.parametrize(
    ("public_url", "asked_under", "listens_on", "offered"),
    [
        ("https://eat.example/", "http://localhost:80", "::", ("https://eat.example",)),
        (None, "http://10.1.1.1:8080", "0.0.0.0", ("http://10.1.1.1:8080",)),
        (
            None,
            "http://localhost:8080",
            "0.0.0.0",
            ("http://192.168.1.20:8080", "http://10.0.0.5:8080"),
        ),
        (
            None,
            "http://127.0.0.1",
            "",
            ("http://192.168.1.20", "http://10.0.0.5", "http://[fd00::5]"),
        ),
        (None, "http://[::1]:8080", "::", ("http://[fd00::5]:8080",)),
        (None, "http://[::1]:8080", "fd00::7", ("http://[fd00::7]:8080",)),
        (None, "http://127.0.0.1:8080", "127.0.0.1", ("http://127.0.0.1:8080",)),
        (None, "http://app.localhost:8080", "localhost", ("http://app.localhost:8080",)),
        (None, "http://127.0.0.1:8080", "10.0.0.5", ("http://10.0.0.5:8080",)),
    ],
)
def test_the_addresses_offered(
    public_url: str | None, asked_under: str, listens_on: str, offered: tuple[str, ...]
) -> None:
    assert phone_addresses(public_url, asked_under, listens_on, LOCAL) == offered


def test_a_machine_without_a_network_offers_what_it_was_asked_under() -> None:
    asked = "http://localhost:8080"
    assert phone_addresses(None, asked, "0.0.0.0", ()) == (asked,)


def test_the_local_addresses_are_this_machines() -> None:
    for address in local_addresses():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as listener:
            listener.bind((address, 0))  # nobody can bind to another machine's


def test_a_plain_host_is_one() -> None:
    assert all(map(is_plain_host, ("localhost", "a.example:80", "[::1]:8080", "10.0.0.1")))
    assert not any(map(is_plain_host, ("", "a:0", "a:99999", "[1.1]", "a/b", "a b", "x@y")))


# --- The page -------------------------------------------------------------------------------------


async def test_the_staffs_page_is_served_with_all_that_it_loads(server: Server) -> None:
    page = await server.call("GET", "/staff")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    addresses = set(re.findall(r"""(?:src|href)="([^"]+)\"""", page.text))
    assert {address.rpartition("/")[2] for address in addresses} >= {"staff.js", "staff.css"}
    for address in addresses:
        assert address.startswith(f"/static/{static_tree().tree}/")
        assert (await server.http.get(address)).status_code == 200
    known = {"If-None-Match": page.headers["etag"]}
    await server.call("GET", "/staff", status=304, headers=known)
