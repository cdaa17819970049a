"""Callbacks as their receiver gets them, and faults by which the POS contradicts itself."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import httpx
import msgspec
import pytest
import trio

from comanda.pos.simulator import desk
from comanda.pos.simulator.entries import Effect

from .helpers import PATIENCE_SECONDS, a_simulator
from .receiver import Receiver, a_receiver, id_is_fit


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    with trio.fail_after(PATIENCE_SECONDS):
        async with a_receiver() as receiver:
            yield receiver


async def test_a_pending_order_is_told_in_time_without_being_asked_for(
    ledger: Path, receiver: Receiver
) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        answer = await pos.submit("ORD-7.1", fault="pending=0.2")
        assert (answer.status_code, answer.json()["status"]) == (202, "pending")
        await pos.until("ORD-7.1", "pending", "accepted", "delivered")
        accepted = pos.lines()[1]
    assert isinstance(accepted, Effect)
    assert accepted.at >= datetime.fromisoformat(answer.json()["expected_by"])
    [event_id] = receiver.ids
    assert id_is_fit(event_id)
    assert msgspec.json.decode(receiver.bodies[0]) == {
        "event_id": event_id,
        "order_id": "ORD-7.1",
        "status": "accepted",
        "pos_reference": answer.json()["pos_reference"],
        "message": None,
        "occurred_at": msgspec.to_builtins(accepted.at),
    }


async def test_a_pending_order_that_is_rejected_is_told_with_its_message(
    ledger: Path, receiver: Receiver
) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="pending-reject=0")
        await pos.until("A", "pending", "rejected", "delivered")
    body = msgspec.json.decode(receiver.bodies[0])
    assert (body["status"], body["message"]) == ("rejected", "The kitchen has refused the order")


async def test_pending_twice_tells_one_event_two_times(ledger: Path, receiver: Receiver) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="pending-twice=0")
        await pos.until("A", "pending", "accepted", "delivered", "delivered")
        assert (pos.summary().delivered, pos.summary().owed) == (2, 0)
    assert len(receiver.bodies) == 2
    assert len(set(receiver.ids)) == len(set(receiver.bodies)) == 1


async def test_pending_silent_is_settled_and_never_told(ledger: Path, receiver: Receiver) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="pending-silent=0")
        await pos.until("A", "pending", "accepted")
        await pos.submit("B", fault="pending=0")
        await pos.until("B", "pending", "accepted", "delivered")
        assert await pos.status("A") == "accepted"
        assert pos.summary().owed == 0
    assert receiver.told == [("B", "accepted")]


@pytest.mark.parametrize(
    ("fault", "status", "kinds"),
    [
        ("pending-early=0.1", 202, ["pending", "accepted", "delivered"]),
        ("accept-early", 200, ["accepted", "delivered"]),
    ],
)
async def test_an_early_callback_is_answered_before_the_call_is(
    ledger: Path, receiver: Receiver, fault: str, status: int, kinds: list[str]
) -> None:
    answers: list[httpx.Response] = []
    receiver.gate = trio.Event()
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:

        async def order() -> None:
            answers.append(await pos.submit("A", fault=fault))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(order)
            await receiver.until(1)
            for _ in range(20):
                assert await pos.status("A") == "accepted"
            assert answers == []
            receiver.gate.set()
        assert [answer.status_code for answer in answers] == [status]
        assert pos.kinds("A")[: len(kinds)] == kinds
    assert receiver.told == [("A", "accepted")]


@pytest.mark.parametrize(("fault", "status"), [("pending-early=0", 202), ("accept-early", 200)])
async def test_an_answer_does_not_wait_for_a_receiver_that_stays_silent(
    ledger: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, fault: str, status: int
) -> None:
    monkeypatch.setattr(desk, "EARLY_PATIENCE_SECONDS", 0.1)
    receiver.gate = trio.Event()
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        assert (await pos.submit("A", fault=fault)).status_code == status
        assert "delivered" not in pos.kinds("A")
        receiver.gate.set()
        await pos.until("A", *pos.kinds("A"), "delivered")


async def test_reject_then_accept_cooks_an_order_that_it_has_refused(
    ledger: Path, receiver: Receiver
) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        answer = await pos.submit("A", fault="reject-then-accept=0.2")
        assert (answer.status_code, answer.json()["status"]) == (422, "rejected")
        await pos.until("A", "rejected", "accepted", "delivered")
        found = (await pos.look_up("A")).json()
        assert (found["status"], found["code"], found["message"]) == ("accepted", None, None)
        assert (await pos.submit("A")).json()["status"] == "accepted"
        summary = pos.summary()
    assert receiver.told == [("A", "accepted")]
    assert (summary.effects, summary.cooked) == (1, 1)
    assert (summary.doubled, summary.contradicted) == ((), ("A",))


async def test_accept_then_reject_does_not_cook_what_it_has_accepted(
    ledger: Path, receiver: Receiver
) -> None:
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        answer = await pos.submit("A", fault="accept-then-reject=0.2")
        assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
        await pos.until("A", "accepted", "rejected", "delivered")
        assert await pos.status("A") == "rejected"
        summary = pos.summary()
    assert receiver.told == [("A", "rejected")]
    assert (summary.effects, summary.cooked) == (1, 0)
    assert (summary.doubled, summary.contradicted) == ((), ("A",))


async def test_a_callback_is_repeated_under_one_id_until_the_receiver_takes_it(
    ledger: Path, receiver: Receiver
) -> None:
    receiver.answers.extend([503, 500, 408, 425, 429, 429])
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="pending=0")
        await pos.until("A", "pending", "accepted", "delivered")
    assert len(receiver.bodies) == 7
    assert len(set(receiver.ids)) == len(set(receiver.bodies)) == 1


async def test_a_receiver_that_does_not_answer_is_called_again(
    ledger: Path, receiver: Receiver
) -> None:
    receiver.gate = trio.Event()
    limits = msgspec.structs.replace(receiver.settings().limits, call_seconds=0.1)
    async with a_simulator(ledger, callbacks=receiver.settings(limits)) as pos:
        await pos.submit("A", fault="pending=0")
        await receiver.until(3)
        receiver.gate.set()
        await pos.until("A", "pending", "accepted", "delivered")


@pytest.mark.parametrize("answer", [302, 401, 404])
async def test_a_refused_callback_is_soon_given_up_for_good(
    ledger: Path, receiver: Receiver, answer: int
) -> None:
    receiver.answers.extend([answer] * 10)
    settings = receiver.settings()
    async with a_simulator(ledger, callbacks=settings) as pos:
        await pos.submit("A", fault="pending-twice=0")
        await pos.until("A", "pending", "accepted", "given_up")
        assert (pos.summary().given_up, pos.summary().owed) == (1, 0)
    assert receiver.told == [("A", "accepted")] * settings.limits.refusals
    receiver.answers.clear()
    async with a_simulator(ledger, callbacks=settings) as pos:
        await pos.submit("B", fault="accept-early")
    assert receiver.told[settings.limits.refusals :] == [("B", "accepted")]


@pytest.mark.parametrize("bound", [{"tries": 4}, {"total_seconds": 0.2, "tries": 10**6}])
async def test_a_receiver_that_stays_down_is_given_up_by_tries_and_by_time(
    ledger: Path, receiver: Receiver, bound: dict[str, float]
) -> None:
    receiver.answers.extend([503] * 10_000)
    limits = msgspec.structs.replace(receiver.settings().limits, **bound)
    async with a_simulator(ledger, callbacks=receiver.settings(limits)) as pos:
        await pos.submit("A", fault="pending=0")
        await pos.until("A", "pending", "accepted", "given_up")
    if "total_seconds" not in bound:
        assert len(receiver.bodies) == 4


async def test_after_the_end_a_new_run_tells_what_is_owed_under_the_same_id(
    ledger: Path, receiver: Receiver
) -> None:
    receiver.answers.append(204)
    receiver.answers.extend([503] * 1000)
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="pending-twice=0")
        await receiver.until(3)
        assert pos.kinds("A") == ["pending", "accepted", "delivered"]
        assert pos.summary().owed == 1
    receiver.answers.clear()
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.until("A", "pending", "accepted", "delivered", "delivered")
    assert len(set(receiver.ids)) == len(set(receiver.bodies)) == 1


async def test_an_event_has_the_same_id_in_every_ledger_and_another_for_another_effect(
    tmp_path: Path, receiver: Receiver
) -> None:
    for name in ("one", "two"):
        async with a_simulator(tmp_path / name, callbacks=receiver.settings()) as pos:
            await pos.submit("A", fault="accept-early")
            await pos.submit("B", fault="accept-early")
            await pos.submit("A.B", fault="pending-reject=0")
            await pos.until("A.B", "pending", "rejected", "delivered")
    assert receiver.ids[:3] == receiver.ids[3:]
    assert len(set(receiver.ids)) == 3


async def test_without_an_address_nothing_is_sent_and_nothing_owed_later(
    ledger: Path, receiver: Receiver
) -> None:
    async with a_simulator(ledger) as pos:
        for fault, kinds in {
            "pending=0": ("pending", "accepted"),
            "pending-twice=0": ("pending", "accepted"),
            "pending-early=0": ("pending", "accepted"),
            "accept-early": ("accepted",),
            "reject-then-accept=0": ("rejected", "accepted"),
            "accept-then-reject=0": ("accepted", "rejected"),
        }.items():
            key = fault.partition("=")[0]
            await pos.submit(key, fault=fault)
            await pos.until(key, *kinds)
        assert pos.summary().owed == 0
    async with a_simulator(ledger, callbacks=receiver.settings()) as pos:
        await pos.submit("A", fault="accept-early")
    assert receiver.told == [("A", "accepted")]
