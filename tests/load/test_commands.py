"""`comanda load` as people run it: with a server of its own, at a running one, broken off, misused."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..cli.helpers import PATIENCE_SECONDS, a_server, clean_environment, on_a_terminal, run

SHORT = ("--tables", "3", "--seconds", "1.5", "--ramp", "0.1")


def test_a_closed_loop_says_how_fast_and_writes_it_down(tmp_path: Path) -> None:
    figures_file, report = tmp_path / "figures.json", tmp_path / "report.html"
    ended = run(
        *("load", "--closed-loop", *SHORT),
        *("--json", str(figures_file), "--report", str(report)),
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "measuring: 3 of 3 tables joined, 12 connections" in ended.stdout
    assert "µs CPU a delivery" in ended.stdout
    written = json.loads(figures_file.read_text())
    assert written["plan"]["closed_loop"] is True
    assert written["figures"]["edits"] > 0
    assert written["figures"]["server"]["delivery_micros"] > 0
    assert written["figures"]["wrongs"] == []
    assert "<svg" in report.read_text()


def test_a_running_server_is_driven_and_left_running(tmp_path: Path) -> None:
    with a_server(tmp_path, "--rate-limits", "off") as server:
        ended = run("load", "--server", server.url, *SHORT, "--edits-per-minute", "300")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "edit → last member" in ended.stdout
        assert server.process.poll() is None


def test_tables_that_are_not_there_are_said_and_the_others_driven(tmp_path: Path) -> None:
    with a_server(tmp_path, "--rate-limits", "off", tables=2) as server:
        ended = run("load", "--server", server.url, *SHORT, "--closed-loop")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "2 of 3 tables" in ended.stdout
        assert "join not_found 1" in ended.stdout
        ended = run("load", "--server", server.url, *SHORT, "--table-code", "none-{n}")
        assert ended.returncode == 2
        assert "has no table 'none-1' (join not_found). --table-code names" in ended.stderr
        assert "settling" not in ended.stdout + ended.stderr


def test_a_terminal_shows_a_bar_and_then_the_table() -> None:
    with on_a_terminal("load", "--closed-loop", *SHORT) as terminal:
        terminal.wait_for("measuring")
        terminal.wait_for("━")
        terminal.wait_for("Right: every member was told the same")
        assert terminal.wait_for_end() == 0


def test_ctrl_c_ends_early_with_what_was_measured() -> None:
    command = [sys.executable, "-m", "comanda", "load", "--tables", "2", "--seconds", "600"]
    with subprocess.Popen(
        [*command, "--closed-loop", "--ramp", "0.1"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=clean_environment(PYTHONUNBUFFERED="1"),
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "edits/s" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(PATIENCE_SECONDS) == 130
    assert "Ended early" in rest
    assert "Right: every member was told the same" in rest


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--closed-loop", "--edits-per-minute", "5"), "leave --edits-per-minute out"),
        (("--server", "http://127.0.0.1:1"), "is no running server"),
        (("--table-code", "demo"), "{n} must stand"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_sentence(options: tuple[str, ...], says: str) -> None:
    ended = run("load", *options)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
