"""Tables with a party at them, as every store tells the staff."""

from datetime import timedelta

from comanda.actors.domain.inputs import CloseSession, LockEnded
from comanda.actors.domain.menu import Table
from comanda.actors.ports import SeatedMember, SessionKey, Store

from .house import LOCK_LIMIT_SECONDS, NOW, ordered, seat

LATER = NOW + timedelta(hours=1)
AFTER_THE_LOCK = timedelta(seconds=LOCK_LIMIT_SECONDS + 1)


async def test_only_open_tables_of_the_restaurant_are_told_the_longest_open_first(
    store: Store,
) -> None:
    for pid, number, opened_at in (("A", 1, LATER), ("B", 2, NOW), ("C", 3, NOW)):
        await store.open_session(Table(f"T{number}", f"Table {number}", 7), pid, opened_at)
    closed = await seat(store, 3, "C")
    await store.commit(closed.decided(CloseSession("staff")))
    told = await store.open_tables(7)
    assert [one.key for one in told] == [SessionKey(7, "B"), SessionKey(7, "A")]
    assert [(one.code, one.label) for one in told] == [("T2", "Table 2"), ("T1", "Table 1")]
    assert [one.opened_at for one in told] == [NOW, LATER]
    assert await store.open_tables(8) == ()


async def test_members_are_told_in_the_order_in_which_they_sat_down(store: Store) -> None:
    party = await seat(store)
    for _ in range(12):
        await store.commit(party.arrives())
    [told] = await store.open_tables(7)
    assert told.members == tuple(SeatedMember(one, "Ana") for one in party.session.members)


async def test_the_total_is_the_carts_through_all_that_becomes_of_an_order(store: Store) -> None:
    party = await seat(store)

    async def total() -> int:
        [told] = await store.open_tables(7)
        assert told.total_minor == party.session.total_minor
        return told.total_minor

    assert await total() == 0
    await ordered(store, party)  # its lines have left the cart
    assert await total() == 0
    await store.commit(party.adds())
    assert await total() == 125000
    await store.commit(party.orders(await store.reserve_order_number(7)))
    assert await total() == 125000
    await store.commit(party.calls())
    [told] = await store.open_tables(7)
    assert told.pending is not None
    assert (told.pending.order_id, told.pending.state) == (party.order.order_id, "sent")
    assert (told.pending.placed_by_name, told.pending.total_minor) == ("Ana", 125000)
    assert told.in_doubt == ()
    party.now += AFTER_THE_LOCK
    order_id = party.order.order_id
    await store.commit(party.decided(LockEnded(order_id)))
    assert await total() == 0
    [told] = await store.open_tables(7)
    assert told.pending is None
    assert [(one.order_id, one.state) for one in told.in_doubt] == [(order_id, "needs_staff")]
