"""Tests of the test: a weak server does not stand a hostile evening, and what was weak is said."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .broken import WEAK

PATIENCE_SECONDS = 200
"""Far more than a run takes; a machine may be busy."""

EVENING = ("--seconds", "9", "--tables", "10", "--seed", "11", "--processes", "1", "--rate", "1500")

FOUND = {
    "five-hundreds": ("mutated-requests", "request-flood"),
    "crashes": ("mutated-commands",),
    "dies": ("callbacks",),
    "leaks": ("mutated-commands",),
    "believes-anybody": ("callbacks",),
    "opens-to-anybody": ("wrong-joins",),
    "wrong-carts": ("diner",),
    "two-orders": ("diner",),
}
"""Each weakness, and the attacks that it is exposed to."""

SAYS = {
    "five-hundreds": "the log says: ",
    "crashes": "sessions have crashed and were restarted",
    "dies": "the server has ended by itself, with code 3",
    "leaks": "memory has grown by",
    "believes-anybody": "to a callback that nobody signed",
    "opens-to-anybody": "was told the cart of",
    "wrong-carts": "its lines are not those that were told",
    "two-orders": "no table was told of it: ordered twice",
}


def evening(*options: str) -> subprocess.CompletedProcess[str]:
    """A short hostile evening, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "abuse", *EVENING, *options],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        cwd=Path(__file__).parents[2],
        check=False,
    )


def forget(said: str) -> None:
    """Remove the evidence that a violated evening keeps."""
    folder = said.partition("Evidence: ")[2].split()[0]
    assert "comanda-abuse-11-" in folder
    assert "Repeat: " in (Path(folder) / "violations.txt").read_text("utf-8")
    shutil.rmtree(folder)


@pytest.mark.parametrize("weakness", WEAK)
def test_a_weak_server_is_found_out(weakness: str) -> None:
    only = [word for attack in FOUND[weakness] for word in ("--only", attack)]
    run = evening("--server-module", f"tests.abuse.broken {weakness}", *only)
    assert run.returncode == 1, run.stdout + run.stderr
    assert SAYS[weakness] in run.stdout, run.stdout
    assert "--seed 11" in run.stdout
    forget(run.stdout)


def test_a_server_that_holds_is_left_in_peace_and_everything_is_counted() -> None:
    run = evening()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Violations: 0" in run.stdout
    assert "Evidence" not in run.stdout
    for row in ("5xx that are faults", "503 by a limit", "memory after the warm-up", "wrong carts"):
        assert row in run.stdout


def test_each_weakness_has_its_attacks_and_its_sentence() -> None:
    assert set(FOUND) == set(SAYS) == set(WEAK)


@pytest.mark.parametrize(
    "options", [("--seconds", "1"), ("--tables", "0"), ("--rate", "0"), ("--only", "nothing")]
)
def test_what_cannot_be_run_is_said_in_a_sentence(options: tuple[str, ...]) -> None:
    run = evening(*options)
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
