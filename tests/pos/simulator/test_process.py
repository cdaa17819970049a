"""`comanda pos` as a process: its lines, its ends, and what a kill leaves of its ledger."""

import gc
import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest
import trio

from comanda.pos.simulator.entries import Effect, summarize
from comanda.pos.simulator.ledger import Ledger, read_ledger

from .helpers import PATIENCE_SECONDS, an_order, calling
from .process import COMANDA, a_process, one_sentence, run


# httpx leaves its body's generator behind when the peer dies while it sends.
@pytest.mark.filterwarnings("ignore:Async generator 'httpx:ResourceWarning")
async def test_after_a_kill_each_accept_that_was_answered_is_in_the_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    answered: dict[str, str] = {}
    for turn in range(3):
        with a_process(tmp_path, "--delay", "0.01") as pos, trio.fail_after(PATIENCE_SECONDS):
            async with calling(pos.url, ledger) as caller, trio.open_nursery() as nursery:
                enough = trio.Event()

                async def ordering(guest: int, turn: int = turn) -> None:
                    with suppress(httpx.TransportError):
                        for number in range(10_000):
                            key = f"ORD-{turn}-{guest}-{number}"
                            answer = await caller.submit(key)
                            answered[key] = answer.json()["pos_reference"]
                            if len(answered) >= 100 * (turn + 1):
                                enough.set()  # noqa: B023

                for guest in range(16):
                    nursery.start_soon(ordering, guest)
                await enough.wait()
                pos.process.kill()  # while all sixteen call
            assert await trio.to_thread.run_sync(pos.process.wait) == -signal.SIGKILL
        lines, _ = read_ledger(ledger)
        had = {line.key: line.reference for line in lines if isinstance(line, Effect)}
        assert answered.items() <= had.items()
        assert summarize(lines).doubled == ()
        gc.collect()
    Ledger(ledger).close()
    assert len(answered) >= 300


