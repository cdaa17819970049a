"""`comanda orders` and `comanda resolve` as the staff run them: processes against a server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from comanda.cli.staff import NO_REASON
from tests.signing import SECRET, signed

from .helpers import (
    SHORT_LOCK,
    STAFF_TOKEN,
    TWO_HOUSES,
    Server,
    a_server,
    on_a_terminal,
    run,
    wait_left_to_the_staff,
)

TOKEN = {"COMANDA_STAFF_TOKEN": STAFF_TOKEN}
LINE = (
    r"ORD-7-\d+\tT\d+\tneeds_staff\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ\tAna\t\d+\.00 INR\t-\t-\t"
    r"1 × Margherita\n"
)


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose locks end after a moment, and that takes callbacks."""
    folder = tmp_path_factory.mktemp("hasty")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    options = (*SHORT_LOCK, "--rate-limits", "off")
    with a_server(folder, *options, "--pos-secret-file", str(secret), tables=12) as running:
        yield running


def left_to_the_staff(server: Server, table: int) -> str:
    """An order at this table that got no answer before its lock ended."""
    typed = "a 456 1\no pos:hang\n"
    done = run("join", f"demo-{table}", "--name", "Ana", "--server", server.url, typed=typed)
    order_id = re.search(r"ORD-7-\d+", done.stdout)
    assert order_id is not None, (done.stdout, done.stderr)
    wait_left_to_the_staff(server, order_id[0])
    return order_id[0]


def call_back(server: Server, order_id: str, status: str) -> None:
    """The POS says unasked what became of the order."""
    said = {"event_id": "evt-1", "order_id": order_id, "status": status, "pos_reference": "A-7"}
    body = json.dumps(said).encode()
    url = f"{server.url}/api/pos/callbacks"
    answer = httpx.post(url, content=body, headers=signed(body), trust_env=False, timeout=30)
    assert answer.status_code == 204, answer.text


def orders(server: Server, *options: str) -> str:
    done = run("orders", "--server", server.url, *options, **TOKEN)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_staff_list_an_order_settle_it_and_it_waits_no_longer(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 1)
    waiting = orders(hasty, "--state", "needs_staff").splitlines(keepends=True)
    (line,) = [one for one in waiting if one.startswith(order_id + "\t")]
    assert re.fullmatch(LINE, line), line
    words = ("resolve", order_id, "confirmed", "--reason", "The kitchen has it")
    done = run(*words, "--reference", "A-1", "--server", hasty.url, **TOKEN)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{order_id} is confirmed\n", "")
    assert order_id not in orders(hasty, "--state", "needs_staff,unknown")
    assert f"{order_id}\t" in orders(hasty, "--state", "confirmed")
    again = run(*words, "--server", hasty.url, **TOKEN)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == "comanda: This order is confirmed already\n"


def test_an_order_can_be_cancelled_with_the_token_in_a_file(hasty: Server, tmp_path: Path) -> None:
    order_id = left_to_the_staff(hasty, 2)
    file = tmp_path / "token"
    file.write_text(STAFF_TOKEN + "\n")
    options = ("--reason", "Nobody has it", "--staff-token-file", str(file))
    done = run("resolve", order_id, "rejected", *options, "--server", hasty.url)
    assert (done.returncode, done.stdout) == (0, f"{order_id} is rejected\n"), done.stderr


def test_where_nobody_can_be_asked_for_the_reason_the_record_says_so(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 9)
    done = run("resolve", order_id, "confirmed", "--server", hasty.url, **TOKEN)
    assert (done.returncode, done.stdout) == (0, f"{order_id} is confirmed\n"), done.stderr
    listed = json.loads(orders(hasty, "--state", "confirmed", "--json"))["orders"]
    (order,) = [one for one in listed if one["order_id"] == order_id]
    assert order["decided_reason"] == NO_REASON


