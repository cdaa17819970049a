"""What every store does: one suite, run against each of them."""

from datetime import timedelta

import pytest
import trio
import trio.testing
from msgspec.structs import replace

from comanda.actors.domain.changes import Changes
from comanda.actors.domain.inputs import (
    ByMember,
    CallAnswered,
    CallStarting,
    CloseSession,
    LockEnded,
)
from comanda.actors.domain.menu import Menu, Table
from comanda.actors.domain.messages import ClearCart, ResolveNow
from comanda.actors.domain.order import Accepted, Pending, Rejected, Unknown
from comanda.actors.ports import NoSuchSession, SessionKey, StaleEpoch, Store, Unit

from .house import (
    LOCK_LIMIT_SECONDS,
    NOW,
    OpenStore,
    Party,
    key_of,
    menu,
    ordered,
    restaurant,
    seat,
)

AFTER_THE_LOCK = timedelta(seconds=LOCK_LIMIT_SECONDS + 1)


async def test_a_table_has_one_open_session_whoever_asks(store: Store) -> None:
    table = Table("T1", "Table 1", 7)
    keys = []

    async def ask(pid: str) -> None:
        keys.append(await store.open_session(table, pid, NOW))

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(ask, f"S{number}")
    assert len(set(keys)) == 1


async def test_a_new_session_is_empty_and_has_its_restaurants_money(store: Store) -> None:
    session = (await seat(store)).session
    assert (session.currency, session.minor_digits) == ("INR", 2)
    assert (session.table_code, session.table_label) == ("T1", "Table 1")
    assert (session.seq, session.lines, session.members, session.pending) == (0, {}, {}, None)
    assert session.opened_at == session.updated_at == NOW


async def test_each_activation_claims_a_higher_epoch(store: Store) -> None:
    party = await seat(store)
    again = await store.activate(key_of(party.session))
    assert again.epoch == party.epoch + 1
    assert again.session == party.session


async def test_a_session_of_another_restaurant_is_not_activated(store: Store) -> None:
    await seat(store, pid="S1")
    for key in (SessionKey(8, "S1"), SessionKey(7, "nobody")):
        with pytest.raises(NoSuchSession):
            await store.activate(key)


async def test_what_was_committed_is_loaded_again_equal(open_again: OpenStore) -> None:
    async with open_again() as store:
        await store.install([restaurant()], "menu 1")
        party = await seat(store)
        await ordered(store, party)
        await store.commit(party.adds(2))
    async with open_again() as store:
        assert (await store.activate(key_of(party.session))).session == party.session


async def test_lines_and_members_keep_their_order(store: Store) -> None:
    party = await seat(store)
    for _ in range(12):
        await store.commit(party.arrives())
    for item in (9, 2, 456, 9):
        await store.commit(party.adds(item))
    loaded = (await store.activate(key_of(party.session))).session
    assert list(loaded.members) == list(party.session.members)
    assert list(loaded.lines) == list(party.session.lines)


async def test_an_earlier_activation_is_fenced_off(store: Store) -> None:
    party = await seat(store)
    await store.activate(key_of(party.session))
    with pytest.raises(StaleEpoch):
        await store.commit(party.arrives())
    assert (await store.activate(key_of(party.session))).session.members == {}


async def test_of_what_was_claimed_storage_says_which_was_claimed_again_since(store: Store) -> None:
    ours = [await seat(store, table, f"S{table}") for table in (1, 2, 3)]
    claims = [(key_of(one.session), one.epoch) for one in ours]
    assert await store.claimed_since(claims) == ()
    assert await store.claimed_since([]) == ()
    await store.activate(SessionKey(7, "S2"))
    assert await store.claimed_since(claims) == (SessionKey(7, "S2"),)


async def test_a_unit_from_another_seq_is_fenced_off(store: Store) -> None:
    party = await seat(store)
    unit = party.arrives()
    await store.commit(unit)
    with pytest.raises(StaleEpoch):
        await store.commit(unit)
    loaded = (await store.activate(key_of(party.session))).session
    assert loaded == party.session


