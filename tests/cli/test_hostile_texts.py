"""What strangers write reaches no terminal as a command: real servers, real output, real logs."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.signing import SECRET, signed

from .helpers import SHORT_LOCK, STAFF_TOKEN, Server, a_server, on_a_terminal, run

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\x9d0;x\x9c\x90q\x85\u202etxt\u202c\u2066\u2067y\u2069\x7f"
HARM = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\x1b[^\\[]")
OUR_OWN = re.compile(r"\x1b\[(?:\d+(?:;\d+)*)?m|\x1b\[\?\d+[hl]|\x1b\[H|\r")
"""Colours, the cursor's hiding, another screen and its corner: what rich writes itself."""


def assert_harmless(shown: str) -> None:
    left = OUR_OWN.sub("", shown)
    assert "owned" in left  # what was written is shown; it only commands nothing
    assert HARM.search(left) is None, ascii(left)
    assert "\x1b" not in left, ascii(left)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server with a table where a name, a note, instructions and the POS's words are hostile."""
    menu = folder / "menu.toml"
    menu.write_text(
        "[[restaurants]]\nid = 7\ncurrency = 'INR'\n"
        f"name = {json.dumps('House ' + EVIL)}\n"
        f"tables = [{{ code = 'one', label = {json.dumps('T1' + EVIL)} }}]\n"
        f"sections = [{{ name = {json.dumps('All' + EVIL)}, items = "
        f"[{{ id = 1, name = {json.dumps('Soup' + EVIL)}, price = 4 }}] }}]\n".replace(
            "\x7f", "\\u007f"
        ),
        encoding="utf-8",
    )
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    options = ("--menu", str(menu), "--pos-secret-file", str(secret), "--log-format", "console")
    limits = (*SHORT_LOCK, "--log-level", "debug")
    with a_server(folder, *options, *limits, tables=0) as running:
        yield running


@pytest.fixture(scope="module")
def order_id(server: Server, folder: Path) -> str:
    """An order of that table, refused by its POS in hostile words."""
    typed = f"a 1 2 {EVIL}\no pos:hang\n"
    done = run("join", "one", "--name", "Eve" + EVIL, "--server", server.url, typed=typed)
    found = re.search(r"ORD-7-\d+", done.stdout)
    assert found is not None, (done.stdout, done.stderr)
    body = json.dumps(
        {
            "event_id": "evt" + EVIL,
            "order_id": found[0],
            "status": "rejected",
            "code": EVIL,
            "message": "No " + EVIL,
        }
    ).encode()
    url = f"{server.url}/api/pos/callbacks"
    answer = httpx.post(url, content=body, headers=signed(body), trust_env=False, timeout=30)
    assert answer.status_code == 204, answer.text
    return found[0]


def test_join_shows_hostile_texts_as_text(server: Server, order_id: str) -> None:
    typed = f"m\na 1 1 {EVIL}\nw\n{EVIL}\n"
    done = run("join", "one", "--name", "Ana" + EVIL, "--server", server.url, typed=typed)
    assert done.returncode == 0
    assert_harmless(done.stdout)
    with on_a_terminal("join", "one", "--name", "Ben", "--server", server.url) as ben:
        shown = ben.wait_for("> ")
        ben.type("w\n")
        ben.wait_for("Eve", shown)
        ben.type("q\n")
        assert ben.wait_for_end() == 0
    assert_harmless(ben.seen)


COMMANDS = [
    ("orders",),
    ("orders", "--json"),
    ("inspect",),
    ("inspect", "--json"),
    ("top", "--once"),
]


def whole(words: tuple[str, ...], server: Server, order_id: str, folder: Path) -> tuple[str, ...]:
    """The command with what it needs to find this server, or its storage."""
    if words[0] == "inspect":
        return (*words, order_id, "--database", f"sqlite+aiosqlite:///{folder / 'comanda.db'}")
    token = folder / "token"
    token.write_text(STAFF_TOKEN)
    return (*words, "--server", server.url, "--staff-token-file", str(token))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_staffs_commands_show_hostile_texts_as_text(
    words: tuple[str, ...], server: Server, order_id: str, folder: Path
) -> None:
    command = whole(words, server, order_id, folder)
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert_harmless(done.stdout)
    with on_a_terminal(*command, columns=250) as terminal:
        assert terminal.wait_for_end() == 0
    assert_harmless(terminal.seen)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_storage_holds_from_elsewhere_is_shown_as_text_too(
    more: tuple[str, ...], server: Server, order_id: str, folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with sqlite3.connect(folder / "comanda.db") as original, sqlite3.connect(copy) as written:
        original.backup(written)
        written.execute("DROP TRIGGER members_name")  # as whoever can write the file can
        written.execute("UPDATE members SET name = ?", (EVIL,))
    done = run("inspect", order_id, "--database", f"sqlite+aiosqlite:///{copy}", *more)
    assert done.returncode == 0, done.stderr
    assert_harmless(done.stdout)
    if more:
        members = json.loads(done.stdout)["members"]
        assert {one["name"] for one in members} == {EVIL}  # the document says what there is


def test_the_servers_log_holds_no_escapes(server: Server, order_id: str, folder: Path) -> None:
    log = (folder / "server.log").read_text()
    assert "server started" in log
    left = OUR_OWN.sub("", log)
    assert HARM.search(left) is None
    assert "\x1b" not in left


LOGS_IT = """
import sys
from comanda.logs import configure_logs, log
configure_logs("info", sys.argv[2])
log.info("said " + sys.argv[1], session=sys.argv[1], what=[sys.argv[1]])
try:
    raise ValueError(sys.argv[1])
except ValueError:
    log.exception("failed")
"""


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_of_hostile_texts_and_of_errors_about_them_is_text(form: str) -> None:
    command = [sys.executable, "-c", LOGS_IT, EVIL, form]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=45)
    assert "ValueError" in done.stderr
    assert_harmless(done.stderr)
