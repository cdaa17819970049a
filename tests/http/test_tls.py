"""TLS by the server itself: the real client over it, and those who shake hands badly or not at all."""

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from quart_trio import QuartTrio

from comanda.app import Running, serve
from comanda.client import open_table
from comanda.config import SettingsUnusable, make_settings
from comanda.http.worker import WorkerLimits, bind
from comanda.http.worker import serve as serve_http
from comanda.tls import server_context
from tests.certificates import Certificate, make_certificate, needs_openssl
from tests.server_process import a_server

from .server import settings_for

PATIENCE_SECONDS = 20
pytestmark = needs_openssl


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


def trusting(certified: Certificate) -> ssl.SSLContext:
    """A client's side that trusts this certificate."""
    return ssl.create_default_context(cafile=str(certified.certificate))


@asynccontextmanager
async def hello_over_tls(certified: Certificate, **limits: Any) -> AsyncIterator[int]:
    """A small application on the same worker; its port. At the end nothing may have been logged."""
    app = QuartTrio(__name__)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    settings = make_settings(tls_certificate=certified.certificate, tls_key=certified.key)
    [listener] = bind("127.0.0.1", 0)
    stop = trio.Event()
    logged: list[str] = []
    run = partial(
        serve_http,
        app,
        [listener],
        shutdown=stop,
        log_error=lambda event, **_: logged.append(event),
        limits=WorkerLimits(**limits),
        ssl_context=server_context(settings),
    )
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            yield listener.getsockname()[1]
            stop.set()
    assert logged == []


async def read_to_end(stream: trio.abc.Stream) -> bytes:
    heard = b""
    with suppress(trio.BrokenResourceError):
        while part := await stream.receive_some():
            heard += part
    return heard


async def says_hello(port: int, side: ssl.SSLContext) -> bool:
    """Whether a client of this kind is served."""
    tcp = await trio.open_tcp_stream("127.0.0.1", port)
    async with trio.SSLStream(tcp, side, server_hostname="localhost", https_compatible=True) as tls:
        await tls.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return (await read_to_end(tls)).endswith(b"hello")


async def test_a_table_orders_over_wss_with_the_real_client(
    certified: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certified.certificate))
    (tmp_path / "house").mkdir()
    options = ["--tls-certificate", str(certified.certificate), "--tls-key", str(certified.key)]
    options += ["--pos-delay", "0", "--pos-success-rate", "1"]
    with trio.fail_after(PATIENCE_SECONDS * 2):
        async with a_server(tmp_path / "house", *options) as server:
            assert server.url == f"https://127.0.0.1:{server.port}"
            async with (
                open_table(server.url, "demo-1", "Ana") as ana,
                open_table(server.url, "demo-1", "Ben") as ben,
            ):
                await ana.add_to_cart(456, 2)
                await ben.wait_for(lambda store: len(store.items) == 1, PATIENCE_SECONDS)
                order_id = await ben.place_order()
                for guest in (ana, ben):
                    await guest.wait_for(lambda store: len(store.orders) == 1, PATIENCE_SECONDS)
                    assert guest.store.orders[0].order_id == order_id
                await server.stop()
                await server.start()
                await ana.add_to_cart(457, 1)  # The phone came back by itself.
            assert "serves websockets the slow way" in server.log.read_text()


