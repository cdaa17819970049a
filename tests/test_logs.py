"""What a server's log tells, and what it never tells: a whole evening against a real process."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from comanda.client import ApiError, StaffClient, open_table
from comanda.logs import configure_logs, get_log
from tests.cli.helpers import SHORT_LOCK
from tests.server_process import a_server

NAMES = ("Anastasia-Nameworth", "Benedikt-Nameworth")
NOTE = "note-that-must-not-be-told"
INSTRUCTIONS = "instructions-that-must-not-be-told"
REASON = "reason-that-must-not-be-told"
STAFF_TOKEN = "staff-token-that-must-not-be-told"
TABLE = "demo-1"


async def spend_an_evening(url: str) -> list[str]:
    """Two guests, a lost line, orders of every kind, the staff, a stranger. What must not be told."""
    secrets = [*NAMES, NOTE, INSTRUCTIONS, REASON, STAFF_TOKEN, TABLE]
    async with (
        StaffClient(url, STAFF_TOKEN) as staff,
        open_table(url, TABLE, NAMES[0]) as ana,
        open_table(url, TABLE, NAMES[1], pin=ana.store.join_pin) as ben,
    ):
        assert ana.store.join_pin is not None
        secrets += [ana.member_token, ben.member_token]
        await ana.add_to_cart(456, qty=2, note=NOTE)
        await ben.add_to_cart(457, note=NOTE)
        for words in ("", "pos:reject", "pos:hang"):
            await ana.place_order(special_instructions=f"{words} {INSTRUCTIONS}".strip())
            await ana.wait_for(lambda store: not store.cart_locked, timeout_seconds=30)
            await ana.add_to_cart(456, note=NOTE)
        (waiting,) = (await staff.list_orders(7, states=["needs_staff"])).orders
        await staff.resolve_order(waiting.order_id, "rejected", reason=REASON)
        await staff.patch_menu_item(7, 457, available=False)
        with pytest.raises(ApiError):
            async with StaffClient(url, f"{STAFF_TOKEN}-not") as stranger:
                await stranger.list_restaurants()
        session = ana.session_pid
        await staff.close_session(session)
        await staff.forget_session(session)
    return [*secrets, f'"{ana.store.join_pin}"']


async def the_log_of_an_evening(folder: Path, level: str) -> tuple[str, list[str]]:
    secrets: list[str] = []
    options: tuple[str, ...] = (*SHORT_LOCK, "--pos-delay", "0.05")
    options += ("--pos-success-rate", "1", "--retry-limit", "0", "--log-level", level)
    options += ("--join-pin", "on")
    token = folder / "token"
    token.write_text(STAFF_TOKEN)
    with trio.fail_after(120):
        async with a_server(folder, *options, "--staff-token-file", str(token)) as server:
            secrets = await spend_an_evening(server.url)
    key = server.database.with_suffix(".key").read_text().strip()
    return server.log.read_text("utf-8"), [*secrets, key]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "server"
    found.mkdir()
    return found


async def test_no_token_name_or_note_of_an_evening_is_in_the_log_at_its_most_talkative(
    folder: Path,
) -> None:
    log, secrets = await the_log_of_an_evening(folder, "debug")
    events = [json.loads(line) for line in log.splitlines()]
    told = {event["event"] for event in events}
    assert {"session opened", "member joined", "command answered", "session closed"} <= told
    assert "guests forgotten" in told
    assert {"order confirmed", "order rejected", "order needs_staff", "POS called"} <= told
    for secret in secrets:
        assert secret not in log, [line for line in log.splitlines() if secret in line][:3]


async def test_each_orders_events_carry_its_id_and_its_sessions(folder: Path) -> None:
    log, _ = await the_log_of_an_evening(folder, "debug")
    events = [json.loads(line) for line in log.splitlines()]
    (session,) = {event["session"] for event in events if event["event"] == "session opened"}
    of_orders = [event for event in events if "ORD-" in json.dumps(event)]
    assert all(event["session"] == session for event in of_orders), of_orders
    for number, steps in (
        (1, ["prepared", "sent", "confirmed"]),
        (2, ["prepared", "sent", "rejected"]),
        (3, ["prepared", "sent", "unknown", "needs_staff", "rejected"]),
    ):
        mine = [event for event in of_orders if event["order"] == f"ORD-7-{number}"]
        told = [event for event in mine if event["event"].startswith("order ")]
        assert [event["event"] for event in told] == [f"order {step}" for step in steps]
        assert all(event["member"].startswith("member_") for event in told)
        placed = next(event for event in events if event.get("request") == told[0]["request"])
        assert placed["member"] == told[0]["member"]


def lines_of(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


@pytest.fixture
def logging_again() -> Any:
    """Logging as it was before, after a test that configures it."""
    root, ours = logging.getLogger(), logging.getLogger("comanda")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def fail_with(note: str) -> None:
    carried = {"note": note}
    raise LookupError(str(len(carried)))


@pytest.mark.usefixtures("logging_again")
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_does_not_tell_what_its_variables_held(
    form: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs("info", form)
    try:
        fail_with(NOTE)
    except LookupError as error:
        get_log("comanda.test").error("it failed", exc_info=error)
    told = lines_of(capsys)
    assert "LookupError" in told
    assert "fail_with" in told
    assert NOTE not in told


@pytest.mark.usefixtures("logging_again")
def test_an_id_from_outside_brings_no_escape_to_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "console")
    get_log("comanda.test").info("said", order="ORD\x1b]0;owned\x07\x1b[2J")
    told = lines_of(capsys)
    assert "owned" in told
    assert "\x1b]" not in told
    assert "\x1b[2J" not in told


@pytest.mark.usefixtures("logging_again")
def test_of_libraries_nothing_is_heard_below_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug", "json")
    logging.getLogger("aiosqlite").debug("executing with %s", NOTE)
    logging.getLogger("some.library").info("heard %s", NOTE)
    get_log("comanda.test").debug("ours")
    (line,) = lines_of(capsys).splitlines()
    assert json.loads(line)["event"] == "ours"


@pytest.mark.usefixtures("logging_again")
def test_what_is_quieter_than_the_level_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("error", "json")
    logging.getLogger("some.library").warning("careful")
    get_log("comanda.test").warning("careful")
    assert lines_of(capsys) == ""
