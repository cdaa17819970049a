"""What the POS says unasked or late, what must be taken back, and what the staff still wait for."""

from itertools import pairwise
from typing import Any, Literal

import pytest
import trio
from msgspec.structs import replace
from sqlalchemy import text
from trio.testing import MockClock

from comanda.actors.domain.incident import SENTENCES
from comanda.actors.domain.inputs import OutcomeHeard, StaffResolved
from comanda.actors.domain.messages import IncidentKind, OrderConfirmed, Rejection, StaffOrder
from comanda.actors.domain.order import Accepted, Order, Pending, PosOutcome, Rejected, Unknown
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import Standing, StorageUnavailable, Weighed
from comanda.actors.reconciliation import ReconciliationLimits
from comanda.storage.inline import InlineStore, open_inline
from tests.actors.faults import open_faulty_house
from tests.actors.table import (
    LASSI,
    RESTAURANT,
    Phone,
    ScriptedPos,
    accept,
    hang,
    open_house,
    say,
    sit_down,
)

ORDER = "ORD-7-1"
ACCEPTED = Accepted("POS-1")
REFUSED = Rejected("sold_out", "No more pizza", False)
REUSED = Unknown("another body", key_reused=True)
NO_ANSWER = (hang, hang, hang, hang)
LIMITS = ReconciliationLimits()
LOCK_SECONDS = HouseLimits().lock_limit_seconds


def heard(outcome: PosOutcome, event_id: str = "evt_1") -> OutcomeHeard:
    return OutcomeHeard(ORDER, outcome, f"callback {event_id}")


def word(outcome: Literal["confirmed", "rejected"]) -> StaffResolved:
    return StaffResolved(ORDER, outcome, None, "Asked Luca", "the staff")


async def ordered(house: House) -> Phone:
    """A guest whose order is on its way."""
    (ana,) = await sit_down(house, "Ana")
    await ana.add(qty=2)
    await ana.order()
    return ana


async def on_record(house: House) -> StaffOrder:
    order = await house.store.staff_order(ORDER)
    assert order is not None
    return order


def logged(kind: IncidentKind) -> dict[str, str]:
    return {"event": "incident", "order": ORDER, "kind": kind, "means": SENTENCES[kind]}