async def test_a_client_that_does_not_know_the_certificate_does_not_sit_down(
    certified: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    settings = settings_for(tmp_path, tls_certificate=certified.certificate, tls_key=certified.key)
    shutdown = trio.Event()
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            running: Running = await nursery.start(partial(serve, settings, shutdown=shutdown))
            with pytest.raises(httpx.ConnectError):
                async with open_table(running.url, "demo-1", "Ana"):
                    pass
            shutdown.set()


async def test_who_says_nothing_in_the_handshake_is_dropped_in_time(certified: Certificate) -> None:
    async with hello_over_tls(certified, tls_handshake_seconds=0.2) as port:
        for first in (b"", b"\x16\x03\x01"):  # Nothing at all; half a record's head.
            async with await trio.open_tcp_stream("127.0.0.1", port) as silent:
                if first:
                    await silent.send_all(first)
                assert await read_to_end(silent) == b""
        assert await says_hello(port, trusting(certified))


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        os.urandom(4000),
        b"\x16\x03\x01\xff\xff" + b"\0" * 4000,
    ],
    ids=["plain HTTP", "noise", "a record that is too long"],
)
async def test_a_failed_handshake_ends_one_connection_and_is_no_error_of_the_log(
    said: bytes, certified: Certificate
) -> None:
    async with hello_over_tls(certified) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stranger:
            await stranger.send_all(said)
            assert b"hello" not in await read_to_end(stranger)
        assert await says_hello(port, trusting(certified))


async def test_who_leaves_in_the_middle_of_a_handshake_is_no_error_of_the_log(
    certified: Certificate,
) -> None:
    side, incoming, outgoing = trusting(certified), ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        side.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    async with hello_over_tls(certified) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as hasty:
            await hasty.send_all(outgoing.read())
            assert await hasty.receive_some()
        assert await says_hello(port, side)


async def test_one_connection_too_many_is_not_shaken_hands_with(certified: Certificate) -> None:
    async with hello_over_tls(certified, max_connections=1) as port:
        async with (
            await trio.open_tcp_stream("127.0.0.1", port) as first,
            await trio.open_tcp_stream("127.0.0.1", port) as second,
        ):
            assert await read_to_end(second) == b""
            await first.send_all(b"no handshake")
            await read_to_end(first)
        assert await says_hello(port, trusting(certified))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize("version", ["TLSv1_1", "TLSv1_2", "TLSv1_3"])
async def test_nothing_older_than_tls_1_2_is_spoken(version: str, certified: Certificate) -> None:
    side = trusting(certified)
    side.set_ciphers("DEFAULT:@SECLEVEL=0")  # Else this client would not even offer 1.1.
    side.minimum_version = side.maximum_version = ssl.TLSVersion[version]
    async with hello_over_tls(certified) as port:
        if version != "TLSv1_1":
            assert await says_hello(port, side)
        else:
            with pytest.raises(trio.BrokenResourceError):
                await says_hello(port, side)


# The settings


@pytest.mark.parametrize("alone", ["tls_certificate", "tls_key"])
def test_a_certificate_and_its_key_go_together(alone: str, certified: Certificate) -> None:
    with pytest.raises(SettingsUnusable, match="give both, or neither"):
        make_settings(**{alone: certified.key})


def test_what_is_no_certificate_with_its_key_is_told_in_words(
    certified: Certificate, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other")
    (tmp_path / "locked").mkdir()
    locked = make_certificate(tmp_path / "locked", passphrase="sesame")
    missing = tmp_path / "missing.pem"
    for certificate, key, said in (
        (certified.certificate, missing, f"tls_key: {missing} cannot be read"),
        (missing, certified.key, f"tls_certificate: {missing} cannot be read"),
        (certified.certificate, other.key, "KEY_VALUES_MISMATCH"),
        (certified.key, certified.key, "no certificate"),
        (locked.certificate, locked.key, "passphrase"),
    ):
        settings = make_settings(tls_certificate=certificate, tls_key=key)
        with pytest.raises(SettingsUnusable) as told:
            server_context(settings)
        assert said in str(told.value)
        assert "sesame" not in str(told.value)


async def test_a_server_whose_certificate_cannot_be_used_does_not_listen(
    certified: Certificate, tmp_path: Path
) -> None:
    settings = settings_for(
        tmp_path, tls_certificate=certified.certificate, tls_key=tmp_path / "missing.pem"
    )
    with pytest.raises(SettingsUnusable, match="cannot be read"):
        await serve(settings, shutdown=trio.Event())
    with pytest.raises(SettingsUnusable):
        await serve(settings, shutdown=trio.Event())
