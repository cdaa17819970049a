"""`comanda play` as a person runs it: its own process, its output, its exit code."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

PLAY = (sys.executable, "-W", "error", "-m", "comanda", "play")
LIMIT_SECONDS = 60

GOOD = """
title = "Good [bold]dinner[/bold] :pizza:"
members = ["Ana"]
[server]
pos_delay = 0.1
steps = [
  { member = "Ana", do = "join" },
  { member = "Ana", do = "add", item = "Margherita" },
  { member = "Ana", do = "order", special_instructions = "pos:accept" },
  { member = "Ana", do = "expect", sees = "order_confirmed", orders = 1 },
]
""".replace("[server]\npos_delay = 0.1\n", "server = { pos_delay = 0.1 }\n")
WRONG = GOOD.replace("order_confirmed", "order_failed").replace("orders = 1", "within = 0.3")


def run(
    *arguments: object, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PLAY, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.toml"
    path.write_text(GOOD, "utf-8")
    return path


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.toml"
    path.write_text(WRONG, "utf-8")
    return path


def test_a_good_file_prints_its_timeline_without_colours_and_exits_0(good: Path) -> None:
    ran = run(good)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\x1b" not in ran.stdout
    assert ran.stdout.startswith(f"Good [bold]dinner[/bold] :pizza:  {good}\n")
    assert " s  Ana  adds 1 × Margherita  ✓\n" in ran.stdout
    assert " s  Ana  sees order_confirmed ORD-7-1  ✓\n" in ran.stdout
    assert "✓ Good [bold]dinner[/bold] :pizza:: passed in" in ran.stdout
    assert "hears" not in ran.stdout


def test_a_wrong_file_exits_1_and_says_what_was_not_met(wrong: Path) -> None:
    ran = run(wrong, "--quiet")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert f"{wrong}: step 4: Ana sees order_failed within 0.3 s: it did not come" in ran.stdout
    ran = run(wrong)
    assert "Ana  sees order_failed within 0.3 s  ✗\n" in ran.stdout
    assert "since the last change there was: cart_locked ORD-7-1, locked by Ana" in ran.stdout


def test_a_folder_is_played_whole_and_summed_up(good: Path, wrong: Path) -> None:
    ran = run(good.parent, "--verbose")
    assert ran.returncode == 1
    assert "2 sessions: 1 passed, 1 failed" in ran.stdout
    assert "Ana  hears cart_updated\n" in ran.stdout
    ran = run(good, wrong, "--json")
    document = json.loads(ran.stdout)
    assert (ran.returncode, document["passed"], document["failed"]) == (1, 1, 1)
    assert document["sessions"][1]["unmet"]["what"] == "sees order_failed within 0.3 s"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none.toml",), "none.toml: cannot be read: No such file or directory"),
        (("GOOD", "--server", "http://127.0.0.1:1"), "http://127.0.0.1:1 cannot be reached"),
        (("GOOD", "--table", "nowhere"), "has no table 'nowhere'"),
        (("GOOD", "--staff-token-file", "none"), "The staff token file none cannot be read"),
        (("GOOD", "--json", "--quiet"), "--verbose, --quiet and --json exclude each other"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    good: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = run(*(good if word == "GOOD" else word for word in arguments))
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    assert sentence in ran.stderr


def test_settings_of_the_embedded_server_are_checked(good: Path) -> None:
    good.write_text(GOOD.replace("pos_delay = 0.1", "lock_limit = 1"), "utf-8")
    ran = run(good)
    assert ran.returncode == 2
    assert "[server]: lock_limit (1 s) must be longer than pos_timeout (10 s)" in ran.stderr


def test_the_environment_s_address_and_menu_stay_out_of_the_embedded_server(good: Path) -> None:
    ran = run(
        good,
        env={
            "COMANDA_PUBLIC_URL": "https://example.org",
            "COMANDA_MENU": "none.toml",
            "COMANDA_PORT": "1",
        },
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_environment_s_pos_and_its_secrets_stay_out_of_the_embedded_server(good: Path) -> None:
    ran = run(
        good,
        env={
            "COMANDA_POS": "http://127.0.0.1:9",
            "COMANDA_POS_TOKEN_FILE": "/nowhere/token",
            "COMANDA_POS_SECRET": "sesame",
            "COMANDA_POS_SECRET_FILE": "/nowhere/secret",
        },
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_reader_that_goes_away_changes_nothing_but_the_output(good: Path) -> None:
    ran = subprocess.run(
        f"{' '.join(PLAY)} {good} | head -n 1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(ran.stdout.splitlines()) == 1


def test_ctrl_c_ends_the_play_in_order(good: Path, tmp_path: Path) -> None:
    good.write_text(GOOD.replace("steps = [", 'steps = [ { do = "wait", seconds = 600 },'), "utf-8")
    folder = tmp_path / "temporary"
    folder.mkdir()
    with subprocess.Popen(
        [*PLAY, str(good)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "600 s pass" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=LIMIT_SECONDS) == 130
        assert process.stderr.read() == ""
    assert list(folder.iterdir()) == [], "nothing is left behind"
