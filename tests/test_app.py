"""A whole server: how it starts, what it refuses to start with, and how it ends."""

import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import trio

from chaos.ports import held_port
from comanda.app import Running, serve
from comanda.config import SettingsUnusable
from comanda.http.keys import KeyFileUnusable, load_or_make_keys
from comanda.menu_file import MenuFileError
from comanda.pos.dummy import DummyPos
from comanda.storage.store import DatabaseUnusable

from .http.server import HOUSE_TOKEN, MARGHERITA, Server, serving, settings_for

MENU = """
[[restaurants]]
id = 1
name = "One"
currency = "EUR"
tables = [{{ code = "one-1", label = "A" }}]
sections = [{{ name = "All", items = [{{ id = 1, name = "Soup", price = {price} }}] }}]
"""


def write_menu(folder: Path, price: str) -> Path:
    path = folder / "menu.toml"
    path.write_text(MENU.format(price=price))
    return path


async def refused(folder: Path, error: type[Exception], words: str, **given: Any) -> None:
    """Serving with these settings ends at once with this error and these words."""
    with trio.fail_after(10), pytest.raises(error) as told:
        await serve(settings_for(folder, **given), shutdown=trio.Event())
    assert words in str(told.value)


async def test_a_server_on_a_new_file_serves_the_demonstration(tmp_path: Path) -> None:
    database = f"sqlite+aiosqlite:///{tmp_path}/new.db"
    async with serving(tmp_path, database=database, demo_tables=2) as server:
        running = server.running
        assert running.table_codes == ("demo-1", "demo-2")
        assert running.url == f"http://127.0.0.1:{running.port}"
        await server.join("demo-2")
        await server.refused("not_found", 404, "GET", "/api/tables/demo-3")
    assert (tmp_path / "new.db").exists()


async def test_the_dummy_pos_serves_where_no_other_is_given(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, pos_delay=0, pos_success_rate=1)
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[Running]) -> None:
            await serve(settings, shutdown=shutdown, task_status=task_status)

        await nursery.start(run)
        shutdown.set()
    async with (
        serving(tmp_path, DummyPos(0, 0.5)) as server,
        server.phone(await server.join()) as phone,
    ):
        for words, outcome in (("pos:accept", "order_confirmed"), ("pos:reject", "order_failed")):
            await phone.add()
            await phone.order(special_instructions=words)
            await phone.until(outcome)


async def test_it_ends_by_itself_when_asked_though_guests_are_there(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        async with server.phone(await server.join()) as phone:
            server.shutdown.set()
            assert (await phone.closed())[0] == 1012
        await server.stop()
        with pytest.raises(OSError, match=r"."):
            await trio.open_tcp_stream("127.0.0.1", server.port)


async def test_cancelled_it_ends_at_once_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[Running]) -> None:
            await serve(settings, shutdown=trio.Event(), task_status=task_status)

        running = await nursery.start(run)
        joined = await running.house.join_table("demo-1", "Ana")
        nursery.cancel_scope.cancel()
    async with serving(tmp_path) as server:
        table = (await server.call("GET", "/api/tables/demo-1")).json()
        assert table["session_open"] is True
        assert (await server.join(name="Ben")).pid == joined.key.pid


# --- What it does not start with ------------------------------------------------------------------


async def test_a_port_in_use_is_told_as_the_system_says_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = settings_for(tmp_path).model_copy(update={"port": taken.getsockname()[1]})
        with pytest.raises(OSError, match="Address already in use"):
            await serve(settings, shutdown=trio.Event())


async def test_it_starts_on_the_port_again_after_a_start_that_failed(tmp_path: Path) -> None:
    bad = settings_for(tmp_path, database=f"sqlite+aiosqlite:///{tmp_path}/no/such/folder.db")
    with held_port() as port:
        with pytest.raises(DatabaseUnusable):
            await serve(bad.model_copy(update={"port": port}), shutdown=trio.Event())
        settings = settings_for(tmp_path).model_copy(update={"port": port})
        shutdown = trio.Event()
        async with trio.open_nursery() as nursery:

            async def run(task_status: trio.TaskStatus[Running]) -> None:
                await serve(settings, shutdown=shutdown, task_status=task_status)

            assert (await nursery.start(run)).port == port
            shutdown.set()


