"""Tests of the tests: a server that is broken on purpose is found out, whatever its speed."""

import subprocess
import sys
from pathlib import Path

import pytest

from .broken import BROKEN

PATIENCE_SECONDS = 120
"""Far more than a run takes; a machine may be busy."""

EVENING = (
    *("load", "--tables", "6", "--seconds", "4", "--ramp", "0.2", "--pos-delay", "0.3"),
    *("--edits-per-minute", "300", "--orders-per-minute", "40"),
    *("--settle", "5"),
    *("--refreshes-per-minute", "30", "--drops-per-minute", "15"),
)
"""Short and busy: some hundred edits, a dozen orders."""

SAYS = {
    "no-lock": "the cart was changed while order",
    "deaf-member": "was told event",
    "empty-acks": "an acknowledged edit is missing",
    "two-orders": "no table was told of it: ordered twice",
    "stale-snapshots": "its lines are not those that were told",
}
"""Each fault, and what the load tester says of it."""


def evening(*command: str) -> subprocess.CompletedProcess[str]:
    """A short evening of the load tester, to its end."""
    return subprocess.run(
        [sys.executable, "-m", *command, *EVENING],
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS,
        cwd=Path(__file__).parents[2],
        check=False,
    )


@pytest.mark.parametrize("fault", BROKEN)
def test_a_wrong_server_is_found_wrong(fault: str) -> None:
    run = evening("tests.load.broken", fault)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "WRONG" in run.stdout
    assert SAYS[fault] in run.stdout, run.stdout


def test_a_right_server_is_found_right() -> None:
    run = evening("comanda")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Right: every member was told the same" in run.stdout
    for what in ("edit → last member", "place → outcome", "µs CPU a delivery"):
        assert what in run.stdout


def test_each_fault_has_its_sentence() -> None:
    assert set(SAYS) == set(BROKEN)
