"""The contract's three calls over real sockets, without faults."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio

from comanda.pos.simulator.outcomes import Habits

from .helpers import a_simulator, an_order

LONG = Habits(delay_seconds=1000)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


async def until_at_work(pos: Any, key: str) -> None:
    """Until the order has arrived, of which a look-up tells."""
    while (await pos.look_up(key)).status_code == 404:
        await trio.lowlevel.checkpoint()


async def test_an_order_is_accepted_and_the_same_key_has_the_same_answer(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        first, again = await pos.submit("ORD-7-42"), await pos.submit("ORD-7-42")
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json()
        assert first.json()["status"] == "accepted"
        found = (await pos.look_up("ORD-7-42")).json()
        reference = first.json()["pos_reference"]
        assert found == {
            "order_id": "ORD-7-42",
            "status": "accepted",
            "pos_reference": reference,
            "code": None,
            "message": None,
        }
        assert pos.kinds("ORD-7-42") == ["accepted", "duplicate"]


async def test_fifty_calls_with_one_key_at_once_have_one_effect(ledger: Path) -> None:
    answers: list[httpx.Response] = []
    async with a_simulator(ledger, Habits(delay_seconds=0.2)) as pos:

        async def call() -> None:
            answers.append(await pos.submit("ORD-7-42"))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(call)
        assert {answer.status_code for answer in answers} <= {200, 202}
        assert 200 in {answer.status_code for answer in answers}
        assert pos.kinds("ORD-7-42").count("accepted") == 1
        assert pos.kinds("ORD-7-42").count("duplicate") == 49
        assert pos.summary().doubled == ()


async def test_while_the_first_call_is_at_work_the_second_gets_202(ledger: Path) -> None:
    async with a_simulator(ledger, LONG) as pos, trio.open_nursery() as nursery:
        nursery.start_soon(pos.submit, "A")
        await until_at_work(pos, "A")
        again = await pos.submit("A")
        assert again.status_code == 202
        assert again.json()["status"] == "pending"
        assert (await pos.look_up("A")).json()["status"] == "pending"
        other = await pos.submit("A", an_order("A", table="T13"))
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")
        nursery.cancel_scope.cancel()


async def test_an_order_whose_caller_leaves_is_cooked_all_the_same(ledger: Path) -> None:
    async with a_simulator(ledger, Habits(delay_seconds=0.3)) as pos:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pos.submit, "A")
            await until_at_work(pos, "A")
            nursery.cancel_scope.cancel()
        while await pos.status("A") == "pending":
            await trio.lowlevel.checkpoint()
        assert pos.kinds("A") == ["accepted"]


async def test_the_same_key_with_another_body_is_key_reused_and_has_no_effect(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        await pos.submit("A")
        other = await pos.submit("A", an_order("A", table="T13"))
        assert (other.status_code, other.json()["code"]) == (422, "key_reused")
        assert (await pos.submit("A")).json()["status"] == "accepted"
        assert pos.kinds("A") == ["accepted", "key_reused", "duplicate"]


async def test_a_void_takes_an_order_back_however_often_it_is_called(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        await pos.submit("A")
        for _ in range(2):
            answer = await pos.void("A")
            assert (answer.status_code, answer.json()) == (200, {"status": "voided"})
        assert await pos.status("A") == "voided"
        assert (await pos.submit("A")).json()["code"] == "voided"
        assert pos.kinds("A") == ["accepted", "voided", "duplicate", "duplicate"]
        assert pos.summary().effects == 1


async def test_a_key_voided_before_it_comes_is_never_cooked(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        assert (await pos.void("A")).status_code == 200
        late = await pos.submit("A")
        assert (late.status_code, late.json()["code"]) == (409, "voided")
        assert pos.kinds("A") == ["voided", "duplicate"]
    async with a_simulator(ledger) as pos:  # and after a restart
        assert (await pos.submit("A")).status_code == 409


async def test_an_order_voided_while_at_work_is_never_cooked(ledger: Path) -> None:
    answers = []
    async with a_simulator(ledger, Habits(delay_seconds=0.3)) as pos:

        async def call() -> None:
            answers.append(await pos.submit("A"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await until_at_work(pos, "A")
            await pos.void("A")
        assert [answer.status_code for answer in answers] == [409]
        assert pos.kinds("A") == ["voided"]


async def test_a_rejection_is_bound_to_its_key(ledger: Path) -> None:
    async with a_simulator(ledger, Habits(delay_seconds=0, accept_rate=0)) as pos:
        answer = await pos.submit("A")
        assert answer.status_code == 422
        assert answer.json()["retryable"] is True
    async with a_simulator(ledger) as pos:  # which accepts all others
        assert (await pos.submit("A")).json() == answer.json()


async def test_the_outcome_is_a_function_of_seed_and_key(tmp_path: Path) -> None:
    outcomes = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        habits = Habits(delay_seconds=0, accept_rate=0.5, seed=seed)
        async with a_simulator(tmp_path / name, habits) as pos:
            outcomes.append([(await pos.submit(f"ORD-{n}")).status_code for n in range(20)])
    assert outcomes[0] == outcomes[1] != outcomes[2]


def unfit_bodies() -> Iterator[bytes]:
    yield b""
    yield b"{"
    yield b"null"
    yield b"\xff\xfe\x00"
    yield b"[" * 100_000
    yield an_order("B")
    yield an_order("A", lines=[])
    yield an_order("A", lines=[{"menu_item_id": 1}])
    yield an_order("A", total="a lot")
    yield an_order("A", table=None)
    yield an_order("A").replace(b'"qty":2', b'"qty":0')
    yield an_order("A").replace(b"1250.0", b"1e999999999")
    yield an_order("A").replace(b'"restaurant_id":7', b'"restaurant_id":' + b"9" * 5000)


@pytest.mark.parametrize("body", list(unfit_bodies()), ids=lambda body: repr(body[:12]))
async def test_an_unfit_body_is_rejected_for_good(ledger: Path, body: bytes) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", body)
        if b"1e9" in body and answer.status_code == 200:
            return  # a number, if a strange one
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert (await pos.submit("A", body)).json() == answer.json()
        assert pos.kinds("A") == ["rejected", "duplicate"]


@pytest.mark.parametrize("key", ["", "a b", "../x", "a" * 200])
async def test_an_unfit_key_is_refused_and_nothing_is_written(ledger: Path, key: str) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit(key)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert pos.lines() == []


async def test_a_key_nobody_submitted_is_not_found(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.look_up("A")
        assert (answer.status_code, answer.json()) == (404, {"status": "not_found"})
        assert (await pos.http.get("/")).status_code == 404
        assert (await pos.http.put("/orders")).status_code == 405
        assert (await pos.submit("A", b" " * (1 << 20) + b" ")).status_code == 413


async def test_without_the_token_nothing_is_answered_but_401(ledger: Path) -> None:
    async with a_simulator(ledger, token="sesame") as pos:
        for answer in (await pos.submit("A"), await pos.look_up("A"), await pos.void("A")):
            assert answer.status_code == 401
        assert (await pos.http.get("/control")).status_code == 401
        pos.http.headers["Authorization"] = "Bearer wrong"
        assert (await pos.submit("A")).status_code == 401
        assert pos.lines() == []
        pos.http.headers["Authorization"] = "Bearer sesame"
        assert (await pos.submit("A")).status_code == 200


async def test_the_ledger_has_the_hash_of_the_very_bytes(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        await pos.submit("A")
        [line] = [msgspec.to_builtins(line) for line in pos.lines()]
    assert line["sha256"] == hashlib.sha256(an_order("A")).hexdigest()
    assert (line["line"], line["key"], line["kind"]) == ("effect", "A", "accepted")
