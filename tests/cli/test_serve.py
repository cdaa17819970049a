"""`comanda serve` as an operator meets it."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from comanda.actors.domain.messages import Join, encode
from tests.http.test_staff import two_restaurants

from .helpers import PATIENCE_SECONDS, a_server, run


def database_in(path: Path) -> str:
    return f"sqlite+aiosqlite:///{path}"


async def everything_until_the_close(socket: WebSocketConnection) -> list[str]:
    heard: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            heard.append(str(await socket.get_message()))
    return heard


def one_sentence(stderr: str) -> str:
    """Standard error is one line that names the command, and no stack trace."""
    assert "Traceback" not in stderr
    [line] = stderr.strip().splitlines()
    assert line.startswith("comanda: ")
    return line


def test_one_line_gives_the_url_when_traffic_is_taken_and_each_table_has_its_link(
    tmp_path: Path,
) -> None:
    with a_server(tmp_path, tables=2) as server:
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert server.links == [
            f"  demo-1  {server.url}/t/demo-1",
            f"  demo-2  {server.url}/t/demo-2",
        ]
        assert server.staff == f"  staff   {server.url}/staff"


def test_without_a_staff_token_it_says_that_nobody_can_sign_in(tmp_path: Path) -> None:
    with a_server(tmp_path, staff_token=None) as server:
        assert server.staff == (
            f"  staff   {server.url}/staff  nobody can sign in: no COMANDA_STAFF_TOKEN is set"
        )


def test_a_restaurants_own_staff_token_is_one_to_sign_in_with(tmp_path: Path) -> None:
    menu = ("--menu", str(two_restaurants(tmp_path)))
    with a_server(tmp_path, *menu, tables=0, staff_token=None) as server:
        assert server.staff == f"  staff   {server.url}/staff"


async def test_sigterm_ends_it_with_code_0_and_members_hear_1012(tmp_path: Path) -> None:
    with a_server(tmp_path) as server, trio.fail_after(PATIENCE_SECONDS):
        async with httpx.AsyncClient(base_url=server.url) as http:
            answer = await http.post("/api/tables/demo-1/join", json={"name": "Ana"})
        seat = msgspec.json.decode(answer.content)
        host, _, port = server.url.removeprefix("http://").partition(":")
        path = f"/ws/sessions/{seat['session_pid']}"
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            async with trio.open_nursery() as nursery:
                socket = await wrap_client_stream(nursery, stream, host, path)
                await socket.send_message(encode(Join(seat["member_token"])).decode())
                assert "cart_snapshot" in str(await socket.get_message())
                server.process.terminate()
                heard = await everything_until_the_close(socket)
            assert socket.closed is not None
            assert socket.closed.code == 1012
        assert any("server_closing" in frame for frame in heard)
        code = await trio.to_thread.run_sync(server.process.wait, PATIENCE_SECONDS)
        assert code == 0


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with a_server(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        done = run("serve", "--port", port, "--database", database_in(tmp_path / "other.db"))
    assert done.returncode == 2
    assert f"127.0.0.1:{port} is in use" in one_sentence(done.stderr)
    assert done.stdout == ""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_database_is_told_in_one_sentence(tmp_path: Path) -> None:
    database = tmp_path / "comanda.db"
    with a_server(tmp_path) as server:
        assert server.end() == 0
    database.chmod(0o400)
    done = run("serve", "--port", "0", "--database", database_in(database))
    assert done.returncode == 2
    assert "read-only" in one_sentence(done.stderr)


def test_a_file_that_is_no_database_is_told_in_one_sentence(tmp_path: Path) -> None:
    database = tmp_path / "comanda.db"
    database.write_text("Dear diary, this is no database. " * 200)
    done = run("serve", "--port", "0", "--database", database_in(database))
    assert done.returncode == 2
    assert "is not a database" in one_sentence(done.stderr)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    database = tmp_path / "comanda.db"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE diary (day TEXT)")
    connection.close()
    done = run("serve", "--port", "0", "--database", database_in(database))
    assert done.returncode == 2
    assert "diary" in one_sentence(done.stderr)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[[restaurants]\n", "line 1"),
        ('[[restaurants]]\nid = 1\nname = "R"\ncurrency = "INR"\n', "sections"),
    ],
    ids=["no TOML", "a key is missing"],
)
def test_a_bad_menu_file_is_told_in_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    menu = tmp_path / "menu.toml"
    menu.write_text(content)
    database = database_in(tmp_path / "comanda.db")
    done = run("serve", "--port", "0", "--menu", str(menu), "--database", database)
    assert done.returncode == 2
    assert "menu.toml" in one_sentence(done.stderr)
    assert said in done.stderr


def test_a_setting_out_of_range_is_told_in_one_sentence(tmp_path: Path) -> None:
    database = database_in(tmp_path / "comanda.db")
    done = run("serve", "--port", "0", "--database", database, "--pos-success-rate", "2")
    assert done.returncode == 2
    assert "pos_success_rate" in one_sentence(done.stderr)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "The POS secret file"),
        ("", "is empty"),
        ("sesame\n", "pos_secret: it does not begin with whsec_"),
        ("whsec_", "pos_secret: nothing follows whsec_"),
        ("whsec_c2Vj*mV0cw==", "pos_secret: what follows whsec_ is not base64"),
        ("whsec_c2Vjc\u00e9V0cw==", "pos_secret: what follows whsec_ is not base64"),
    ],
)
def test_a_secret_of_the_pos_that_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, content: str | None, said: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_text(content, "utf-8")
    database = database_in(tmp_path / "comanda.db")
    options = ("--port", "0", "--database", database, "--pos-secret-file", str(secret))
    done = run("serve", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in one_sentence(done.stderr)
    if content and content.strip() != "whsec_":
        assert content.strip().removeprefix("whsec_") not in done.stderr
    assert not (tmp_path / "comanda.db").exists()
