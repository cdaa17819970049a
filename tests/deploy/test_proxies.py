"""A table orders dinner through nginx and through Caddy, set up as the files in `deploy/` say."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from comanda.client import open_table
from tests.certificates import needs_openssl
from tests.server_process import Server, a_server

from .proxies import Command, Proxy, caddy, nginx, standing_before

PATIENCE_SECONDS = 90
JSON = {"Content-Type": "application/json"}
MENU = "/api/restaurants/7/menu"
TRUSTING = {"COMANDA_TRUSTED_PROXIES": "127.0.0.1", "COMANDA_RATE_LIMITS": "on"}
pytestmark = [
    needs_openssl,
    pytest.mark.parametrize("command", [nginx, caddy], ids=["nginx", "caddy"]),
]


@asynccontextmanager
async def behind(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[tuple[Server, Proxy]]:
    """A real server, and the proxy before it, whose certificate the client trusts."""
    with trio.fail_after(PATIENCE_SECONDS):
        (folder / "house").mkdir()
        options = ("--pos-delay", "0", "--pos-success-rate", "1")
        async with a_server(folder / "house", *options, **TRUSTING, **settings) as server:
            with standing_before(server.port, folder / "proxy", command) as proxy:
                monkeypatch.setenv("SSL_CERT_FILE", str(proxy.certificate.certificate))
                yield server, proxy


@asynccontextmanager
async def asking_from(address: str, proxy: Proxy) -> AsyncIterator[httpx.AsyncClient]:
    """A guest with an address of the loopback's many."""
    transport = httpx.AsyncHTTPTransport(
        local_address=address, verify=ssl.create_default_context(), trust_env=False
    )
    async with httpx.AsyncClient(base_url=proxy.url, transport=transport, timeout=None) as http:
        yield http


async def status_of(proxy: Proxy, request: str, *headers: str) -> int:
    """The status that a request's head alone is answered with."""
    context = ssl.create_default_context()
    tcp = await trio.open_tcp_stream("127.0.0.1", proxy.port)
    async with trio.SSLStream(
        tcp, context, server_hostname="localhost", https_compatible=True
    ) as stream:
        head = [f"{request} HTTP/1.1", f"Host: localhost:{proxy.port}", *headers, "", ""]
        await stream.send_all("\r\n".join(head).encode())
        answer = b""
        while b"\r\n" not in answer:
            some = await stream.receive_some()
            assert some, answer
            answer += some
    return int(answer.split()[1])


async def test_a_table_orders_over_wss_and_comes_back_when_the_server_has_restarted(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(command, tmp_path, monkeypatch) as (server, proxy):
        async with (
            open_table(proxy.url, "demo-1", "Ana-in-no-log") as ana,
            open_table(proxy.url, "demo-1", "Ben") as ben,
        ):
            await ana.add_to_cart(456, 2)
            await ben.wait_for(lambda store: len(store.items) == 1, PATIENCE_SECONDS)
            order_id = await ben.place_order()
            await ana.wait_for(lambda store: len(store.orders) == 1, PATIENCE_SECONDS)
            assert ana.store.orders[0].order_id == order_id

            await server.stop()
            async with asking_from("127.0.0.1", proxy) as http:
                assert (await http.get("/t/demo-1")).status_code == 502
                assert (await http.post("/api/tables/demo-1/join")).status_code == 502
            await server.start()
            await ana.add_to_cart(457, 1)
            await ben.wait_for(lambda store: len(store.items) == 1, PATIENCE_SECONDS)
            for guest in (ana, ben):
                assert guest.member_token not in proxy.logged()
        # The evening is on record, and nothing by which somebody could sit down or be found.
        for secret in ("demo-1", "Ana-in-no-log"):
            assert secret not in proxy.logged()
        access = (proxy.logs / "comanda.log").read_text()
        assert "/api/tables/-" in access
        assert "/ws/sessions/" in access
        assert "127.0.0.1" not in access.replace(f"127.0.0.1:{server.port}", "")


async def test_limits_are_each_guests_own_and_no_header_gets_round_them(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"COMANDA_REQUEST_BURST": "3", "COMANDA_REQUESTS_PER_SECOND": "0.001"}
    async with (
        behind(command, tmp_path, monkeypatch, **few) as (_, proxy),
        asking_from("127.0.0.2", proxy) as ana,
        asking_from("127.0.0.3", proxy) as ben,
    ):
        for number, status in enumerate((200, 200, 200, 429, 429)):
            invented = f"198.51.100.{number}"
            forged = {
                "X-Forwarded-For": invented,
                "X-Real-IP": invented,
                "Forwarded": f"for={invented}",
            }
            assert (await ana.get(MENU, headers=forged)).status_code == status
        assert (await ben.get(MENU)).status_code == 200
        as_ben = {"X-Forwarded-For": "127.0.0.3"}
        assert (await ana.get(MENU, headers=as_ben)).status_code == 429


async def test_the_proxy_tells_scheme_and_name_so_that_its_own_pages_alone_may_open_websockets(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(command, tmp_path, monkeypatch) as (_, proxy):
        async with asking_from("127.0.0.1", proxy) as http:
            page = await http.get("/t/demo-1")
            assert page.status_code == 200
            assert page.headers["strict-transport-security"] == "max-age=31536000"
            assert "default-src" in page.headers["content-security-policy"]
            joined = (await http.post("/api/tables/demo-1/join", json={"name": "Ana"})).json()
        assert joined["ws_url"].startswith(f"wss://localhost:{proxy.port}/ws/sessions/")
        path = joined["ws_url"].partition(f":{proxy.port}")[2]
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        for origin, status in (
            (proxy.url, 101),
            (f"http://localhost:{proxy.port}", 403),
            ("https://evil.example", 403),
        ):
            told = (*upgrade, key, f"Origin: {origin}")
            assert await status_of(proxy, f"GET {path}", *told) == status


async def test_sizes_the_plain_port_and_the_metrics_are_as_the_page_says(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with behind(command, tmp_path, monkeypatch) as (server, proxy):
        async with asking_from("127.0.0.1", proxy) as http:
            join = "/api/tables/demo-1/join"
            of_ours = await http.post(join, content=b"x" * 100_000, headers=JSON)
            assert (of_ours.status_code, of_ours.json()["code"]) == (413, "payload_too_large")
            endless = ("Content-Type: application/json", "Content-Length: 1000000000")
            assert await status_of(proxy, f"POST {join}", *endless) == 413
            assert (await http.get(MENU, headers={"X-Long": "x" * 40_000})).status_code in (
                400,
                431,
            )
            assert (await http.get("/metrics")).status_code == 404
            assert (await http.get(f"http://127.0.0.1:{server.port}/metrics")).status_code == 200
            plain = f"http://localhost:{proxy.plain_port}/t/demo-1"
            moved = await http.get(plain)
        assert (moved.status_code, moved.headers["location"].partition(":")[0]) in (
            (301, "https"),
            (308, "https"),
        )