async def test_after_a_kill_the_same_key_has_the_same_answer(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        with a_process(tmp_path) as pos, trio.fail_after(PATIENCE_SECONDS):
            async with calling(pos.url, tmp_path / "ledger.jsonl") as caller:
                answers.append((await caller.submit("A")).json())
            assert pos.end(signal.SIGKILL) == -signal.SIGKILL
    assert answers[0] == answers[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_calls_in_flight_end_and_cuts_those_that_hang(
    tmp_path: Path, number: signal.Signals
) -> None:
    codes: list[int] = []
    with a_process(tmp_path, "--delay", "1") as pos, trio.fail_after(PATIENCE_SECONDS):
        async with calling(pos.url, tmp_path / "ledger.jsonl") as caller:

            async def order() -> None:
                codes.append((await caller.submit("A")).status_code)

            async def hang() -> None:
                with pytest.raises(httpx.TransportError):
                    await caller.submit("B", fault="hang")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(hang)
                nursery.start_soon(order)
                while (await caller.look_up("A")).status_code == 404:
                    await trio.lowlevel.checkpoint()
                pos.process.send_signal(number)
        assert await trio.to_thread.run_sync(pos.process.wait) == 0
        assert codes == [200]
        assert pos.errors.read_text() == ""


async def test_faults_accept_rate_and_token_are_taken_from_the_command_line(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sesame\n")
    options = ("--fault", "busy=0.5", "--fault", "pending=7=0.5", "--token-file", str(token))
    with a_process(tmp_path, *options, "--seed", "3") as pos:
        headers = {"Authorization": "Bearer sesame"}
        async with calling(pos.url, tmp_path / "l", headers=headers) as caller:
            codes = {(await caller.submit(f"ORD-{n}")).status_code for n in range(20)}
            assert codes == {202, 429}
            shown = (await caller.http.get("/control")).json()
            assert shown == {"seed": 3, "next": [], "rates": {"busy=1": 0.5, "pending=7": 0.5}}
        async with calling(pos.url, tmp_path / "l") as stranger:
            assert (await stranger.submit("A")).status_code == 401


async def test_a_bodys_faults_are_no_noise_on_standard_error(tmp_path: Path) -> None:
    with a_process(tmp_path) as pos:
        async with calling(pos.url, tmp_path / "l") as caller:
            for key, fault in enumerate(("reset", "truncated", "garbage")):
                with suppress(httpx.TransportError):
                    await caller.submit(str(key), an_order(str(key)), fault)
        assert pos.end(signal.SIGTERM) == 0
        assert pos.errors.read_text() == ""


def test_a_port_in_use_is_told_in_one_sentence(tmp_path: Path) -> None:
    with a_process(tmp_path) as pos:
        port = pos.url.rpartition(":")[2]
        done = run("--port", port, "--ledger", str(tmp_path / "other"))
    assert f"127.0.0.1:{port} is in use" in one_sentence(done)


def test_a_ledger_in_use_or_unreadable_is_told_in_one_sentence(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with a_process(tmp_path):
        done = run("--port", "0", "--ledger", str(ledger))
        assert "in use by another simulator" in one_sentence(done)
    ledger.write_text("no ledger\n")
    done = run("--port", "0", "--ledger", str(ledger))
    assert "is no line of a simulator's ledger" in one_sentence(done)
    done = run("--port", "0", "--ledger", str(tmp_path / "nowhere" / "ledger"))
    assert "cannot be opened: No such file" in one_sentence(done)
    assert "cannot be read" in one_sentence(run("ledger", str(tmp_path / "nowhere")))


@pytest.mark.parametrize("fault", ["hang", "hang=much", "nonsense=0.1", "hang=2", "hang=nan"])
def test_an_unfit_fault_is_told_in_one_sentence(tmp_path: Path, fault: str) -> None:
    one_sentence(run("--port", "0", "--ledger", str(tmp_path / "ledger"), "--fault", fault))


def test_a_token_file_that_is_empty_or_missing_is_told_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert "is empty" in one_sentence(run("--token-file", str(empty)))
    assert "cannot be read" in one_sentence(run("--token-file", str(tmp_path / "nowhere")))


def test_an_address_that_is_nobodys_is_told_in_one_sentence(tmp_path: Path) -> None:
    one_sentence(run("--host", "192.0.2.1", "--port", "0", "--ledger", str(tmp_path / "l")))


# --- The ledger, printed ------------------------------------------------------------------------

PENDING = (
    '{"line":"effect","key":"ORD-7-1","sha256":"' + "ab" * 32 + '","at":"2024-01-15T10:30:00Z",'
    '"kind":"pending","reference":"POS-1"}\n'
)
ACCEPTED = PENDING.replace("pending", "accepted")
SETTLED = ACCEPTED.replace('"accepted"', '"accepted","settles":true')
DUPLICATE = (
    '{"line":"note","key":"ORD-7-1","sha256":"' + "ab" * 32 + '","at":"2024-01-15T10:30:01Z",'
    '"kind":"duplicate"}\n'
)


def test_a_pipe_gets_a_line_for_each_line_and_a_summary(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(PENDING + SETTLED + DUPLICATE)
    done = run("ledger", str(ledger))
    assert (done.returncode, done.stderr) == (0, "")
    first, second, third, summary, *named = done.stdout.splitlines()
    at = "2024-01-15 10:30:00.000"
    assert first.split("\t") == [at, "ORD-7-1", "pending", "yes", "abababababab", "POS-1"]
    assert second.split("\t")[2:4] == ["accepted", "settles"]
    assert third.split("\t")[2:] == ["duplicate", "no", "abababababab", "-"]
    assert summary == (
        "keys 1, effects 1, cooked 1, duplicates 1, keys reused 0, "
        "callbacks delivered 0, given up 0, owed 0"
    )
    assert named == ["keys that were contradicted 0", "keys with more than one effect 0"]


def test_a_doubled_key_is_named_and_ends_the_command_with_code_1(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ACCEPTED + ACCEPTED)
    done = run("ledger", str(ledger))
    assert done.returncode == 1
    assert done.stdout.endswith("keys with more than one effect 1\n  ORD-7-1\n")
    done = run("ledger", str(ledger), "--json")
    assert done.returncode == 1
    told = msgspec.json.decode(done.stdout)
    assert told["summary"]["doubled"] == ["ORD-7-1"]
    assert [line["kind"] for line in told["lines"]] == ["accepted", "accepted"]


def test_a_terminal_gets_a_table(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(ACCEPTED)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    with subprocess.Popen(
        [*COMANDA, "pos", "ledger", str(ledger)], stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # Linux: nobody holds the other side any more
            while data := os.read(ours, 65536):
                said += data
        os.close(ours)
        assert process.wait(PATIENCE_SECONDS) == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert re.search(r"┃ time +┃ key +┃ what +┃", plain)
    assert "│ ORD-7-1 │ accepted │" in plain