def test_the_staff_see_an_incident_and_close_it(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 7)
    words = ("resolve", order_id, "rejected", "--server", hasty.url)
    assert run(*words, "--reason", "Nobody has it", **TOKEN).returncode == 0
    assert orders(hasty, "--incidents") == ""
    call_back(hasty, order_id, "accepted")
    (line,) = orders(hasty, "--incidents").splitlines()
    cells = line.split("\t")
    assert (cells[0], cells[2], cells[-2]) == (order_id, "rejected", "accepted after rejected")
    (order,) = json.loads(orders(hasty, "--incidents", "--json"))["orders"]
    assert (order["decided_reason"], len(order["incidents"])) == ("Nobody has it", 1)
    done = run(*words, "--reason", "Taken off the pass", **TOKEN)
    said = f"{order_id} is rejected; its incident is closed\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert orders(hasty, "--incidents") == ""
    again = run(*words, "--reason", "Taken off the pass", **TOKEN)
    assert (again.returncode, again.stdout, again.stderr) == (0, said, "")
    other = run(*words, "--reason", "Looked again", **TOKEN)
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr == "comanda: This order is rejected already\n"


def test_a_word_that_closes_an_incident_and_leaves_its_order_as_it_was_says_so(
    hasty: Server,
) -> None:
    order_id = left_to_the_staff(hasty, 9)
    words = ("--server", hasty.url, "--reason", "Seen on the pass")
    assert run("resolve", order_id, "rejected", *words, **TOKEN).returncode == 0
    call_back(hasty, order_id, "accepted")
    done = run("resolve", order_id, "confirmed", *words, **TOKEN)
    said = f"{order_id} stays rejected; its incident is closed\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_a_callback_settles_an_order_that_waits_for_the_staff(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 8)
    call_back(hasty, order_id, "accepted")
    assert order_id not in orders(hasty, "--state", "needs_staff")
    (line,) = [one for one in orders(hasty).splitlines() if one.startswith(order_id + "\t")]
    assert line.split("\t")[6:8] == ["A-7", "-"]


def test_json_is_the_protocols_list_of_orders(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 3)
    listed = json.loads(orders(hasty, "--json"))
    assert listed["next"] is None
    (order,) = [one for one in listed["orders"] if one["order_id"] == order_id]
    assert (order["state"], order["total"]) == ("needs_staff", 625.0)


def test_whose_token_opens_several_restaurants_is_asked_which(tmp_path: Path) -> None:
    menu = tmp_path / "menu.toml"
    menu.write_text(TWO_HOUSES)
    # A menu file's tables are not announced, and the last option of a name counts.
    with a_server(tmp_path, "--menu", str(menu), "--demo-tables", "1", tables=0) as house:
        done = run("orders", "--server", house.url, **TOKEN)
        assert (done.returncode, done.stdout) == (2, "")
        named = "choose one with --restaurant: 1 (Trattoria One), 2 (Ramen Two)"
        assert named in done.stderr
        assert orders(house, "--restaurant", "2") == ""


def test_more_orders_than_asked_for_are_said_to_be_there(hasty: Server) -> None:
    left_to_the_staff(hasty, 4)
    newest = left_to_the_staff(hasty, 5)
    done = run("orders", "--limit", "1", "--server", hasty.url, **TOKEN)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith(newest + "\t")
    assert done.stderr == "comanda: there are older ones; ask for more with --limit\n"


def test_on_a_terminal_orders_are_a_table(hasty: Server, tmp_path: Path) -> None:
    order_id = left_to_the_staff(hasty, 6)
    file = tmp_path / "token"
    file.write_text(STAFF_TOKEN)
    options = ("--server", hasty.url, "--staff-token-file", str(file))
    with on_a_terminal("orders", *options, columns=140) as terminal:
        assert terminal.wait_for_end() == 0
    seen = re.sub(r"\x1b\[\d*m", "", terminal.seen)
    assert re.search(
        r"order +table +state +placed +by +total +POS reference +incidents +lines", seen
    )
    assert re.search(rf"{order_id} +T6 +needs_staff .* 1 × Margherita", seen)


