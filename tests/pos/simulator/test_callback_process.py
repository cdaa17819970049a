"""Callbacks of `comanda pos` as a process: over a kill, from the command line, in the printed ledger."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from .helpers import PATIENCE_SECONDS, calling
from .process import a_process, one_sentence, run
from .receiver import SECRET, Receiver, a_receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    with trio.fail_after(PATIENCE_SECONDS):
        async with a_receiver() as receiver:
            yield receiver


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


async def test_an_undelivered_callback_outlives_a_kill(
    tmp_path: Path, receiver: Receiver, secret_file: Path
) -> None:
    options = (
        "--delay",
        "0",
        "--callback-url",
        receiver.url,
        "--pos-secret-file",
        str(secret_file),
    )
    ledger = tmp_path / "ledger.jsonl"
    receiver.answers.extend([503] * 1000)
    with a_process(tmp_path, *options) as pos:
        async with calling(pos.url, ledger) as caller:
            await caller.submit("A", fault="pending=0")
            await receiver.until(2)
            assert caller.kinds("A") == ["pending", "accepted"]
        assert pos.end(signal.SIGKILL) == -signal.SIGKILL
    receiver.answers.clear()
    before = len(receiver.bodies)
    with a_process(tmp_path, *options) as pos:
        async with calling(pos.url, ledger) as caller:
            await caller.until("A", "pending", "accepted", "delivered")
        assert pos.end(signal.SIGTERM) == 0
    assert len(receiver.bodies) > before
    assert len(set(receiver.ids)) == len(set(receiver.bodies)) == 1


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("pending=1", ["pending", "accepted", "delivered"]),
        ("reject-then-accept=1", ["rejected", "accepted", "delivered"]),
        ("accept-then-reject=1", ["accepted", "rejected", "delivered"]),
    ],
)
async def test_what_waits_for_its_time_outlives_a_kill_and_is_told_in_time(
    tmp_path: Path, receiver: Receiver, fault: str, kinds: list[str]
) -> None:
    options = ("--delay", "0", "--callback-url", receiver.url)
    ledger = tmp_path / "ledger.jsonl"
    for turn in range(2):
        with a_process(tmp_path, *options, COMANDA_POS_SECRET=SECRET) as pos:
            async with calling(pos.url, ledger) as caller:
                if turn == 0:
                    await caller.submit("A", fault=fault)
                else:
                    await caller.until("A", *kinds)
            assert pos.end(signal.SIGKILL) == -signal.SIGKILL
    assert receiver.told == [("A", kinds[1])]


async def test_without_an_address_a_process_sends_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with a_process(tmp_path, "--delay", "0", COMANDA_POS_SECRET=SECRET) as pos:
        async with calling(pos.url, ledger) as caller:
            await caller.submit("A", fault="pending=0")
            await caller.until("A", "pending", "accepted")
    options = ("--delay", "0", "--callback-url", receiver.url)
    with a_process(tmp_path, *options, COMANDA_POS_SECRET=SECRET) as pos:
        async with calling(pos.url, ledger) as caller:
            await caller.submit("B", fault="accept-early")
    assert receiver.told == [("B", "accepted")]


async def test_a_refused_callback_is_logged_without_the_secret(
    tmp_path: Path, receiver: Receiver, secret_file: Path
) -> None:
    receiver.answers.extend([401] * 10)
    options = (
        "--delay",
        "0",
        "--callback-url",
        receiver.url,
        "--pos-secret-file",
        str(secret_file),
    )
    with a_process(tmp_path, *options) as pos:
        async with calling(pos.url, tmp_path / "ledger.jsonl") as caller:
            await caller.submit("A", fault="pending=0")
            await caller.until("A", "pending", "accepted", "given_up")
        assert pos.end(signal.SIGTERM) == 0
        said = pos.errors.read_text()
    assert said.count("callback refused") == 3
    assert said.count("callback given up") == 1
    assert SECRET.removeprefix("whsec_") not in said


async def test_faults_with_callbacks_are_taken_as_rates_and_as_instructions(
    tmp_path: Path, receiver: Receiver
) -> None:
    options = ("--delay", "0", "--callback-url", receiver.url, "--fault", "pending-silent=0=1.0")
    with a_process(tmp_path, *options, COMANDA_POS_SECRET=SECRET) as pos:
        async with calling(pos.url, tmp_path / "ledger.jsonl") as caller:
            given = ["reject-then-accept=0", "accept-early"]
            assert (await caller.http.post("/control", json={"next": given})).status_code == 200
            codes = [(await caller.submit(key)).status_code for key in "ABC"]
            await caller.until("A", "rejected", "accepted", "delivered")
            await caller.until("C", "pending", "accepted")
    assert codes == [422, 200, 202]
    assert sorted(receiver.told) == [("A", "accepted"), ("B", "accepted")]


def test_a_printed_ledger_tells_the_whole_story(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    at = '"at":"2024-01-15T10:30:00Z"'
    effect = '{"line":"effect","key":"ORD-7-1","sha256":"' + "ab" * 32 + f'",{at},'
    event_id = "evt_" + "0" * 32
    callback = f'{{"line":"callback","key":"ORD-7-1","event_id":"{event_id}",{at},'
    ledger.write_text(
        f'{effect}"kind":"rejected","code":"unavailable","message":"No"}}\n'
        f'{effect}"kind":"accepted","settles":true,"reference":"POS-1","callbacks":1}}\n'
        f'{callback}"kind":"delivered","answer":204}}\n{callback}"kind":"given_up"}}\n'
    )
    done = run("ledger", str(ledger))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split("\t")[2:] for line in done.stdout.splitlines()]
    assert rows[:4] == [
        ["rejected", "yes", "abababababab", "unavailable: No"],
        ["accepted", "settles", "abababababab", "POS-1"],
        ["delivered", "no", "-", f"{event_id}: 204"],
        ["given_up", "no", "-", f"{event_id}: no answer"],
    ]
    assert "effects 1, cooked 1," in done.stdout
    assert "keys that were contradicted 1\n  ORD-7-1\n" in done.stdout


# --- What is wrong is told in one sentence ------------------------------------------------------

URL = "http://127.0.0.1:9/api/pos/callbacks"


def test_callbacks_need_a_secret(tmp_path: Path) -> None:
    told = one_sentence(run("--callback-url", URL, COMANDA_POS_SECRET=""))
    assert "COMANDA_POS_SECRET or --pos-secret-file" in told


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "is empty"), ("sesame\n", "does not begin with whsec_"), ("whsec_se same", "not base64")],
)
def test_a_secret_file_that_is_unfit_is_named_and_not_repeated(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    told = one_sentence(run("--callback-url", URL, "--pos-secret-file", str(path)))
    assert str(path) in told
    assert why in told
    assert "same" not in told


def test_a_secret_file_that_is_missing_or_has_no_use_is_told(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    told = one_sentence(run("--callback-url", URL, "--pos-secret-file", nowhere))
    assert "cannot be read: No such file" in told
    assert "--callback-url" in one_sentence(run("--pos-secret-file", nowhere))


def test_an_unfit_secret_of_the_environment_is_told() -> None:
    told = one_sentence(run("--callback-url", URL, COMANDA_POS_SECRET="sesame"))
    assert "COMANDA_POS_SECRET" in told
    assert "sesame" not in told


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://127.0.0.1/", "http://", "http://[::1"]
)
def test_an_address_that_is_none_is_told(url: str) -> None:
    told = one_sentence(run("--callback-url", url, COMANDA_POS_SECRET=SECRET))
    assert "--callback-url" in told


def test_the_secret_is_no_option_of_its_own() -> None:
    done = run("--callback-url", URL, "--pos-secret", SECRET)
    assert done.returncode == 2
    assert "No such option" in done.stderr
