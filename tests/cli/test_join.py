"""`comanda join`, scripted through a pipe and by hand on a terminal, against a server process."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from chaos.ports import held_port
from comanda.cli import app

from .helpers import (
    COMANDA,
    PATIENCE_SECONDS,
    STAFF_TOKEN,
    Server,
    a_server,
    clean_environment,
    on_a_terminal,
    run,
)

A_SCRIPTS_OUTPUT = """\
You sit at table T1, Trattoria Comanda. h shows the commands, m the menu.
  The cart is empty
  Total 0.00 INR   [Place Order]
You add 2 × Margherita (extra spicy).
  1. 2 × Margherita  1250.00  you  (extra spicy)
  Total 1250.00 INR   [Place Order]
You add 1 × House red.
  1. 2 × Margherita  1250.00  you  (extra spicy)
  2. 1 × House red  450.00  you
  Total 1700.00 INR   [Place Order]
You make it 3 × House red.
  1. 2 × Margherita  1250.00  you  (extra spicy)
  2. 3 × House red  1350.00  you
  Total 2600.00 INR   [Place Order]
You note on Margherita: no ice.
  1. 2 × Margherita  1250.00  you  (no ice)
  2. 3 × House red  1350.00  you
  Total 2600.00 INR   [Place Order]
You remove House red.
  1. 2 × Margherita  1250.00  you  (no ice)
  Total 1250.00 INR   [Place Order]
You have ordered: ORD-7-1. The cart is locked until the kitchen answers.
  1. 2 × Margherita  1250.00  you  (no ice)
  Total 1250.00 INR   [Pending Confirmation...]
  Your order is being processed...
Order placed successfully! 🎉 ORD-7-1
  The cart is empty
  Total 0.00 INR   [Place Order]
  Order placed successfully! 🎉
  Ana (you)