def test_no_orders_are_nothing_in_a_pipe(hasty: Server) -> None:
    assert orders(hasty, "--state", "prepared") == ""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("orders",), "The staff's token is needed: set COMANDA_STAFF_TOKEN or give --staff-tok"),
        (("orders", "--state", "lost"), "“lost” is no state of an order; states are: prepared, s"),
        (("resolve", "ORD-7-1", "confirmed", "--reason", " "), "--reason must be 1 to 200 char"),
        (
            ("resolve", "ORD-7-1", "confirmed", "--reason", "x", "--reference", "x" * 101),
            "--reference must be 1 to 100 characters",
        ),
        (
            ("resolve", "ORD-7-1/../x", "rejected"),
            "“ORD-7-1/../x” is no order's id; one looks like ORD-",
        ),
        (("resolve", "ORD-7-1?x=1", "rejected"), "“ORD-7-1?x=1” is no order's id"),
        (("resolve", "ORD-7-1\n", "rejected"), "is no order's id"),
        (("resolve", "ORD-7-" + "1" * 70, "rejected"), "is no order's id"),
        (("resolve", "ord", "rejected"), "“ord” is no order's id"),
        (("orders", "--staff-token-file", "/nowhere/token"), "/nowhere/token"),
    ],
)
def test_what_the_caller_can_mend_is_one_sentence_and_exit_code_2(
    words: tuple[str, ...], sentence: str
) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("server", "sentence"),
    [
        ("http://127.0.0.1:9", "No Comanda server answers at http://127.0.0.1:9"),
        ("nonsense", "“nonsense” is no web address"),
    ],
)
def test_a_server_that_is_not_there_is_named(server: str, sentence: str) -> None:
    for words in (("orders",), ("resolve", "ORD-7-1", "rejected", "--reason", "x")):
        done = run(*words, "--server", server, **TOKEN)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "token", "sentence"),
    [
        (("orders",), "wrong", "The staff token is not valid"),
        (("orders", "--restaurant", "99"), STAFF_TOKEN, "There is no such restaurant"),
        (
            ("resolve", "ORD-7-9999", "rejected", "--reason", "x"),
            STAFF_TOKEN,
            "There is no such order",
        ),
    ],
)
def test_the_servers_no_is_its_sentence_and_exit_code_1(
    hasty: Server, words: tuple[str, ...], token: str, sentence: str
) -> None:
    done = run(*words, "--server", hasty.url, COMANDA_STAFF_TOKEN=token)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"comanda: {sentence}")
    assert done.stderr.count("\n") == 1


def test_the_staff_have_the_guests_of_a_closed_session_forgotten(hasty: Server) -> None:
    order_id = left_to_the_staff(hasty, 9)
    session = session_of(hasty, order_id)
    refused = run("forget", session, "--server", hasty.url, **TOKEN)
    assert refused.returncode == 1
    assert "close it first" in refused.stderr
    headers = {"Authorization": f"Bearer {STAFF_TOKEN}"}
    url = f"{hasty.url}/api/sessions/{session}/close"
    assert httpx.post(url, headers=headers, trust_env=False, timeout=30).status_code == 204
    refused = run("forget", session, "--server", hasty.url, **TOKEN)
    assert "settle it first" in refused.stderr
    run("resolve", order_id, "rejected", "--reason", "Gone", "--server", hasty.url, **TOKEN)
    done = run("forget", session, "--server", hasty.url, **TOKEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"The guests of {session} are forgotten\n"
    (line,) = (one for one in orders(hasty).splitlines() if one.startswith(f"{order_id}\t"))
    assert "\ta guest\t" in line


def session_of(server: Server, order_id: str) -> str:
    listed = json.loads(orders(server, "--json"))["orders"]
    (found,) = (one["session_pid"] for one in listed if one["order_id"] == order_id)
    return str(found)


def test_forgetting_a_session_that_there_is_not_says_so(hasty: Server) -> None:
    done = run("forget", "session_none", "--server", hasty.url, **TOKEN)
    assert done.returncode == 1
    assert "There is no such session" in done.stderr