async def test_a_unit_of_a_session_that_is_not_there_is_fenced_off(store: Store) -> None:
    party = await seat(store)
    nobody = replace(party.session, pid="nobody")
    with pytest.raises(StaleEpoch):
        await store.commit(Unit(party.epoch, nobody, replace(nobody, seq=1), Changes()))


async def test_two_stores_on_one_file_fence_each_other(open_again: OpenStore) -> None:
    async with open_again() as one, open_again() as other:
        await one.install([restaurant()], "menu 1")
        party = await seat(one)
        await one.commit(party.arrives())
        taken_over = await other.activate(key_of(party.session))
        assert taken_over.session == party.session
        with pytest.raises(StaleEpoch):
            await one.commit(party.adds())


async def test_a_remembered_request_is_kept_though_seq_stays(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    unit = party.decided(ByMember(party.member_id, ResolveNow(request_id="again")))
    assert unit.before.seq == unit.after.seq
    await store.commit(unit)
    assert (await store.activate(key_of(party.session))).session == party.session


async def test_no_more_than_the_last_requests_are_kept(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    member = party.member_id
    for batch in range(3):
        said = [ByMember(member, ClearCart(request_id=f"r{batch}-{n}")) for n in range(150)]
        await store.commit(party.decided(*said))
    loaded = (await store.activate(key_of(party.session))).session
    assert loaded == party.session
    assert list(loaded.requests[member].by_id) == list(party.session.requests[member].by_id)
    assert loaded.requests[member].count == 450


async def test_two_units_of_one_session_may_wait_together(store: Store) -> None:
    party = await seat(store)
    units = [party.arrives(), party.arrives(), party.adds(), party.adds()]
    async with trio.open_nursery() as nursery:
        for unit in units:
            nursery.start_soon(store.commit, unit)
            await trio.lowlevel.checkpoint()
            await trio.testing.wait_all_tasks_blocked()
    assert (await store.activate(key_of(party.session))).session == party.session


async def test_order_numbers_count_up_from_one_and_never_repeat(store: Store) -> None:
    numbers: list[int] = []

    async def reserve() -> None:
        numbers.append(await store.reserve_order_number(7))

    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(reserve)
    assert sorted(numbers) == list(range(1, 31))


async def test_an_unknown_restaurant_has_no_order_numbers(store: Store) -> None:
    with pytest.raises(LookupError, match="no restaurant 99"):
        await store.reserve_order_number(99)


async def test_a_session_is_found_by_its_pid(store: Store) -> None:
    party = await seat(store)
    assert await store.find_session("S1") == (SessionKey(7, "S1"), True)
    await store.commit(party.decided(CloseSession("staff")))
    assert await store.find_session("S1") == (SessionKey(7, "S1"), False)
    assert await store.find_session("nobody") is None


async def test_a_closed_session_frees_its_table(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.decided(CloseSession("staff")))
    assert (await seat(store, pid="S1b")).session.pid == "S1b"
    assert (await store.activate(SessionKey(7, "S1"))).session == party.session


async def test_a_table_is_occupied_while_its_session_is_open(store: Store) -> None:
    table = Table("T1", "Table 1", 7)
    assert not await store.is_occupied(table)
    party = await seat(store)
    assert await store.is_occupied(table)
    await store.commit(party.decided(CloseSession("staff")))
    assert not await store.is_occupied(table)


async def test_restaurants_come_back_as_they_were_installed(store: Store) -> None:
    assert await store.restaurants() == {7: restaurant()}
    assert list((await store.restaurants())[7].menu.items) == [456, 2, 9]


async def test_installing_the_same_file_again_leaves_what_staff_have_changed(store: Store) -> None:
    await store.change_menu_item(7, 9, available=False, price_minor=6000)
    await store.install([restaurant()], "menu 1")
    chai = (await store.restaurants())[7].menu.items[9]
    assert (chai.available, chai.price_minor) == (False, 6000)


async def test_installing_another_file_closes_what_it_no_longer_has(store: Store) -> None:
    given = restaurant(tables=1)
    smaller = Menu(7, "INR", 2, {9: replace(menu().items[9], price_minor=5500)})
    await store.install([replace(given, menu=smaller, name="Renamed")], "menu 2")
    there = (await store.restaurants())[7]
    assert there.name == "Renamed"
    assert {item.menu_item_id for item in there.menu.items.values() if item.available} == {9}
    assert there.menu.items[9].price_minor == 5500
    assert [table.code for table in there.tables] == ["T1"]


async def test_installing_the_earlier_file_once_more_brings_it_back(store: Store) -> None:
    await store.install([restaurant(tables=1)], "menu 2")
    await store.install([restaurant()], "menu 1")
    assert await store.restaurants() == {7: restaurant()}


async def test_installing_keeps_order_numbers(store: Store) -> None:
    await store.reserve_order_number(7)
    await store.install([restaurant()], "menu 2")
    assert await store.reserve_order_number(7) == 2


async def test_a_menu_item_changes_in_price_availability_or_both(store: Store) -> None:
    changed = await store.change_menu_item(7, 9, available=False, price_minor=None)
    assert changed == menu(chai=False)
    changed = await store.change_menu_item(7, 9, available=True, price_minor=1)
    assert changed is not None
    assert changed.items[9].price_minor == 1
    assert await store.change_menu_item(7, 1000, available=False, price_minor=None) is None
    assert await store.change_menu_item(8, 9, available=False, price_minor=None) is None


async def test_a_sessions_history_is_its_confirmed_orders_newest_first(store: Store) -> None:
    party = await seat(store)
    await ordered(store, party)
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    await store.commit(party.hears(Rejected("closed", "Kitchen closed", True)))
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    await store.commit(party.hears(Accepted("POS-3")))
    history = await store.confirmed_orders("S1")
    assert [order.order_id for order in history] == ["ORD-7-3", "ORD-7-1"]
    assert [order.pos_reference for order in history] == ["POS-3", "POS-1"]
    journal = await store.orders(7, ["confirmed"], None, 10)
    assert [one.order_id for one in journal.orders] == [one.order_id for one in history]


async def test_a_restaurants_orders_are_paged_newest_first(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    for _ in range(5):
        await store.commit(party.orders(await store.reserve_order_number(7)))
        await store.commit(party.calls())
        await store.commit(party.hears(Rejected("closed", "Kitchen closed", True)))
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = await store.orders(7, ["rejected", "sent"], cursor, 2)
        seen += [order.order_number for order in page.orders]
        cursor = page.next
        if cursor is None:
            break
        assert len(page.orders) == 2
    assert seen == [5, 4, 3, 2, 1]
    assert (await store.orders(7, ["confirmed"], None, 10)).orders == ()
    assert (await store.orders(8, [], None, 10)).orders == ()


@pytest.mark.parametrize("cursor", ["", "x", "💥", "bjEx", "n1", "A" * 5000, "bi01"])
async def test_a_cursor_that_no_page_gave_is_refused(store: Store, cursor: str) -> None:
    if cursor == "bjEx":  # what a page would give after order 11
        await store.orders(7, [], cursor, 10)
        return
    with pytest.raises(ValueError, match="cursor"):
        await store.orders(7, [], cursor, 10)


async def test_sessions_with_an_order_in_flight_are_unsettled(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    assert await store.unsettled_sessions() == ()
    await store.commit(party.orders(await store.reserve_order_number(7)))
    assert await store.unsettled_sessions() == (SessionKey(7, "S1"),)
    await store.commit(party.calls())
    await store.commit(party.hears(Pending("maybe", NOW)))
    assert await store.unsettled_sessions() == (SessionKey(7, "S1"),)
    loaded = (await store.activate(key_of(party.session))).session
    assert loaded == party.session
    assert loaded.pending is not None
    assert loaded.pending.expected_by == NOW


async def test_an_order_is_overdue_when_its_lock_limit_has_passed(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    assert await store.overdue_orders(party.order.lock_ends_at, 10) == ()
    (overdue,) = await store.overdue_orders(NOW + AFTER_THE_LOCK, 10)
    assert (overdue.key, overdue.order_id) == (SessionKey(7, "S1"), "ORD-7-1")
    assert await store.overdue_orders(NOW + AFTER_THE_LOCK, 0) == ()


async def test_an_order_is_overdue_when_the_clock_is_put_back_to_before_it(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    placed_at = party.order.placed_at
    assert await store.overdue_orders(placed_at - timedelta(seconds=5), 10) == ()
    (overdue,) = await store.overdue_orders(placed_at - timedelta(hours=1), 10)
    assert overdue.order_id == "ORD-7-1"


async def test_an_order_left_to_the_staff_is_neither_overdue_nor_in_flight(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    order_id = party.order.order_id
    party.now += AFTER_THE_LOCK
    await store.commit(party.decided(LockEnded(order_id)))  # sent to needs_staff in one unit
    assert await store.overdue_orders(party.now + AFTER_THE_LOCK, 10) == ()
    assert await store.unsettled_sessions() == ()
    loaded = (await store.activate(key_of(party.session))).session
    assert loaded == party.session
    assert list(loaded.in_doubt) == [order_id]
    (listed,) = (await store.orders(7, ["needs_staff"], None, 10)).orders
    assert listed.order_id == order_id


async def test_a_late_rejection_gives_nothing_back_to_the_next_rounds_cart(store: Store) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    first = party.order.order_id
    party.now += AFTER_THE_LOCK
    await store.commit(party.decided(LockEnded(first)))
    await store.commit(party.adds(9))

    await store.commit(party.decided(CallAnswered(first, 1, Rejected("no", "No", False))))
    loaded = (await store.activate(key_of(party.session))).session
    assert loaded == party.session
    assert [line.menu_item_id for line in loaded.lines.values()] == [9]


async def test_moves_between_which_a_batch_did_not_commit_are_written_one_by_one(
    store: Store,
) -> None:

    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    number = await store.reserve_order_number(7)
    place = ByMember(party.member_id, party.place_order())
    order_id = f"ORD-7-{number}"
    await store.commit(
        party.decided(
            place,
            CallStarting(order_id),
            CallAnswered(order_id, 1, Unknown("reset")),
            CallStarting(order_id),
            CallAnswered(order_id, 2, Accepted("POS-1")),
            order_number=number,
        )
    )
    assert (await store.activate(key_of(party.session))).session == party.session
    assert [order.order_id for order in await store.confirmed_orders("S1")] == [order_id]


async def test_idle_sessions_are_open_unchanged_and_have_nothing_in_flight(store: Store) -> None:
    parties = [await seat(store, table) for table in (1, 2, 3)]
    for party in parties:
        await store.commit(party.arrives())
    ordering, closed, idle = parties
    await store.commit(ordering.adds())
    await store.commit(ordering.orders(await store.reserve_order_number(7)))
    await store.commit(closed.decided(CloseSession("staff")))
    assert await store.idle_sessions(NOW, 10) == ()
    later = NOW + timedelta(hours=1)
    assert await store.idle_sessions(later, 10) == (key_of(idle.session),)
    idle.now = later
    await store.commit(idle.arrives())
    assert await store.idle_sessions(later, 10) == ()


async def test_a_probe_shows_that_storage_writes(store: Store) -> None:
    await store.probe()


async def test_a_cancelled_caller_writes_nothing_if_it_never_began(store: Store) -> None:
    party = await seat(store)
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.commit(party.arrives())
    assert scope.cancelled_caught
    assert (await store.activate(key_of(party.session))).session.members == {}


async def test_a_join_pin_is_kept_with_its_session_until_that_closes(store: Store) -> None:
    table = Table("T1", "Table 1", 7)
    key = await store.open_session(table, "S1", NOW, "0482")
    assert await store.open_session(table, "S2", NOW, "9999") == key
    party = Party(await store.activate(key))
    assert party.session.join_pin == "0482"
    (there,) = await store.open_tables(7)
    assert there.join_pin == "0482"
    await store.commit(party.arrives())
    await store.commit(party.decided(CloseSession("They left")))
    closed = (await store.activate(key)).session
    assert closed == party.session
    assert closed.join_pin is None
    again = await store.open_session(table, "S3", NOW)
    assert (await store.activate(again)).session.join_pin is None
