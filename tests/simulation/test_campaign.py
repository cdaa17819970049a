"""Ranges of seeds: they add up in any order, go on where they stopped, and fail with one line."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from comanda.cli.main import app
from comanda.simulation.campaign import Tally, play_seeds
from comanda.simulation.evening import Plan
from comanda.simulation.outcome import Outcome
from comanda.simulation.planning import plan_evening
from comanda.simulation.shelf import Shelf
from comanda.simulation.shrinking import shrink
from tests.every_death.broken import a_new_key_for_each_attempt

PATIENCE_SECONDS = 45
"""Far above what a start or an end takes; only a fault makes it pass."""


def _outcome(seed: int, *broken: str) -> Outcome:
    return Outcome(
        seed,
        "calm",
        60.0,
        10 + seed,
        {"killed": 2},
        ("order confirmed",),
        {"sent | refuses | alive | has": 3},
        {name: ["a sentence"] for name in broken},
        f"digest of {seed}",
    )


def _tally(*outcomes: Outcome) -> Tally:
    tally = Tally("calm", outcomes[0].seed)
    for outcome in outcomes:
        tally.add(outcome)
    return tally


def test_sigterm_ends_the_processes_and_leaves_nothing_behind(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    words = ("simulate", "--seeds", "100000", "--processes", "2", "--record", str(record))
    with subprocess.Popen(
        [sys.executable, "-m", "comanda", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            began = time.monotonic()
            # Two players, and one that watches over what they share.
            while len(children.read_text().split()) < 3:
                assert time.monotonic() - began < PATIENCE_SECONDS
                time.sleep(0.05)
            process.terminate()
            # To the end of what they print, so that all of them have ended.
            said, complaints = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
    assert (process.returncode, complaints) == (0, "")
    assert said.startswith("stopped\n")
    assert record.exists()


def test_two_ranges_add_up_to_the_whole_in_any_order() -> None:
    outcomes = [_outcome(seed, *(["broken"] if seed == 2 else [])) for seed in range(5)]
    whole = _tally(*outcomes)
    one, other = _tally(*outcomes[3:]), _tally(*outcomes[:3])
    one.merge(other)
    assert msgspec.to_builtins(one) == msgspec.to_builtins(whole)
    assert whole.failures[0].seed == 2
    assert whole.fewest_orders == 10


def test_another_trace_gives_another_digest() -> None:
    changed = msgspec.structs.replace(_outcome(1), digest="another")
    assert _tally(_outcome(0), _outcome(1)).digest != _tally(_outcome(0), changed).digest


def test_tallies_of_two_profiles_do_not_add_up() -> None:
    with pytest.raises(ValueError, match="pos"):
        Tally("calm", 0).merge(Tally("pos", 0))


def test_a_record_goes_on_where_it_ended(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    run = CliRunner().invoke
    for seeds in ("1", "2"):
        told = run(
            app, ["simulate", "--profile", "calm", "--seeds", seeds, "--record", str(record)]
        )
        assert told.exit_code == 0, told.output
    tally = Tally("calm", 0)
    for outcome in play_seeds(range(2), "calm", 1):
        tally.add(outcome)
    kept = msgspec.json.decode(record.read_bytes(), type=Tally)
    assert msgspec.to_builtins(kept) == msgspec.to_builtins(tally)
    merged = run(app, ["simulate", "--merge", str(record)])
    assert f"digest {tally.digest}" in merged.output


def test_a_failure_is_one_line_that_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    a_new_key_for_each_attempt(monkeypatch)
    told = CliRunner().invoke(app, ["simulate", "--profile", "calm", "--seed", "0"])
    assert told.exit_code == 1
    line = told.output.splitlines()[0]
    assert line.startswith("comanda simulate --profile calm --seed 0  # revision ")


def test_a_failed_evening_is_made_small(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    a_new_key_for_each_attempt(monkeypatch)
    plan = plan_evening(0, "calm")
    smaller, outcome = shrink(shelf, plan, "ordered_is_what_the_pos_has")
    assert "ordered_is_what_the_pos_has" in outcome.violations
    assert len(smaller.guests) == 1
    assert [act.what for act in smaller.guests[0].acts] in (["add", "order"], ["order"], [])
    assert outcome.orders == 1
    written = msgspec.json.decode(msgspec.json.encode(smaller), type=Plan)
    assert written == smaller


def test_a_trace_is_of_one_evening(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["simulate", "--trace", str(tmp_path / "trace")])
    assert told.exit_code == 2