"""


def join(server: Server, table: str, name: str, typed: str) -> subprocess.CompletedProcess[str]:
    return run("join", table, "--name", name, "--server", server.url, typed=typed)


@contextmanager
def joined(server: Server, table: str) -> Iterator["subprocess.Popen[str]"]:
    """Ana at a table, her input and output pipes that stay open."""
    with subprocess.Popen(
        [*COMANDA, "join", table, "--name", "Ana", "--server", server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=clean_environment(),
    ) as process:
        yield process


def test_a_script_adds_changes_removes_and_orders_each_command_finished_before_the_next(
    server: Server,
) -> None:
    typed = "a 456 2 extra spicy\na house red\nc 2 3\nn 1 no ice\nr red\no pos:accept\nw\nq\n"
    done = join(server, "demo-1", "Ana", typed)
    assert (done.returncode, done.stderr) == (0, "")
    order_id = re.search(r"ORD-7-\d+", done.stdout)
    assert order_id is not None
    assert done.stdout.replace(order_id[0], "ORD-7-1") == A_SCRIPTS_OUTPUT


def test_an_order_that_fails_is_retried_and_a_script_waits_for_the_end_of_it(
    server: Server,
) -> None:
    done = join(server, "demo-2", "Ana", "a 456\no pos:reject\ns")
    assert done.returncode == 0
    said = done.stdout
    assert said.count("Order failed: POS system unavailable. Tap to retry. (ORD-7-") == 4
    assert [f"(try {n})" in said for n in (1, 2, 3, 4)] == [True, True, True, False]
    assert said.rstrip().endswith("Order failed: POS system unavailable. Tap to retry.")
    assert "[Retry Order]" in said


def test_whoever_tries_a_failed_order_again_sends_its_instructions(server: Server) -> None:
    wishes = "pos:reject, by the window"
    join(server, "demo-6", "Ana", f"a 456\no {wishes}\n")
    said = join(server, "demo-6", "Ben", "t\n").stdout
    assert "You have ordered: " in said
    headers = {"Authorization": f"Bearer {STAFF_TOKEN}"}
    path = f"{server.url}/api/restaurants/7/orders"
    listed = httpx.get(path, headers=headers, trust_env=False).json()["orders"]
    at_the_table = [one for one in listed if one["table"] == "T6"]
    assert at_the_table[0]["placed_by_name"] == "Ben"
    assert {one["special_instructions"] for one in at_the_table} == {wishes}


def test_wrong_input_is_answered_by_a_sentence_and_the_script_goes_on(server: Server) -> None:
    typed = "z\na\na 999\na unicorn\na mar\na 456 0\na 456\nr 7\nc 1\nc 1 many\no\n"
    done = join(server, "demo-3", "Ana", typed.replace("o\n", "t\n"))
    assert done.returncode == 0
    for sentence in (
        "There is no command “z”. h shows all of them.",
        "Add what?",
        "The menu has no item 999.",
        "Nothing on the menu is called “unicorn”.",
        "“mar” may be 456 Margherita or 457 Marinara.",
        "“0” is no quantity; give 1 to 99.",
        "The cart has no line 7; it has 1.",
        "Change what to how many?",
        "“many” is no quantity",
        "No order is on its way, and none has failed.",
    ):
        assert sentence in done.stdout


def test_an_empty_cart_cannot_be_ordered_and_the_server_says_so(server: Server) -> None:
    done = join(server, "demo-4", "Ana", "o\n")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "There is nothing in the cart to order"


def test_escapes_in_names_and_notes_never_reach_the_terminal(server: Server) -> None:
    evil = "Eve\x1b]0;owned\x07\x1b[2J\u202e"
    typed = "a 456 1 \x1b[31mred\x1b[0m [bold]loud[/bold]\n"
    assert join(server, "demo-5", evil, typed).returncode == 0
    with on_a_terminal("join", "demo-5", "--name", "Ana", "--server", server.url) as ana:
        ana.wait_for("loud")
        shown = ana.wait_for("> ")
        ana.type("w\n")
        ana.wait_for("Eve", shown)
        ana.type("q\n")
        assert ana.wait_for_end() == 0
    assert "[31mred[0m [bold]loud[/bold]" in ana.seen
    assert "Eve]0;owned[2J, not connected" in ana.seen
    for harm in ("\x1b]0;", "\x07", "\x1b[2J", "\u202e"):
        assert harm not in ana.seen


def test_on_a_terminal_anothers_edit_says_whose_and_enter_stops_the_retry(
    tmp_path: Path,
) -> None:
    options = ("--pos-delay", "0.1", "--retry-delay", "30")
    with (
        a_server(tmp_path, *options) as server,
        on_a_terminal("join", "demo-1", "--name", "Ana", "--server", server.url) as ana,
    ):
        ana.wait_for("> ")
        join(server, "demo-1", "Ben", "a 403 2 cold\n")
        at = ana.wait_for(r"Ben adds 2 × Lemonade \(cold\)\.")
        at = ana.wait_for("Place Order", at)
        ana.type("o pos:reject\n")
        at = ana.wait_for("Pending Confirmation...", at)
        at = ana.wait_for("Order failed: POS system unavailable", at)
        at = ana.wait_for("Retry Order", at)
        at = ana.wait_for(r"again in \d+ s, Enter stops that > ", at)
        ana.type("\n")
        ana.wait_for("Not tried again by itself", at)
        ana.type("\x04")  # Ctrl-D: the end of input
        assert ana.wait_for_end() == 0


def test_a_server_that_goes_and_comes_back_is_told_and_the_cart_is_still_there(
    tmp_path: Path,
) -> None:
    with (
        held_port() as port,
        a_server(tmp_path, port=port) as first,
        on_a_terminal("join", "demo-1", "--name", "Ana", "--server", first.url) as ana,
    ):
        ana.wait_for("> ")
        ana.type("a 456 2\n")
        at = ana.wait_for("You add 2 × Margherita")
        first.process.kill()
        first.process.wait(PATIENCE_SECONDS)
        at = ana.wait_for(re.escape("Connection lost. Reconnecting..."), at)
        with a_server(tmp_path, port=port):
            at = ana.wait_for("Connected again.", at)
            ana.type("s\n")
            ana.wait_for("2 × Margherita", at)
            ana.type("\x03")  # Ctrl-C
            assert ana.wait_for_end() == 130


def test_a_table_that_is_closed_ends_it_with_one_sentence_and_code_2(server: Server) -> None:
    with joined(server, "demo-6") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("You sit at table T6")
        ben = httpx.post(f"{server.url}/api/tables/demo-6/join", json={"name": "Ben"}).json()
        staff = {"authorization": f"Bearer {STAFF_TOKEN}"}
        closing = f"{server.url}/api/sessions/{ben['session_pid']}/close"
        assert httpx.post(closing, headers=staff).status_code == 204
        assert process.wait(PATIENCE_SECONDS) == 2  # its input stays open: the table ends it
        assert process.stderr is not None
        [line] = process.stderr.read().splitlines()
    assert line.startswith("comanda: The table is closed")


def test_an_unknown_table_is_told_in_one_sentence_with_code_2(server: Server) -> None:
    done = join(server, "../nowhere", "Ana", "")
    assert done.returncode == 2
    assert done.stderr == f"comanda: There is no table “../nowhere” at {server.url}\n"
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--server", "http://127.0.0.1:1"), "No Comanda server answers at http://127.0.0.1:1"),
        (("--server", "127.0.0.1:8080"), "is no web address"),
        (("--server", "ftp://127.0.0.1"), "is no web address"),
        (("--name", "x" * 41), "--name must be 1 to 40 characters"),
        (("--name", ""), "--name must be 1 to 40 characters"),
    ],
    ids=["nobody there", "no scheme", "no web scheme", "name too long", "no name"],
)
def test_what_cannot_work_is_told_in_one_sentence_with_code_2(
    arguments: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(app, ["join", "demo-1", "--name", "Ana", *arguments])
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("comanda: ")
    assert said in line


def test_the_servers_address_may_stand_in_the_environment(server: Server) -> None:
    done = run("join", "demo-7", "--name", "Ana", typed="q\n", COMANDA_SERVER=server.url)
    assert done.returncode == 0
    assert "You sit at table T7" in done.stdout


def test_a_reader_that_leaves_ends_it_without_a_word(server: Server) -> None:
    with joined(server, "demo-1") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("You sit at table")
        process.stdout.close()
        process.stdin.write("m\nm\n")
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 1
        assert process.stderr.read() == ""
