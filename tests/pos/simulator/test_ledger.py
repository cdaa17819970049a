"""The ledger's file: what a kill leaves of it, and that effects are on disk before anything goes on."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comanda.pos.simulator.entries import Effect, Line, Note, Status, summarize
from comanda.pos.simulator.ledger import Ledger, LedgerUnusable, read_ledger

AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def effect(key: str, kind: Status = "accepted", settles: bool = False) -> Effect:
    return Effect(key=key, sha256="ab" * 32, at=AT, kind=kind, settles=settles)


def duplicate(key: str) -> Note:
    return Note(key=key, sha256="ab" * 32, at=AT, kind="duplicate")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def filled(path: Path, *keys: str) -> None:
    ledger = Ledger(path)
    for key in keys:
        ledger.record(effect(key))
    ledger.close()


def test_a_ledger_that_is_opened_again_knows_what_each_key_came_to(path: Path) -> None:
    ledger = Ledger(path)
    ledger.record(effect("A", "pending"))
    ledger.record(effect("A", "accepted", settles=True))
    ledger.record(effect("B", "rejected"))
    ledger.note(duplicate("B"))
    ledger.close()
    again = Ledger(path)
    assert again.find("A") == effect("A", "accepted", settles=True)
    assert again.find("B") == effect("B", "rejected")
    assert again.find("C") is None
    again.close()


def test_a_line_torn_at_any_byte_is_cut_and_the_next_one_stands_whole(path: Path) -> None:
    filled(path, "A", "B")
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole)):
        path.write_bytes(whole[:size])
        assert [line.key for line in read_ledger(path)[0]] == ["A"]
        filled(path, "C")
        assert [line.key for line in read_ledger(path)[0]] == ["A", "C"]


def test_reading_a_torn_ledger_leaves_the_file_as_it_is(path: Path) -> None:
    filled(path, "A")
    path.write_bytes(path.read_bytes() + b'{"torn')
    before = path.read_bytes()
    read_ledger(path)
    assert path.read_bytes() == before


def test_an_effect_is_written_then_synced_and_only_then_known(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(path)
    seen = []
    sync = os.fsync

    def watched(descriptor: int) -> None:
        seen.append((read_ledger(path)[0], ledger.find("A")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    ledger.record(effect("A"))
    assert seen == [([effect("A")], None)]
    assert ledger.find("A") == effect("A")
    ledger.close()


def test_an_effect_that_the_disk_refuses_is_not_known_and_nothing_is_written_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    ledger = Ledger(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refusing)
        with pytest.raises(LedgerUnusable, match="cannot be written: Input/output error"):
            ledger.record(effect("A"))
    assert ledger.find("A") is None
    with pytest.raises(LedgerUnusable, match="no longer"):
        ledger.record(effect("B"))
    ledger.close()


def test_a_second_first_effect_is_a_bug_and_is_not_written(path: Path) -> None:
    filled(path, "A")
    ledger = Ledger(path)
    with pytest.raises(AssertionError, match="two effects"):
        ledger.record(effect("A"))
    with pytest.raises(AssertionError):
        ledger.record(effect("B", settles=True))
    ledger.close()
    assert len(read_ledger(path)[0]) == 1


def test_one_process_owns_a_ledger_at_a_time(path: Path) -> None:
    ledger = Ledger(path)
    with pytest.raises(LedgerUnusable, match="in use by another"):
        Ledger(path)
    ledger.close()
    filled(path, "A")


def test_a_file_that_is_no_ledger_is_refused_by_its_line(path: Path) -> None:
    filled(path, "A")
    path.write_bytes(path.read_bytes() + b'{"line":"effect"}\n')
    with pytest.raises(LedgerUnusable, match="line 2 of"):
        Ledger(path)
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(LedgerUnusable, match="line 1 of"):
        Ledger(path)


def test_a_summary_counts_first_effects_alone_and_names_doubled_keys() -> None:
    lines: list[Line] = [
        effect("A", "pending"),
        effect("A", settles=True),
        effect("B"),
        duplicate("B"),
        Note(key="B", sha256="", at=AT, kind="key_reused"),
        effect("B"),
    ]
    summary = summarize(lines)
    assert (summary.keys, summary.effects, summary.duplicates) == (2, 3, 1)
    assert summary.key_reused == 1
    assert summary.doubled == ("B",)
