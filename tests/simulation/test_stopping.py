"""Ranges that are stopped by a person or by the clock, with several real processes, and go on later."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from comanda.cli.main import app
from comanda.simulation.campaign import Tally, play_seeds
from comanda.simulation.evening import Plan
from comanda.simulation.outcome import Outcome
from comanda.simulation.shelf import Shelf
from comanda.simulation.world import play

PATIENCE_SECONDS = 120
"""For a run that must end by itself; it takes a few seconds, and longer on a machine that is busy."""

SAYS_EACH_SEED = """
import sys
from comanda.cli import simulate
from comanda.cli.main import app
if __name__ == "__main__":
    simulate.SAVE_EVERY = 1
    app(["simulate", *sys.argv[1:]])
"""


def _start(tmp_path: Path, *arguments: str) -> "subprocess.Popen[str]":
    program = tmp_path / "says_each_seed.py"
    program.write_text(SAYS_EACH_SEED)
    return subprocess.Popen(
        [sys.executable, str(program), "--profile", "calm", *arguments],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _read(record: Path) -> Tally:
    return msgspec.json.decode(record.read_bytes(), type=Tally)


def _played_at_once(seeds: int) -> Tally:
    tally = Tally("calm", 0)
    for outcome in play_seeds(range(seeds), "calm", 1):
        tally.add(outcome)
    return tally


@pytest.mark.parametrize("processes", ["1", "2"])
def test_control_c_stops_all_processes_and_the_record_goes_on_from_there(
    tmp_path: Path, processes: str
) -> None:
    record = tmp_path / "record.json"
    running = _start(tmp_path, "--seeds", "5000", "--processes", processes, "--record", str(record))
    try:
        assert running.stdout is not None
        assert "evenings" in running.stdout.readline()
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all processes at once
        # It returns when nobody holds the two pipes any more: no process of the pool is left.
        output, errors = running.communicate(timeout=PATIENCE_SECONDS)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    assert running.returncode == 0, errors
    assert "stopped" in output
    assert "Traceback" not in errors
    stopped = _read(record)
    assert 1 <= stopped.seeds == stopped.next_seed < 5000
    seeds = str(stopped.seeds + 1)
    told = CliRunner().invoke(
        app, ["simulate", "--profile", "calm", "--seeds", seeds, "--record", str(record)]
    )
    assert told.exit_code == 0, told.output
    assert _read(record).digest == _played_at_once(stopped.seeds + 1).digest


def test_minutes_end_a_range_in_several_processes(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    running = _start(
        tmp_path,
        "--seeds",
        "5000",
        "--processes",
        "2",
        "--minutes",
        "0.01",
        "--record",
        str(record),
    )
    output, errors = running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == 0, errors
    kept = _read(record)
    assert 1 <= kept.seeds == kept.next_seed < 5000
    assert f"digest {kept.digest}" in output


def test_two_ranges_played_apart_merge_into_the_whole(tmp_path: Path) -> None:
    run = CliRunner().invoke
    records = [tmp_path / "first.json", tmp_path / "second.json"]
    for first, seeds, record in zip(("0", "1"), ("1", "2"), records, strict=True):
        arguments = ["--profile", "calm", "--first", first, "--seeds", seeds]
        told = run(app, ["simulate", *arguments, "--record", str(record)])
        assert told.exit_code == 0, told.output
    merged = run(app, ["simulate", "--merge", str(records[1]), "--merge", str(records[0])])
    assert f"digest {_played_at_once(3).digest}" in merged.output


def test_one_seed_in_a_hundred_is_played_twice() -> None:
    tally = Tally("calm", 99)
    for outcome in play_seeds(range(99, 102), "calm", 1):
        tally.add(outcome)
    assert tally.played_twice == 1
    assert tally.failed == 0


def test_a_seed_that_is_another_evening_the_second_time_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = play
    times = 0

    def play_otherwise(shelf: Shelf, plan: Plan) -> Outcome:
        nonlocal times
        times += 1
        return msgspec.structs.replace(real(shelf, plan), digest=f"digest {times}")

    monkeypatch.setattr("comanda.simulation.campaign.play", play_otherwise)
    (outcome,) = play_seeds(range(100, 101), "calm", 1)
    assert "the_same_seed_is_the_same_evening" in outcome.violations


def test_control_c_that_comes_out_of_an_evenings_nurseries_stops_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def stopped(*_: object) -> Iterator[Outcome]:
        yield next(iter(play_seeds(range(1), "calm", 1)))
        raise BaseExceptionGroup("of a nursery", [KeyboardInterrupt()])

    monkeypatch.setattr("comanda.simulation.campaign.play_seeds", stopped)
    record = tmp_path / "record.json"
    arguments = ["--profile", "calm", "--seeds", "9", "--record", str(record)]
    told = CliRunner().invoke(app, ["simulate", *arguments])
    assert told.exit_code == 0, told.output
    assert "stopped" in told.output
    assert _read(record).seeds == 1
