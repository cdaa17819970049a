"""`comanda inspect`: tables' lives from the database of a real server, while it runs and after."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio

from comanda.client import open_table
from comanda.storage.life import life_of
from comanda.storage.looking import looked_into
from comanda.storage.opening import open_database
from tests.signing import SECRET, signed

from .helpers import (
    PATIENCE_SECONDS,
    SHORT_LOCK,
    STAFF_TOKEN,
    Server,
    a_server,
    run,
    wait_left_to_the_staff,
)

EVIL = "Ana\x1b]0;owned\x07\x1b[2J"
TOKEN = {"COMANDA_STAFF_TOKEN": STAFF_TOKEN}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inspected")


@pytest.fixture(scope="module")
def hasty(folder: Path) -> Iterator[Server]:
    """A server whose locks end after a moment, and that takes callbacks."""
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    options: tuple[str, ...] = (*SHORT_LOCK, "--rate-limits", "off")
    options += ("--pos-delay", "0.05", "--retry-limit", "0", "--pos-secret-file", str(secret))
    with a_server(folder, *options, tables=7) as running:
        yield running


def ordered(server: Server, table: int, words: str, name: str = "Ana") -> str:
    """An order with these instructions; its id."""
    typed = f"a 456 2\nr 1\na 457 1\na 456 1\no {words}\n"
    done = run("join", f"demo-{table}", "--name", name, "--server", server.url, typed=typed)
    order_id = re.search(r"ORD-7-\d+", done.stdout)
    assert order_id is not None, (done.stdout, done.stderr)
    return order_id[0]


async def order_in_flight(url: str) -> str:
    """An order of two lines whose guest has left; its id. A third line was taken out before."""
    async with open_table(url, "demo-1", "Ana") as ana:
        for item in (456, 457, 456):
            await ana.add_to_cart(item)
        await ana.remove_from_cart(ana.store.items[0].public_id)
        return await ana.place_order()


def until_told(folder: Path, order_id: str, event: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while event not in inspected(folder, order_id):
        assert time.monotonic() < deadline, inspected(folder, order_id)


def inspected(folder: Path, *words: str) -> str:
    database = f"sqlite+aiosqlite:///{folder / 'comanda.db'}"
    done = run("inspect", *words, "--database", database)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_an_orders_session_is_told_from_its_opening_to_the_outcome(
    hasty: Server, folder: Path
) -> None:
    order_id = ordered(hasty, 1, "pos:accept")
    events = [line.split("\t") for line in inspected(folder, order_id).splitlines()]
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    told = [(who, order, what) for _, who, order, what in events]
    assert told[:3] == [
        ("-", "-", "session opened"),
        ("Ana", "-", "sat down"),
        ("Ana", order_id, "placed: 1 × Marinara, 1 × Margherita, 1165.00 INR"),
    ]
    assert ("-", order_id, "call 1 to the POS begun") in told
    (answer,) = [what for who, _, what in told if who == "POS" and what.startswith("call 1")]
    number = order_id.rpartition("-")[2]
    assert re.fullmatch(rf"call 1: accepted as POS-{number}, after \d\.\d s", answer)
    assert told[-1] == ("-", order_id, f"confirmed, the POS's POS-{number}")


def test_an_order_that_the_staff_settled_tells_calls_incident_void_and_who(
    hasty: Server, folder: Path
) -> None:
    order_id = ordered(hasty, 2, "pos:hang")
    wait_left_to_the_staff(hasty, order_id)
    server = ("--server", hasty.url)
    run("resolve", order_id, "rejected", "--reason", "Nobody has it", *server, **TOKEN)
    said = {"event_id": "evt-1", "order_id": order_id, "status": "accepted", "pos_reference": "A"}
    body = json.dumps(said).encode()
    url = f"{hasty.url}/api/pos/callbacks"
    httpx.post(url, content=body, headers=signed(body), trust_env=False, timeout=30)
    whole = json.loads(inspected(folder, order_id, "--json"))
    (order,) = whole["orders"]
    assert order["order"]["state"] == "rejected"
    assert order["order"]["decided_reason"] == "Nobody has it"
    assert "payload" not in order["order"]
    assert [call["outcome"] for call in order["attempts"]][:1] == ["unknown"]
    assert [one["kind"] for one in order["incidents"]] == ["accepted_after_rejected"]
    assert order["void"]["why"]
    plain = inspected(folder, whole["session_pid"])
    assert re.search(rf"\tstaff \(.+\)\t{order_id}\trejected, .*, Nobody has it\n", plain)
    assert "incident: The POS has accepted an order that the table was told has failed" in plain


def test_no_escape_of_a_name_reaches_the_terminal(hasty: Server, folder: Path) -> None:
    joined = httpx.post(
        f"{hasty.url}/api/tables/demo-3/join", json={"name": "Ana"}, trust_env=False, timeout=30
    ).json()
    with sqlite3.connect(folder / "comanda.db", timeout=30) as database:
        database.execute("DROP TRIGGER members_name")  # as whoever can write the file can
        database.execute(
            "UPDATE members SET name = ? WHERE member_id = ?", (EVIL, joined["member_id"])
        )
    told = inspected(folder, joined["session_pid"])
    assert "Ana]0;owned[2J\t-\tsat down" in told
    assert "\x1b" not in told
    assert "\x07" not in told


def test_it_reads_while_another_program_holds_the_writers_lock(hasty: Server, folder: Path) -> None:
    order_id = ordered(hasty, 4, "pos:accept")
    holder = sqlite3.connect(folder / "comanda.db", isolation_level=None, timeout=30)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert order_id in inspected(folder, order_id)
    finally:
        holder.close()


@pytest.mark.usefixtures("hasty")
def test_nothing_can_be_written_through_it(folder: Path) -> None:
    with (
        pytest.raises(Exception, match="read-only"),
        looked_into(folder / "comanda.db") as connection,
    ):
        connection.exec_driver_sql("DELETE FROM requests")


def test_a_life_survives_the_server_and_is_told_of_a_killed_one_too(tmp_path: Path) -> None:
    with a_server(tmp_path, "--pos-delay", "30") as running:
        order_id = trio.run(order_in_flight, running.url)
        until_told(tmp_path, order_id, "call 1 to the POS begun")
    events = inspected(tmp_path, order_id)
    assert f"{order_id}\tcall 1 to the POS begun" in events
    assert "call 1:" not in events
    assert f"\t{order_id}\tsent; its lock ends" in events
    with looked_into(tmp_path / "comanda.db") as connection:
        life = life_of(connection, order_id)
    assert life is not None
    assert [line.qty for line in life.cart] == [1, 1]
    assert life.lines_removed == 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("wanted", ["session_none", "ORD-7-99999", "\x1b[2J"])
def test_what_is_not_there_is_said_in_a_sentence(folder: Path, wanted: str) -> None:
    database = f"sqlite+aiosqlite:///{folder / 'comanda.db'}"
    done = run("inspect", wanted, "--database", database)
    assert done.returncode == 2
    assert "is no session and no order in" in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b[2J" not in done.stderr


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    done = run("inspect", "x", "--database", f"sqlite+aiosqlite:///{path}")
    assert done.returncode == 2
    assert "is not there" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "is of a newer Comanda"),
        ("UPDATE alembic_version SET version_num = '0001'", "is of an older Comanda"),
        ("DROP TABLE alembic_version", "is no database of Comanda's"),
    ],
)
def test_another_versions_database_is_named_as_one(
    tmp_path: Path, statement: str, said: str
) -> None:
    path = tmp_path / "comanda.db"
    open_database(f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute(statement)
    done = run("inspect", "x", "--database", f"sqlite+aiosqlite:///{path}")
    assert done.returncode == 2
    assert said in done.stderr


def test_what_is_no_database_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "comanda.db"
    path.write_bytes(b"not a database, though long enough to look like a page of one" * 20)
    done = run("inspect", "x", "--database", f"sqlite+aiosqlite:///{path}")
    assert done.returncode == 2
    assert "is not a database" in done.stderr


def test_that_guests_were_forgotten_is_told_and_their_words_are_not(
    hasty: Server, folder: Path
) -> None:
    order_id = ordered(hasty, 7, "pos:accept ring-the-bell", name="Rosalind")
    session = json.loads(inspected(folder, order_id, "--json"))["session_pid"]
    assert "Rosalind" in inspected(folder, session)
    headers = {"Authorization": f"Bearer {STAFF_TOKEN}"}
    for step in ("close", "forget"):
        url = f"{hasty.url}/api/sessions/{session}/{step}"
        assert httpx.post(url, headers=headers, trust_env=False, timeout=30).status_code == 204
    events = inspected(folder, session)
    whole = inspected(folder, session, "--json")
    assert "closed: The table was closed by the staff" in events
    assert "its guests were forgotten" in events
    assert "a guest\t-\tsat down" in events
    for word in ("Rosalind", "ring-the-bell"):
        assert word not in events + whole
