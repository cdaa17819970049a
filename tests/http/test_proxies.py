"""What a proxy says of who asks: believed from the proxies that a setting names, and from nobody else."""

from pathlib import Path

import pytest

from comanda.config import SettingsUnusable, make_settings
from comanda.http.proxies import MAX_HOPS, TrustedProxies

from .server import serving

MENU = "/api/restaurants/7/menu"
TRUSTED = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        ("127.0.0.1", ["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        ("127.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::/64"),
        ("127.0.0.1", ["2001:DB8:0::7"], "2001:db8::/64"),
        ("fd00::1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.1", ["198.51.100.1"], "203.0.113.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, <script>"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, _hidden, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [",,, ,"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1" + ", 10.1.2.3" * MAX_HOPS], "10.1.2.3"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_last_address_that_is_no_trusted_proxys_counts(
    peer: str, headers: list[str], address: str
) -> None:
    assert TrustedProxies(TRUSTED).address(peer, headers) == address


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::7", "2001:db8::ffff:1", True),
        ("2001:db8::7", "2001:db8:0:1::7", False),
        ("203.0.113.1", "203.0.113.2", False),
        ("::ffff:203.0.113.1", "203.0.113.1", True),
    ],
)
def test_whoever_has_a_whole_network_of_ipv6_is_counted_as_one(
    one: str, other: str, same: bool
) -> None:
    proxies = TrustedProxies()
    assert (proxies.address(one, []) == proxies.address(other, [])) == same


def test_with_no_trusted_proxy_nobodys_word_counts() -> None:
    proxies = TrustedProxies()
    assert proxies.address("127.0.0.1", ["198.51.100.1"]) == "127.0.0.1"
    assert proxies.scheme("127.0.0.1", "ws", ["https"]) == "http"


@pytest.mark.parametrize(
    ("peer", "said", "scheme"),
    [
        ("127.0.0.1", ["https"], "https"),
        ("127.0.0.1", ["WSS"], "https"),
        ("127.0.0.1", ["https, http"], "http"),
        ("127.0.0.1", ["http", "https"], "https"),
        ("127.0.0.1", ["gopher"], "http"),
        ("127.0.0.1", [], "http"),
        ("203.0.113.1", ["https"], "http"),
    ],
)
def test_the_scheme_is_the_one_a_trusted_proxy_was_asked_by(
    peer: str, said: list[str], scheme: str
) -> None:
    assert TrustedProxies(TRUSTED).scheme(peer, "ws", said) == scheme


@pytest.mark.parametrize("wrong", ["proxy", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "*"])
def test_what_is_no_address_or_would_believe_everybody_is_told_by_name(wrong: str) -> None:
    with pytest.raises(SettingsUnusable, match=r"^trusted_proxies") as told:
        make_settings(trusted_proxies=f"127.0.0.1 {wrong}")
    assert wrong in str(told.value)


async def test_guests_behind_a_trusted_proxy_each_have_their_own_limit(tmp_path: Path) -> None:
    few = {"request_burst": 2, "requests_per_second": 0.001}
    async with serving(tmp_path, trusted_proxies="127.0.0.1", **few) as server:
        for guest in ("203.0.113.1", "203.0.113.2"):
            for invented in ("198.51.100.1", "198.51.100.2"):
                from_guest = {"X-Forwarded-For": f"{invented}, {guest}"}
                await server.call("GET", MENU, headers=from_guest)
            await server.call("GET", MENU, status=429, headers=from_guest)
        await server.call("GET", MENU)


@pytest.mark.parametrize("trusted", [(), ("203.0.113.0/24",)])
async def test_who_is_no_trusted_proxy_gets_no_new_limit_by_a_header(
    trusted: tuple[str, ...], tmp_path: Path
) -> None:
    few = {"request_burst": 2, "requests_per_second": 0.001}
    async with serving(tmp_path, trusted_proxies=trusted, **few) as server:
        for number, status in enumerate((200, 200, 429)):
            invented = {"X-Forwarded-For": f"198.51.100.{number}"}
            await server.call("GET", MENU, status=status, headers=invented)


async def test_connections_are_counted_by_the_address_that_a_trusted_proxy_tells(
    tmp_path: Path,
) -> None:
    few = {"connections_per_address": 1}
    async with serving(tmp_path, trusted_proxies="127.0.0.1", **few) as server:
        ana = await server.join()
        async with (
            server.socket(ana, headers={"X-Forwarded-For": "203.0.113.1"}),
            server.socket(ana, headers={"X-Forwarded-For": "203.0.113.2"}),
        ):
            again = {"X-Forwarded-For": "198.51.100.9, 203.0.113.2"}
            assert (await server.handshake_refused(ana, headers=again)).status_code == 429


@pytest.mark.parametrize(
    ("trusted", "proto", "origin", "let_in"),
    [
        ("127.0.0.1", "https", "https", True),
        ("127.0.0.1", "https", "http", False),
        ("127.0.0.1", "http", "https", False),
        ((), "https", "https", False),
        ((), "https", "http", True),
    ],
)
async def test_the_origin_check_takes_the_scheme_from_trusted_proxies_alone(
    trusted: str, proto: str, origin: str, let_in: bool, tmp_path: Path
) -> None:
    async with serving(tmp_path, trusted_proxies=trusted) as server:
        ana = await server.join()
        sent = {
            "X-Forwarded-Proto": proto,
            "Origin": f"{origin}://127.0.0.1:{server.port}",
        }
        if let_in:
            async with server.socket(ana, headers=sent) as socket:
                await socket.say("join", token=ana.token)
                await socket.until("cart_snapshot")
        else:
            assert (await server.handshake_refused(ana, headers=sent)).status_code == 403


async def test_the_join_answer_leads_to_wss_behind_a_trusted_proxy_with_tls(tmp_path: Path) -> None:
    async with serving(tmp_path, trusted_proxies="127.0.0.1") as server:
        path, body = "/api/tables/demo-1/join", {"name": "Ana"}
        sent = {"X-Forwarded-Proto": "https", "Host": "orders.example"}
        joined = await server.call("POST", path, status=201, json=body, headers=sent)
        assert joined.json()["ws_url"].startswith("wss://orders.example/ws/")
