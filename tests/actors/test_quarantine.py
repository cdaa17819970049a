"""A session in quarantine: its lock ends in time all the same, and the staff hear of its order."""

from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.house import House
from comanda.actors.ports import StorageUnavailable
from comanda.runtime import Quarantined, RuntimeRefusal
from tests.actors.faults import open_faulty_house, poison
from tests.actors.table import LASSI, Phone, ScriptedPos, hang, open_house, sit_down

LOCK_SECONDS = 60.0


@pytest.fixture(autouse=True)
def poisonous(monkeypatch: pytest.MonkeyPatch) -> None:
    """A note that no actor can decide upon."""
    poison(monkeypatch)


async def quarantined_with_an_order(house: House) -> Phone:
    """A guest at a table that crashed too often, its order unanswered for 55 seconds."""
    (ana,) = await sit_down(house, "Ana")
    await ana.add()
    await ana.order()
    await ana.sees("order_processing")
    await trio.sleep(55)
    while not await rests(house, ana):
        with suppress(RuntimeRefusal):
            await ana.add(note="poison")
    return ana


async def rests(house: House, phone: Phone) -> bool:
    try:
        await house.registry.ref(phone.key)
    except Quarantined:
        return True
    return False


async def state_of(house: House) -> str:
    order = await house.store.staff_order("ORD-7-1")
    assert order is not None
    return order.state


async def test_the_lock_of_a_quarantined_session_ends_in_time_and_the_order_goes_to_the_staff(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*[hang] * 20)) as house:
        start = trio.current_time()
        ana = await quarantined_with_an_order(house)
        assert await state_of(house) == "unknown"
        await trio.sleep_until(start + LOCK_SECONDS + 1)
        assert await state_of(house) == "needs_staff"
        assert await rests(house, ana)
        # Quarantine ends, and the table finds an open cart for its next round.
        await trio.sleep(120)
        ana.closed = None
        await ana.sit()
        snapshot = await ana.snapshot()
        assert (snapshot.cart_locked, snapshot.items) == (False, ())
        assert [doubt.order_id for doubt in snapshot.orders_in_doubt] == ["ORD-7-1"]
        await ana.add(LASSI)


async def test_what_storage_does_not_take_is_tried_again(autojump_clock: MockClock) -> None:
    async with open_faulty_house(ScriptedPos(*[hang] * 20)) as (house, store):
        start = trio.current_time()
        await quarantined_with_an_order(house)
        store.before = [StorageUnavailable("full")] * 3
        await trio.sleep_until(start + LOCK_SECONDS + 5)
        assert store.before == []
        assert await state_of(house) == "needs_staff"
