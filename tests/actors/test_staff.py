"""The staff settle orders that were left to them, through the house, on virtual time."""

from typing import Literal

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.inputs import StaffResolved
from comanda.actors.domain.messages import OrderConfirmed, OrderFailed, OrderRecord, Rejection
from comanda.actors.domain.order import Accepted
from comanda.actors.domain.settling import REJECTED_BY_STAFF
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import StorageUnavailable
from tests.actors.faults import open_faulty_house
from tests.actors.table import (
    LASSI,
    Phone,
    ScriptedPos,
    accept,
    hang,
    open_house,
    say,
    sit_down,
)

Outcome = Literal["confirmed", "rejected"]
NO_ANSWER = (hang, hang, hang, hang)
"""Calls of ten seconds each and the pauses between them, until the lock ends after sixty."""

IDLE_SECONDS = HouseLimits().idle_seconds


def decides(outcome: Outcome = "confirmed", order_id: str = "ORD-7-1") -> StaffResolved:
    return StaffResolved(order_id, outcome, "A-1", "Asked Luca", "the house's staff")


async def left_to_the_staff(house: House, *names: str) -> list[Phone]:
    """A table whose order got no answer before its lock ended."""
    phones = await sit_down(house, *(names or ("Ana",)))
    await phones[0].add(qty=2)
    await phones[0].order()
    for phone in phones:
        await phone.sees("cart_unlocked")
    return phones


async def test_everybody_at_the_table_hears_the_staffs_decision(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        ana, ben = await left_to_the_staff(house, "Ana", "Ben")
        order = await house.resolve_order(decides())
        assert isinstance(order, OrderRecord)
        assert (order.state, order.pos_reference) == ("confirmed", "A-1")
        for phone in (ana, ben):
            event = await phone.sees("order_confirmed")
            assert isinstance(event, OrderConfirmed)
            assert event.order.order_id == order.order_id
            assert await house.store.confirmed_orders(ana.key.pid) == (event.order,)
        assert not (await ana.snapshot()).orders_in_doubt


async def test_a_cancelled_order_gives_nothing_back_to_the_next_round(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        (ana,) = await left_to_the_staff(house)
        await ana.add(LASSI)
        order = await house.resolve_order(decides("rejected"))
        assert isinstance(order, OrderRecord)
        event = await ana.sees("order_failed")
        assert isinstance(event, OrderFailed)
        assert (event.error, event.allow_retry) == (REJECTED_BY_STAFF, False)
        snapshot = await ana.snapshot()
        assert [line.menu_item_id for line in snapshot.items] == [LASSI]
        assert (snapshot.order_processing_status, snapshot.last_order) == ("idle", None)


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
async def test_a_later_order_and_its_lock_go_their_own_way(
    autojump_clock: MockClock, outcome: Outcome
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER, accept(5))) as house:
        (ana,) = await left_to_the_staff(house)
        await ana.add(LASSI)
        await ana.order()
        assert isinstance(await house.resolve_order(decides(outcome)), OrderRecord)
        snapshot = await ana.snapshot()
        assert (snapshot.cart_locked, snapshot.pending_order_id) == (True, "ORD-7-2")
        await ana.until(
            lambda: any(
                isinstance(told, OrderConfirmed) and told.order_id == "ORD-7-2" for told in ana.told
            )
        )
        assert (await ana.snapshot()).order_processing_status == "confirmed"


async def test_a_session_that_has_left_memory_is_woken_for_the_decision(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        (ana,) = await left_to_the_staff(house)
        ana.seat.leave()
        await trio.sleep(3 * IDLE_SECONDS)
        assert house.registry.live(ana.key) is None
        order = await house.resolve_order(decides())
        assert isinstance(order, OrderRecord)
        assert order.state == "confirmed"


async def test_a_closed_tables_order_is_settled_without_the_table(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        (ana,) = await left_to_the_staff(house)
        await house.close_session(ana.key, "The party has left")
        order = await house.resolve_order(decides("rejected"))
        assert isinstance(order, OrderRecord)
        assert order.state == "rejected"


async def test_an_order_is_settled_by_one_of_two_who_decide_at_once(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*NO_ANSWER)) as house:
        (ana,) = await left_to_the_staff(house)
        replies: list[object] = []

        async def decide(outcome: Outcome) -> None:
            replies.append(await house.resolve_order(decides(outcome)))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(decide, "confirmed")
            nursery.start_soon(decide, "rejected")
        assert sorted(type(reply).__name__ for reply in replies) == ["Rejection", "StaffOrder"]
        assert len(ana.all("order_confirmed") + ana.all("order_failed")) == 1


async def test_an_order_in_flight_or_settled_is_not_the_staffs(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(accept(3))) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        refusal = await house.resolve_order(decides("rejected"))
        assert isinstance(refusal, Rejection)
        assert refusal.code == "conflict"
        await ana.sees("order_confirmed")
        refusal = await house.resolve_order(decides("rejected"))
        assert refusal == Rejection("conflict", "This order is confirmed already")
        assert await house.resolve_order(decides(order_id="ORD-7-99")) is None


async def test_the_answer_of_a_call_that_was_under_way_does_not_undo_the_decision(
    autojump_clock: MockClock,
) -> None:
    # The fourth call begins at 44 s, before the lock ends, and is answered ten seconds later.
    pos = ScriptedPos(hang, hang, hang, say(Accepted("POS-9"), 9.9))
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=48)) as house:
        (ana,) = await left_to_the_staff(house)
        kind, _, began = pos.calls[-1]
        assert kind == "submit"
        assert trio.current_time() < began + 9.9
        assert isinstance(await house.resolve_order(decides("rejected")), OrderRecord)
        await trio.sleep(30)
        assert not ana.all("order_confirmed")
        assert await house.store.confirmed_orders(ana.key.pid) == ()
        (listed,) = (await house.store.orders(7, [], None, 10)).orders
        assert listed.state == "rejected"


async def test_a_decision_that_is_not_saved_is_told_to_nobody_and_can_be_made_again(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house(ScriptedPos(*NO_ANSWER)) as (house, store):
        (ana,) = await left_to_the_staff(house)
        await trio.sleep(20)
        store.full = True
        with pytest.raises(StorageUnavailable):
            await house.resolve_order(decides())
        assert not ana.all("order_confirmed")
        assert (await ana.snapshot()).orders_in_doubt
        store.full = False
        assert isinstance(await house.resolve_order(decides()), OrderRecord)
        await ana.sees("order_confirmed")
