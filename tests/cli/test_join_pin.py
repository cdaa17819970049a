"""The terminal's commands at tables that ask for their PIN."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from comanda.actors.door import WRONG_PINS

from .helpers import STAFF_TOKEN, Server, a_server, run


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("pins"), "--join-pin", "on", tables=9) as running:
        yield running


@pytest.fixture
def dinner(tmp_path: Path) -> Path:
    """A session file: two sit down, and one adds a pizza."""
    file = tmp_path / "dinner.toml"
    file.write_text(
        'title = "Dinner"\nmembers = ["Ana", "Ben"]\n'
        '[[steps]]\neveryone = true\ndo = "join"\n'
        '[[steps]]\nmember = "Ana"\ndo = "add"\nitem = "Margherita"\n'
    )
    return file


def test_who_sits_down_first_is_told_the_pin_and_the_others_must_give_it(server: Server) -> None:
    to_the_table = ("join", "demo-1", "--server", server.url)
    ana = run(*to_the_table, "--name", "Ana", typed="w\n")
    told = re.findall(r"PIN (\d{4})", ana.stdout)
    assert len(told) == 2, ana.stdout
    assert f"PIN {told[0]}: tell it to who sits with you" in ana.stdout

    ben = run(*to_the_table, "--name", "Ben")
    assert ben.returncode == 2
    assert "give it with --pin" in ben.stderr

    wrong = f"{(int(told[0]) + 1) % 10_000:04}"
    ben = run(*to_the_table, "--name", "Ben", "--pin", wrong)
    assert ben.returncode == 2
    assert "This is not the table's PIN" in ben.stderr

    ben = run(*to_the_table, "--name", "Ben", "--pin", told[0])
    assert (ben.returncode, ben.stderr) == (0, "")
    assert f"PIN {told[0]}" in ben.stdout


def test_the_staff_read_the_pin_in_a_terminal(server: Server) -> None:
    ana = run("join", "demo-3", "--server", server.url, "--name", "Ana")
    (pin,) = re.findall(r"PIN (\d{4})", ana.stdout)
    shown = run("top", "--once", "--server", server.url, COMANDA_STAFF_TOKEN=STAFF_TOKEN)
    assert f"T3, PIN {pin}\t" in shown.stdout


def test_what_is_no_pin_is_not_sent(server: Server) -> None:
    for pin in ("12", "12345", "12a4", "²³¹²"):
        done = run("join", "demo-2", "--name", "Ana", "--pin", pin, "--server", server.url)
        assert done.returncode == 2
        assert "--pin must be 4 digits" in done.stderr


def test_a_play_says_the_pin_of_the_table_that_it_was_given(server: Server, dinner: Path) -> None:
    ana = run("join", "demo-4", "--server", server.url, "--name", "Ana")
    (pin,) = re.findall(r"PIN (\d{4})", ana.stdout)
    to_play = ("play", str(dinner), "--quiet", "--server", server.url, "--table", "demo-4")
    refused = run(*to_play)
    assert refused.returncode == 2
    assert "somebody sits there already; give the table's PIN with --pin" in refused.stderr
    refused = run(*to_play, "--pin", f"{(int(pin) + 1) % 10_000:04}")
    assert refused.returncode == 2
    assert "This is not the table's PIN" in refused.stderr
    played = run(*to_play, "--pin", pin)
    assert (played.returncode, played.stderr) == (0, "")


def test_a_play_at_a_table_whose_joining_rests_says_so(server: Server, dinner: Path) -> None:
    ana = run("join", "demo-9", "--server", server.url, "--name", "Ana")
    (pin,) = re.findall(r"PIN (\d{4})", ana.stdout)
    wrong = {"name": "Eve", "pin": f"{(int(pin) + 1) % 10_000:04}"}
    for _ in range(WRONG_PINS):
        refused = httpx.post(f"{server.url}/api/tables/demo-9/join", json=wrong, trust_env=False)
        assert refused.json()["code"] == "pin_wrong"
    rests = run(
        *("play", str(dinner), "--quiet", "--server", server.url, "--table", "demo-9", "--pin", pin)
    )
    assert rests.returncode == 2
    assert "nothing can be played at table 'demo-9' now" in rests.stderr
    assert "joining this table rests for a while" in rests.stderr


def test_plays_one_after_another_find_demo_tables_that_nobody_sits_at(
    server: Server, dinner: Path
) -> None:
    for _ in range(2):
        played = run("play", str(dinner), "--quiet", "--server", server.url)
        assert (played.returncode, played.stderr) == (0, "")


def test_a_pin_without_its_table_is_refused(server: Server, dinner: Path) -> None:
    done = run("play", str(dinner), "--server", server.url, "--pin", "0482")
    assert done.returncode == 2
    assert "name them, --server and --table" in done.stderr
