"""`python -m chaos`: a short run of the real thing, what it leaves behind, and how it is broken off."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import trio

RUN_SECONDS = 240
"""Far more than five cycles take; a machine may be busy."""


def command(*options: str) -> list[str]:
    """A small run: forty tables, eight of them active."""
    return [sys.executable, "-m", "chaos", "--tables", "40", *options]


def environment(folder: Path) -> dict[str, str]:
    """Scratch folders go into `folder`."""
    return {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}


def programs_in(folder: Path) -> list[str]:
    """Command lines of processes that work in `folder`."""
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = one.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it has just ended
        if f"{folder}/" in text:
            found.append(text)
    return found


def files_in(folder: Path) -> list[Path]:
    """What there is, in one folder."""
    return list(folder.iterdir())


async def test_a_few_disturbances_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    with trio.fail_after(RUN_SECONDS):
        run = await trio.run_process(
            command("--cycles", "5", "--seed", "11"),
            env=environment(tmp_path),
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    said = run.stdout.decode()
    assert run.returncode == 0, said + run.stderr.decode()
    figures = {line[:38].strip(): line[38:].strip() for line in said.splitlines()[5:]}
    assert figures["cycles"] == "5"
    assert figures["violations"] == "0"
    assert int(figures["orders"]) > 0
    assert files_in(tmp_path) == []


async def test_a_violation_is_told_with_its_evidence_and_how_to_repeat_it(tmp_path: Path) -> None:
    broken = "chaos.broken_server no-request-memory"
    options = ["--cycles", "10", "--only", "cut-members", "--server-module", broken]
    with trio.fail_after(RUN_SECONDS):
        run = await trio.run_process(
            command(*options), env=environment(tmp_path), capture_stdout=True, check=False
        )
    said = run.stdout.decode()
    assert run.returncode == 1, said
    assert "\nI11 " in said
    assert f"--only cut-members --server-module '{broken}'" in said
    (folder,) = files_in(tmp_path)
    assert f"Evidence: {folder} " in said
    there = {one.name for one in files_in(folder)}
    assert there >= {"journal.jsonl", "pos-ledger.jsonl", "house.db", "server.log"}
    assert "I11 " in (folder / "violations.txt").read_text(encoding="utf-8")


async def test_ctrl_c_leaves_neither_programs_nor_files(tmp_path: Path) -> None:
    process = await trio.lowlevel.open_process(
        command("--cycles", "50", "--only", "cut-members"),
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with trio.fail_after(RUN_SECONDS):
        first = await process.stdout.receive_some()
        assert b"cut-members" in first
        assert len(programs_in(tmp_path)) == 2
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
    await process.stdout.aclose()
    assert programs_in(tmp_path) == []
    assert files_in(tmp_path) == []