def errors_in(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    """What was logged as an error, each of a session; without what every event has."""
    told = [one.msg for one in caplog.records if one.levelname == "ERROR"]
    assert all(isinstance(one, dict) and one["session"] for one in told)
    return [
        {key: one[key] for key in ("event", "order", "kind", "means")}  # type: ignore[index]
        for one in told
    ]


def voids(pos: ScriptedPos) -> list[float]:
    return [at for kind, _, at in pos.calls if kind == "void"]


# --- Callbacks ------------------------------------------------------------------------------------


async def test_a_callback_before_the_response_settles_the_order_at_once(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(accept(8))
    async with open_house(pos) as house:
        ana = await ordered(house)
        await trio.sleep(2)
        assert await house.hear_pos(heard(ACCEPTED))
        event = await ana.sees("order_confirmed")
        assert isinstance(event, OrderConfirmed)
        assert event.order.pos_reference == "POS-1"
        await trio.sleep(60)
        assert len(ana.all("order_confirmed")) == 1
        order = await on_record(house)
        assert (order.heard_by, order.incidents) == ("callback evt_1", ())
        assert [kind for kind, _, _ in pos.calls] == ["submit"]


async def test_a_call_that_ends_after_its_order_was_settled_is_ended_on_record_too(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as store:
        await store.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(accept(8)), store=store) as house:
            await ordered(house)
            await trio.sleep(2)
            await house.hear_pos(heard(ACCEPTED))
            await trio.sleep(8)
            with store._connection.begin():
                rows = store._connection.execute(text("SELECT ended_at, outcome FROM pos_attempts"))
                ((ended_at, outcome),) = rows.all()
            assert ended_at is not None
            assert "POS-1" in outcome


async def test_the_same_callback_again_has_its_effect_once(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(say(Pending("POS-1", None), 1))) as house:
        ana = await ordered(house)
        await trio.sleep(2)
        for _ in range(3):
            assert await house.hear_pos(heard(ACCEPTED))
        assert len(ana.all("order_confirmed")) == 1
        assert (await on_record(house)).incidents == ()


async def test_two_callbacks_at_once_settle_it_once(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(hang)) as house:
        ana = await ordered(house)
        await trio.sleep(2)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(house.hear_pos, heard(ACCEPTED))
        assert len(ana.all("order_confirmed")) == 1


async def test_a_callback_between_two_calls_ends_the_asking(autojump_clock: MockClock) -> None:
    pos = ScriptedPos(say(Unknown("reset"), 1))
    async with open_house(pos) as house:
        ana = await ordered(house)
        await trio.sleep(2)
        await house.hear_pos(heard(ACCEPTED))
        await trio.sleep(0.1)
        assert house._carrying.count == 0
        await trio.sleep(60)
        assert len(pos.calls) == 1
        assert len(ana.all("order_confirmed")) == 1


async def test_a_callback_after_the_lock_settles_the_order_and_no_later_lock(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER, accept(5))) as house:
        ana = await ordered(house)
        await ana.sees("cart_unlocked")
        await ana.add(LASSI)
        await ana.order()
        await house.hear_pos(heard(ACCEPTED))
        snapshot = await ana.snapshot()
        assert (snapshot.pending_order_id, snapshot.orders_in_doubt) == ("ORD-7-2", ())
        assert (await on_record(house)).state == "confirmed"
        await ana.sees("order_confirmed", at_least=2)


async def test_a_callback_wakes_a_session_that_has_left_memory(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        ana = await ordered(house)
        await ana.sees("cart_unlocked")
        ana.seat.leave()
        await trio.sleep(3 * HouseLimits().idle_seconds)
        assert house.registry.live(ana.key) is None
        await house.hear_pos(heard(REFUSED))
        assert (await on_record(house)).state == "rejected"


async def test_a_callback_of_an_order_that_was_not_sent_yet_is_taken_and_has_no_effect(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        # The lock is saved, the sending is not.
        store.before = [None, StorageUnavailable("full")]
        await ana.order()
        await trio.sleep(0.1)
        assert (await on_record(house)).state == "prepared"
        assert await house.hear_pos(heard(REFUSED))
        assert (await on_record(house)).state == "prepared"
        await ana.sees("order_confirmed")
        assert (await on_record(house)).incidents == ()


async def test_of_an_order_that_is_not_ours_nothing_is_heard(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        assert not await house.hear_pos(OutcomeHeard("ORD-7-99", ACCEPTED, "callback evt_1"))


async def test_a_callback_that_is_not_saved_can_be_said_again(autojump_clock: MockClock) -> None:
    async with open_faulty_house(ScriptedPos(hang)) as (house, store):
        ana = await ordered(house)
        await trio.sleep(2)
        store.full = True
        with pytest.raises(StorageUnavailable):
            await house.hear_pos(heard(ACCEPTED))
        assert not ana.all("order_confirmed")
        store.full = False
        await house.hear_pos(heard(ACCEPTED))
        assert len(ana.all("order_confirmed")) == 1


# --- Contradictions -------------------------------------------------------------------------------


async def test_an_order_accepted_after_it_was_rejected_is_an_incident_and_taken_back(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(REFUSED, 1))
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("order_failed")
        await house.hear_pos(heard(ACCEPTED))
        await trio.sleep(5)
        assert len(voids(pos)) == 1
        order = await on_record(house)
        assert order.state == "rejected"
        assert [one.kind for one in order.incidents] == ["accepted_after_rejected"]
        assert not ana.all("order_confirmed")
        await trio.sleep(120)
        assert len(voids(pos)) == 1
        assert house.reconciliation.standing == Standing(0, 1, 0)


async def test_a_response_that_contradicts_the_callback_before_it_is_an_incident(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(accept(8))
    async with open_house(pos) as house:
        ana = await ordered(house)
        await trio.sleep(2)
        await house.hear_pos(heard(REFUSED))
        await ana.sees("order_failed")
        await trio.sleep(10)
        order = await on_record(house)
        assert [one.kind for one in order.incidents] == ["accepted_after_rejected"]
        assert len(voids(pos)) == 1


async def test_an_order_refused_after_it_was_confirmed_is_an_incident(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(accept(1))
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("order_confirmed")
        await house.hear_pos(heard(REFUSED))
        order = await on_record(house)
        assert order.state == "confirmed"
        assert [one.kind for one in order.incidents] == ["refused_after_confirmed"]
        assert voids(pos) == []


async def test_a_late_answer_that_contradicts_the_staff_is_an_incident(
    autojump_clock: MockClock,
) -> None:
    # The fourth call begins at 44 s, before the lock ends, and is answered ten seconds later.
    pos = ScriptedPos(hang, hang, hang, say(ACCEPTED, 9.9))
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=48)) as house:
        ana = await ordered(house)
        await ana.sees("cart_unlocked")
        await house.resolve_order(word("rejected"))
        await trio.sleep(30)
        order = await on_record(house)
        assert order.state == "rejected"
        assert [one.kind for one in order.incidents] == ["accepted_after_rejected"]
        assert voids(pos)


async def test_the_staff_close_an_incident_and_then_nobody_is_needed(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(REFUSED, 1))
    pos.void_answers = [False] * 100
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("order_failed")
        await house.hear_pos(heard(ACCEPTED))
        await trio.sleep(4.3)  # between two voids
        tried = len(voids(pos))
        closed = await house.resolve_order(word("confirmed"))
        assert isinstance(closed, StaffOrder)
        assert closed.state == "rejected"
        (incident,) = closed.incidents
        assert (incident.closed_by, incident.closed_outcome) == ("the staff", "confirmed")
        another = await house.resolve_order(word("rejected"))
        assert another == Rejection("conflict", "This order is rejected already")
        await trio.sleep(120)
        assert len(voids(pos)) == tried


async def test_the_staff_whose_word_was_kept_unheard_are_answered_when_they_say_it_again(
    autojump_clock: MockClock,
) -> None:
    class Speechless(InlineStore):
        async def close_incidents(self, *said: Any) -> int:
            closed = await super().close_incidents(*said)
            if closed:
                raise StorageUnavailable("the commit's outcome is not known")
            return closed

    with open_inline() as inline:
        store = Speechless(inline._connection)
        await store.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(say(REFUSED, 1)), store=store) as house:
            ana = await ordered(house)
            await ana.sees("order_failed")
            await house.hear_pos(heard(ACCEPTED))
            with pytest.raises(StorageUnavailable):
                await house.resolve_order(word("confirmed"))
            again = await house.resolve_order(word("confirmed"))
            assert isinstance(again, StaffOrder)
            assert again.incidents[0].closed_outcome == "confirmed"
            for other in (
                word("rejected"),
                replace(word("confirmed"), by="the other staff"),
                replace(word("confirmed"), reason="Looked again"),
            ):
                assert isinstance(await house.resolve_order(other), Rejection)


async def test_an_incident_that_was_saved_unheard_is_in_the_log_once_it_is_said_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Speechless(InlineStore):
        lost = 1

        async def weigh(self, *said: Any) -> Weighed | None:
            weighed = await super().weigh(*said)
            if self.lost:
                self.lost -= 1
                raise StorageUnavailable("the commit's outcome is not known")
            return weighed

    with open_inline() as inline:
        store = Speechless(inline._connection)
        await store.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(say(REFUSED, 1)), store=store) as house:
            ana = await ordered(house)
            await ana.sees("order_failed")
            with pytest.raises(StorageUnavailable):
                await house.hear_pos(heard(ACCEPTED))
            await house.hear_pos(heard(ACCEPTED))
            assert errors_in(caplog) == [logged("accepted_after_rejected")]
            await house.resolve_order(word("confirmed"))
            await house.hear_pos(heard(ACCEPTED))
            assert errors_in(caplog) == [logged("accepted_after_rejected")]


# --- Voids ----------------------------------------------------------------------------------------


async def test_a_void_is_repeated_ever_more_slowly_and_without_an_answer_the_staff_are_told(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(REFUSED, 1))
    pos.void_answers = [False] * 8
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("order_failed")
        await house.hear_pos(heard(ACCEPTED))
        while len(voids(pos)) < LIMITS.void_tries:
            assert len((await on_record(house)).incidents) == 1
            await trio.sleep(0.5)
        await trio.sleep(0.5)
        kinds = [one.kind for one in (await on_record(house)).incidents]
        assert sorted(kinds) == ["accepted_after_rejected", "void_unanswered"]
        await trio.sleep(700)
        times = voids(pos)
        assert len(times) == 9  # the ninth was answered
        pauses = [after - before for before, after in pairwise(times)]
        assert pauses == sorted(pauses)
        assert 2 <= pauses[0] <= 4
        assert max(pauses) <= 1.1 * LIMITS.longest_pause_seconds + LIMITS.voids_seconds


async def test_a_void_that_is_answered_at_the_last_try_is_no_incident(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(REFUSED, 1))
    pos.void_answers = [False] * (LIMITS.void_tries - 1)
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("order_failed")
        await house.hear_pos(heard(ACCEPTED))
        await trio.sleep(120)
        assert len(voids(pos)) == LIMITS.void_tries
        assert len((await on_record(house)).incidents) == 1


async def test_an_order_that_the_staff_cancel_is_taken_back_also_by_the_next_process(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as store:
        await store.install((RESTAURANT,), "menu")
        pos = ScriptedPos(*NO_ANSWER)
        pos.void_answers = [False] * 2
        async with open_house(pos, store=store) as house:
            ana = await ordered(house)
            await ana.sees("cart_unlocked")
            await house.resolve_order(word("rejected"))
            await trio.sleep(2)
        assert voids(pos)
        after = ScriptedPos()
        async with open_house(after, store=store):
            await trio.sleep(30)
        assert len(voids(after)) == 1


async def test_of_voids_that_the_staff_have_made_needless_meanwhile_nothing_is_in_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    pos = ScriptedPos(say(REFUSED, 1))
    pos.void_answers = [False] * 100
    async with open_house(pos) as house:
        resolved: list[object] = []
        ask = pos.void

        async def void(order: Order) -> bool:
            if len(voids(pos)) == LIMITS.void_tries - 1:
                resolved.append(await house.resolve_order(word("confirmed")))
            return await ask(order)

        pos.void = void  # type: ignore[method-assign]
        ana = await ordered(house)
        await ana.sees("order_failed")
        await house.hear_pos(heard(ACCEPTED))
        await trio.sleep(120)
        assert [type(one) for one in resolved] == [StaffOrder]
        assert len(voids(pos)) == LIMITS.void_tries
        assert errors_in(caplog) == [logged("accepted_after_rejected")]


async def test_a_void_whose_end_cannot_be_saved_is_saved_later(autojump_clock: MockClock) -> None:
    class Forgetful(InlineStore):
        refusals = 3

        async def void_tried(self, *args: object, **more: object) -> bool:
            if self.refusals:
                self.refusals -= 1
                raise StorageUnavailable("the disk is full")
            return await super().void_tried(*args, **more)  # type: ignore[arg-type]

    with open_inline() as inline:
        store = Forgetful(inline._connection)
        await store.install((RESTAURANT,), "menu")
        pos = ScriptedPos(say(REFUSED, 1))
        async with open_house(pos, store=store) as house:
            ana = await ordered(house)
            await ana.sees("order_failed")
            await house.hear_pos(heard(ACCEPTED))
            await trio.sleep(30)
            assert len(voids(pos)) == 1
            assert await store.standing() == Standing(0, 1, 0)


# --- Orders that wait for the staff ---------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "state"), [(ACCEPTED, "confirmed"), (REFUSED, "rejected")])
async def test_an_order_that_waits_for_the_staff_is_settled_when_the_pos_is_back(
    autojump_clock: MockClock, outcome: PosOutcome, state: str
) -> None:
    async def answer(order: Order) -> PosOutcome | None:
        return outcome if trio.current_time() > 400 else Unknown("down")

    pos = ScriptedPos(*NO_ANSWER)
    pos.look_up_answer = answer
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("cart_unlocked")
        await trio.sleep(300)
        order = await on_record(house)
        assert order.state == "needs_staff"
        assert house.reconciliation.standing == Standing(1, 0, 0)
        await trio.sleep(300)
        order = await on_record(house)
        assert (order.state, order.heard_by) == (state, "look-up")
        looked = [at - LOCK_SECONDS for kind, _, at in pos.calls if kind == "look_up"]
        late = [at for at in looked if at > 0]
        # Ever more seldom, a quarter of the age apart: 340 s are some fifteen look-ups, not seventy.
        assert 8 <= len(late) <= 20
        assert [kind for kind, _, at in pos.calls if at > LOCK_SECONDS + 10] == ["look_up"] * len(
            [at for at in late if at > 10]
        )


def test_a_waiting_order_is_due_ever_more_seldom_and_never_stops_being_due() -> None:
    ages = sorted({LIMITS.last_due(age) for age in range(4 * 3600)} - {0.0})
    assert ages[:6] == [5, 10, 15, 20, 25, 31.25]
    pauses = [after - before for before, after in pairwise(ages)]
    assert pauses == sorted(pauses)
    assert pauses[-10:] == [LIMITS.longest_pause_seconds] * 10


@pytest.mark.parametrize("silent", [False, True], ids=["down", "hangs"])
async def test_orders_that_nobody_settles_keep_no_later_one_from_being_looked_up(
    autojump_clock: MockClock, silent: bool
) -> None:
    async def answer(order: Order) -> PosOutcome | None:
        if order.order_id == "ORD-7-5" and trio.current_time() > 100:
            return ACCEPTED
        if silent:
            await trio.sleep_forever()
        return Unknown("down")

    pos = ScriptedPos(*[hang] * 20)
    pos.look_up_answer = answer
    two_at_once = HouseLimits(reconciliation=ReconciliationLimits(most=2))
    async with open_house(pos, limits=two_at_once) as house:
        for table in range(1, 6):
            (guest,) = await sit_down(house, "Ana", code=f"demo-{table}")
            await guest.add()
            await guest.order()
        await guest.sees("order_confirmed")
        await trio.sleep(200)
        assert house.reconciliation.standing == Standing(4, 0, 0)
        late = [order_id for kind, order_id, at in pos.calls if kind == "look_up" and at > 120]
        assert set(late) == {f"ORD-7-{number}" for number in range(1, 5)}


async def test_a_reused_key_is_an_incident_and_nobody_calls_for_it_again(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def another(order: Order) -> PosOutcome | None:
        return ACCEPTED

    pos = ScriptedPos(say(REUSED, 1))
    pos.look_up_answer = another
    async with open_house(pos) as house:
        ana = await ordered(house)
        await ana.sees("cart_unlocked")
        await trio.sleep(200)
        order = await on_record(house)
        assert (order.state, [one.kind for one in order.incidents]) == (
            "needs_staff",
            ["key_reused"],
        )
        assert [kind for kind, _, _ in pos.calls] == ["submit"]
        assert errors_in(caplog) == [logged("key_reused")]
        assert not await house.store.confirmed_orders(ana.key.pid)
        settled = await house.resolve_order(word("confirmed"))
        assert isinstance(settled, StaffOrder)
        assert settled.state == "confirmed"
        assert settled.incidents[0].closed_by == "the staff"
        assert await ana.sees("order_confirmed")