async def test_what_is_wrong_is_told_by_name(tmp_path: Path) -> None:
    await refused(tmp_path, MenuFileError, "none.toml", menu=tmp_path / "none.toml")
    await refused(tmp_path, SettingsUnusable, "no-token", staff_token_file=tmp_path / "no-token")
    await refused(tmp_path, SettingsUnusable, "no-key", pos_token_file=tmp_path / "no-key")
    await refused(
        tmp_path, DatabaseUnusable, "folder", database=f"sqlite+aiosqlite:///{tmp_path}/none/x.db"
    )
    await refused(tmp_path, KeyFileUnusable, str(tmp_path), key_file=tmp_path)
    short = tmp_path / "short.key"
    short.touch(mode=0o600)
    short.write_text("abcd")
    await refused(tmp_path, KeyFileUnusable, "no key of 32 bytes", key_file=short)
    short.write_text("no hex at all")
    await refused(tmp_path, KeyFileUnusable, "short.key", key_file=short)


# --- The key --------------------------------------------------------------------------------------


async def test_the_key_is_made_once_and_its_owner_alone_may_read_it(tmp_path: Path) -> None:
    key = tmp_path / "comanda.key"
    async with serving(tmp_path):
        first = key.read_text()
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    async with serving(tmp_path):
        assert key.read_text() == first
    assert load_or_make_keys(key) == (bytes.fromhex(first),)
    assert load_or_make_keys(tmp_path / "other.key") != load_or_make_keys(key)


def test_a_key_that_could_not_be_written_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(KeyFileUnusable, match="No space left"):
            load_or_make_keys(tmp_path / "a.key")
    assert len(load_or_make_keys(tmp_path / "a.key")[0]) == 32


# --- The menu over restarts -----------------------------------------------------------------------


async def test_a_changed_price_outlives_a_restart_with_the_same_menu_file(tmp_path: Path) -> None:
    menu = write_menu(tmp_path, "4.50")
    async with serving(tmp_path, menu=menu) as server:
        assert await _price(server) == 4.5
        await server.call(
            "PATCH",
            "/api/restaurants/1/menu/1",
            token=HOUSE_TOKEN,
            json={"price": 5.0, "available": False},
        )
    async with serving(tmp_path, menu=menu) as server:
        assert await _price(server) == 5.0
    write_menu(tmp_path, "6.00")
    async with serving(tmp_path, menu=menu) as server:
        assert await _price(server) == 6.0


async def test_a_changed_menu_file_reaches_the_cart_of_an_open_session(tmp_path: Path) -> None:
    menu = write_menu(tmp_path, "4.50")
    async with serving(tmp_path, menu=menu) as server:
        ana = await server.join("one-1")
        async with server.phone(ana) as phone:
            await phone.add(1, 2)
    write_menu(tmp_path, "6.00")
    async with serving(tmp_path, menu=menu) as server:
        assert (await server.cart(ana))["total"] == 12.0


async def test_what_a_changed_file_no_longer_has_is_closed(tmp_path: Path) -> None:
    menu = write_menu(tmp_path, "4.50")
    async with serving(tmp_path, menu=menu) as server:
        ana = await server.join("one-1")
    menu.write_text(MENU.format(price="4.50").replace("one-1", "one-2"))
    async with serving(tmp_path, menu=menu) as server:
        await server.refused("not_found", 404, "GET", "/api/tables/one-1")
        assert server.running.table_codes == ("one-2",)
        assert (await server.cart(ana))["items"] == []


async def _price(server: Server) -> float:
    menu = (await server.call("GET", "/api/restaurants/1/menu")).json()
    price: float = menu["sections"][0]["items"][0]["price"]
    return price


async def test_client_settings_are_the_servers(tmp_path: Path) -> None:
    async with serving(tmp_path, order_timeout=7, retry_limit=0, poll_interval=1.5) as server:
        answer = (await server.join()).answer
        assert answer["settings"] == {
            "order_timeout_seconds": 7,
            "reconnect_timeout_seconds": 5,
            "poll_interval_seconds": 1.5,
            "retry_limit": 0,
            "retry_delay_seconds": 2,
        }
        async with server.phone(await server.join()) as phone:
            await phone.add(MARGHERITA)
