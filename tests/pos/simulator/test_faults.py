"""Each fault as a caller meets it, and what it leaves in the ledger."""

from datetime import datetime
from pathlib import Path

import httpx
import msgspec
import pytest
import trio

from comanda.pos.simulator.outcomes import Habits

from .helpers import Caller, a_simulator, an_order, an_unanswered


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


async def until_in_ledger(pos: Caller, key: str, kind: str) -> None:
    while kind not in pos.kinds(key):
        await pos.look_up("somebody-else")


async def test_hang_never_answers_and_has_no_effect(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        async with an_unanswered(pos.submit("A", fault="hang")):
            for _ in range(20):
                assert await pos.status("A") == "not_found"
        assert pos.kinds("A") == []
        assert (await pos.submit("A")).json()["status"] == "accepted"


async def test_delay_answers_after_so_many_seconds_and_not_before(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        started = trio.current_time()
        assert (await pos.submit("A", fault="delay=0.3")).json()["status"] == "accepted"
        assert trio.current_time() - started >= 0.3
        started = trio.current_time()
        assert (await pos.submit("A", fault="delay=0.3")).json()["status"] == "accepted"
        assert trio.current_time() - started >= 0.3
        for call in (pos.look_up, pos.void):
            started = trio.current_time()
            assert (await call("A", "delay=0.2")).status_code == 200
            assert trio.current_time() - started >= 0.2


async def test_lost_has_the_effect_and_never_answers(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        async with an_unanswered(pos.submit("A", fault="lost")):
            await until_in_ledger(pos, "A", "accepted")
            assert await pos.status("A") == "accepted"
        async with an_unanswered(pos.submit("A", fault="lost")):
            await until_in_ledger(pos, "A", "duplicate")
        assert (await pos.submit("A")).json()["status"] == "accepted"
        assert pos.kinds("A") == ["accepted", "duplicate", "duplicate"]


async def test_reset_has_the_effect_and_then_resets_the_connection(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        body = an_order("A")
        head = (
            "POST /orders HTTP/1.1\r\nHost: pos\r\nIdempotency-Key: A\r\nX-Pos-Fault: reset\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", pos.http.base_url.port or 0) as stream:
            await stream.send_all(head.encode() + body)
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.receive_some()
        assert isinstance(caught.value.__cause__, ConnectionResetError)
        assert pos.kinds("A") == ["accepted"]
        with pytest.raises(httpx.TransportError):
            await pos.submit("A", fault="reset")
        assert pos.kinds("A") == ["accepted", "duplicate"]


async def test_an_error_before_has_no_effect_and_one_after_has_it(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        assert (await pos.submit("A", fault="error-before")).status_code == 500
        assert pos.kinds("A") == []
        assert (await pos.submit("A", fault="error-after")).status_code == 500
        assert pos.kinds("A") == ["accepted"]
        assert (await pos.submit("A")).json()["status"] == "accepted"


async def test_garbage_is_an_effect_whose_answer_cannot_be_read(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", fault="garbage")
        assert answer.status_code == 200
        with pytest.raises(ValueError):  # noqa: PT011  # msgspec's and the codec's alike
            msgspec.json.decode(answer.content)
        assert pos.kinds("A") == ["accepted"]
        assert b"tit" in (await pos.look_up("A", "garbage")).content


async def test_truncated_is_an_effect_whose_answer_breaks_off(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        with pytest.raises(httpx.RemoteProtocolError, match=r"incomplete|without sending complete"):
            await pos.submit("A", fault="truncated")
        assert pos.kinds("A") == ["accepted"]
        with pytest.raises(httpx.RemoteProtocolError):
            await pos.look_up("A", "truncated")


async def test_busy_says_when_to_come_again_and_has_no_effect(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", fault="busy=2.5")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
        assert pos.kinds("A") == []


async def test_a_pending_order_is_accepted_when_its_time_has_come(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", fault="pending=0.3")
        assert answer.status_code == 202
        assert answer.json()["status"] == "pending"
        due = datetime.fromisoformat(answer.json()["expected_by"])
        while await pos.status("A") == "pending":
            await trio.lowlevel.checkpoint()
        accepted = pos.lines()[-1]
        assert accepted.at >= due
        assert (await pos.look_up("A")).json()["status"] == "accepted"
        assert pos.kinds("A") == ["pending", "accepted"]
        assert pos.summary().doubled == ()


async def test_a_pending_order_keeps_its_time_over_a_restart(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        await pos.submit("A", fault="pending-reject=0")
        await pos.submit("B", fault="pending=1000")
    async with a_simulator(ledger) as pos:
        found = (await pos.look_up("A")).json()
        assert (found["status"], found["code"]) == ("rejected", "kitchen")
        assert (await pos.submit("A")).json()["status"] == "rejected"
        assert await pos.status("B") == "pending"
        assert (await pos.submit("B")).status_code == 202
        assert (await pos.void("B")).status_code == 200
        assert pos.kinds("B") == ["pending", "duplicate", "voided"]


async def test_reject_is_bound_to_the_key(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", fault="reject")
        assert (answer.status_code, answer.json()["retryable"]) == (422, False)
        assert (await pos.submit("A")).json() == answer.json()
        await pos.submit("B")
        assert (await pos.submit("B", fault="reject")).json()["status"] == "accepted"


async def test_key_reused_is_said_of_an_order_that_the_pos_has(ledger: Path) -> None:
    async with a_simulator(ledger, Habits(delay_seconds=0, accept_rate=0)) as pos:
        answer = await pos.submit("A", fault="key-reused")
        assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
        assert await pos.status("A") == "accepted"


async def test_a_look_up_can_be_down_or_lie_about_an_order_that_is_there(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        await pos.submit("A")
        assert (await pos.look_up("A", "down")).status_code == 503
        answer = await pos.look_up("A", "not-found")
        assert (answer.status_code, answer.json()) == (404, {"status": "not_found"})
        assert await pos.status("A") == "accepted"


async def test_a_void_can_be_lost_too(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        async with an_unanswered(pos.void("A", "lost")):
            await until_in_ledger(pos, "A", "voided")
        assert (await pos.void("B", "error-before")).status_code == 500
        assert pos.kinds("B") == []


async def test_a_fault_that_is_none_is_told_and_has_no_effect(ledger: Path) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.submit("A", fault="nonsense")
        assert answer.status_code == 400
        assert "nonsense" in answer.json()["message"]
        assert answer.json()["status"] == "bad_instruction"
        assert pos.lines() == []


async def test_rates_of_the_start_strike_calls(ledger: Path) -> None:
    async with a_simulator(ledger, error_after=0.5, lookup_down=1.0) as pos:
        codes = [(await pos.submit(f"ORD-{n}")).status_code for n in range(40)]
        assert {200, 500} == set(codes)
        assert (await pos.look_up("ORD-1")).status_code == 503
        assert pos.summary().effects == 40


async def test_control_calls_give_instructions_show_them_and_forget_them(ledger: Path) -> None:
    async with a_simulator(ledger, busy=1.0) as pos:
        given = {"next": ["error-before", "lookup-down"], "rates": {"reject": 1}}
        told = await pos.http.post("/control", json=given)
        assert told.status_code == 200
        shown = (await pos.http.get("/control")).json()
        assert shown == told.json()
        assert shown["next"] == ["error-before", "lookup-down"]
        assert shown["rates"] == {"reject": 1}
        assert (await pos.submit("A")).status_code == 500
        assert (await pos.submit("A")).status_code == 422
        assert (await pos.http.get("/control")).json()["next"] == ["lookup-down"]
        assert (await pos.http.delete("/control")).json()["next"] == []
        assert (await pos.look_up("A")).status_code == 200
        assert (await pos.submit("B")).status_code == 429


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"\xff", b'{"next":["nonsense"]}', b'{"next":["hang"],"rates":{"hang":2}}',
     b'{"nxt":[]}', b'{"rates":{"down":0.1}}'],
)  # fmt: skip
async def test_an_unfit_control_call_is_told_and_changes_nothing(ledger: Path, body: bytes) -> None:
    async with a_simulator(ledger) as pos:
        answer = await pos.http.post("/control", content=body)
        assert answer.status_code == 400
        assert answer.json()["message"]
        shown = (await pos.http.get("/control")).json()
        assert (shown["next"], shown["rates"]) == ([], {})
