"""Settled orders against what the POS says later: incidents and voids, in every store."""

from datetime import timedelta
from typing import Literal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from comanda.actors.domain.inputs import LockEnded, StaffResolved
from comanda.actors.domain.messages import StaffOrder
from comanda.actors.domain.order import Accepted, PosOutcome, Rejected, Unknown
from comanda.actors.ports import Standing, Store, Weighed
from comanda.storage.inline import InlineStore, open_inline

from .house import LOCK_LIMIT_SECONDS, NOW, Party, restaurant, seat

ACCEPTED = Accepted("POS-1")
REFUSED = Rejected("sold_out", "No more pizza", False)
REUSED = Unknown("another body", key_reused=True)
NOTHING = Standing(0, 0, 0)


async def settled(store: Store, outcome: PosOutcome, table: int = 1) -> str:
    """An order that a call has settled; its id."""
    party = await called(store, table)
    order_id = party.order.order_id
    await store.commit(party.hears(outcome))
    return order_id


async def called(store: Store, table: int = 1) -> Party:
    party = await seat(store, table)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    return party


async def with_staff(store: Store, table: int = 1) -> Party:
    """An order that waits for the staff."""
    party = await called(store, table)
    await store.commit(party.hears(Unknown("reset")))
    party.now += timedelta(seconds=LOCK_LIMIT_SECONDS + 1)
    await store.commit(party.decided(LockEnded(party.order.order_id)))
    return party


def word(order_id: str, outcome: Literal["confirmed", "rejected"] = "rejected") -> StaffResolved:
    return StaffResolved(order_id, outcome, None, "Asked Luca", "the staff")


async def listed(store: Store) -> list[StaffOrder]:
    return list((await store.orders(7, (), None, 10, with_incidents=True)).orders)


async def test_what_agrees_with_a_settled_order_leaves_no_trace(store: Store) -> None:
    order_id = await settled(store, ACCEPTED)
    for outcome in (ACCEPTED, Unknown("reset")):
        assert await store.weigh(order_id, outcome, NOW) == Weighed(settled=True)
    assert await store.standing() == NOTHING
    assert await listed(store) == []


async def test_an_unsettled_order_is_left_to_its_session(store: Store) -> None:
    party = await called(store)
    order_id = party.order.order_id
    assert await store.weigh(order_id, ACCEPTED, NOW) == Weighed(settled=False)
    assert await store.weigh("ORD-7-99", ACCEPTED, NOW) is None


async def test_accepted_after_rejected_is_an_incident_once_and_a_void(store: Store) -> None:
    order_id = await settled(store, REFUSED)
    first = await store.weigh(order_id, ACCEPTED, NOW)
    assert first == Weighed(settled=True, incident="accepted_after_rejected")
    # Said again while it stands: whoever did not hear the first answer learns of it.
    assert await store.weigh(order_id, ACCEPTED, NOW + timedelta(seconds=1)) == first
    (order,) = await listed(store)
    (incident,) = order.incidents
    assert (order.order_id, order.state) == (order_id, "rejected")
    assert (incident.kind, incident.opened_at) == ("accepted_after_rejected", NOW)
    assert incident.detail == "accepted as POS-1"
    assert incident.closed_at is None
    (due,) = await store.voids_due(NOW, 10)
    assert (due.order.order_id, due.tries) == (order_id, 0)
    assert await store.standing() == Standing(0, 1, 1)


async def test_refused_after_confirmed_is_an_incident_and_nothing_is_taken_back(
    store: Store,
) -> None:
    order_id = await settled(store, ACCEPTED)
    weighed = await store.weigh(order_id, REFUSED, NOW)
    assert weighed == Weighed(settled=True, incident="refused_after_confirmed")
    assert await store.voids_due(NOW, 10) == ()
    assert await store.standing() == Standing(0, 1, 0)


async def test_of_a_reused_key_nothing_is_weighed_again(store: Store) -> None:
    party = await called(store)
    order_id = party.order.order_id
    await store.commit(party.hears(REUSED))
    party.now += timedelta(seconds=LOCK_LIMIT_SECONDS + 1)
    await store.commit(party.decided(LockEnded(order_id)))
    assert await store.waiting_for_staff(10) == ()
    assert await store.standing() == Standing(1, 1, 0)
    await store.commit(party.decided(word(order_id)))
    assert await store.weigh(order_id, ACCEPTED, NOW) == Weighed(settled=True)
    assert [one.kind for order in await listed(store) for one in order.incidents] == ["key_reused"]


async def test_the_staff_close_what_stands_and_the_void_with_it(store: Store) -> None:
    order_id = await settled(store, REFUSED)
    other = await settled(store, REFUSED, 2)
    await store.weigh(order_id, ACCEPTED, NOW)
    await store.weigh(other, ACCEPTED, NOW)
    assert await store.close_incidents(word(order_id, "confirmed"), NOW) == 1
    assert await store.close_incidents(word(order_id, "confirmed"), NOW) == 0
    assert [order.order_id for order in await listed(store)] == [other]
    assert [due.order.order_id for due in await store.voids_due(NOW, 10)] == [other]
    order = await store.staff_order(order_id)
    assert order is not None
    (incident,) = order.incidents
    assert (incident.closed_by, incident.closed_reason) == ("the staff", "Asked Luca")
    assert (incident.closed_outcome, incident.closed_at) == ("confirmed", NOW)
    # Said again by the POS it is no news.
    assert await store.weigh(order_id, ACCEPTED, NOW) == Weighed(settled=True)


async def test_a_void_is_due_again_after_its_pause_until_the_pos_has_promised(
    store: Store,
) -> None:
    order_id = await settled(store, REFUSED)
    await store.weigh(order_id, ACCEPTED, NOW)
    (due,) = await store.voids_due(NOW, 10)
    await store.void_tried(due, NOW, timedelta(seconds=2), opens_incident=False)
    assert await store.voids_due(NOW + timedelta(seconds=1), 10) == ()
    (again,) = await store.voids_due(NOW + timedelta(seconds=2), 10)
    assert again.tries == 1
    await store.void_tried(again, NOW, None, opens_incident=False)
    assert await store.voids_due(NOW + timedelta(days=1), 10) == ()
    assert await store.standing() == Standing(0, 1, 0)


async def test_a_void_is_due_when_the_clock_is_put_back_further_than_any_pause(
    store: Store,
) -> None:
    order_id = await settled(store, REFUSED)
    await store.weigh(order_id, ACCEPTED, NOW)
    (due,) = await store.voids_due(NOW, 10)
    await store.void_tried(due, NOW, timedelta(seconds=300), opens_incident=False)
    assert await store.voids_due(NOW - timedelta(seconds=290), 10) == ()
    (again,) = await store.voids_due(NOW - timedelta(hours=1), 10)
    assert again.tries == 1


async def test_voids_without_an_answer_are_an_incident_of_their_own(store: Store) -> None:
    order_id = await settled(store, REFUSED)
    await store.weigh(order_id, ACCEPTED, NOW)
    (due,) = await store.voids_due(NOW, 10)
    # The second time as by somebody who did not hear whether the first was saved.
    for _ in range(2):
        assert await store.void_tried(due, NOW, timedelta(seconds=2), opens_incident=True)
    (order,) = await listed(store)
    kinds = {incident.kind for incident in order.incidents}
    assert kinds == {"accepted_after_rejected", "void_unanswered"}
    assert await store.close_incidents(word(order_id), NOW) == 2


async def test_a_try_that_ends_after_the_staff_have_closed_the_matter_changes_nothing(
    store: Store,
) -> None:
    order_id = await settled(store, REFUSED)
    await store.weigh(order_id, ACCEPTED, NOW)
    (due,) = await store.voids_due(NOW, 10)
    await store.close_incidents(word(order_id), NOW)
    assert not await store.void_tried(due, NOW, timedelta(seconds=2), opens_incident=True)
    assert await store.standing() == NOTHING


async def test_orders_that_wait_are_read_part_by_part_each_once(store: Store) -> None:
    parties = [await with_staff(store, table) for table in (3, 1, 2)]
    waiting = [order_id for party in parties for order_id in party.session.in_doubt]
    read = list(await store.waiting_for_staff(2))
    assert len(read) == 2
    read += await store.waiting_for_staff(2, read[-1])
    # Of equal age, so that only their ids tell them apart.
    assert {order.lock_ends_at for order in read} == {read[0].lock_ends_at}
    assert [order.order_id for order in read] == sorted(waiting)
    assert await store.waiting_for_staff(2, read[-1]) == ()


async def test_an_order_that_the_staff_cancel_is_taken_back(store: Store) -> None:
    party = await with_staff(store)
    (order_id,) = party.session.in_doubt
    (waiting,) = await store.waiting_for_staff(10)
    assert waiting.order_id == order_id
    await store.commit(party.decided(word(order_id)))
    assert await store.waiting_for_staff(10) == ()
    (due,) = await store.voids_due(party.now, 10)
    assert due.order.order_id == order_id
    order = await store.staff_order(order_id)
    assert order is not None
    assert (order.decided_by, order.decided_reason) == ("the staff", "Asked Luca")


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM incidents", "incidents are never deleted"),
        ("UPDATE incidents SET detail = 'x'", "never changes"),
        ("DELETE FROM voids", "voids are never deleted"),
        ("UPDATE voids SET voided_at = NULL, next_at = 1", "final"),
        (
            "INSERT INTO voids SELECT order_id, 1, 'x', 0, 1, NULL FROM order_journal"
            " WHERE state = 'confirmed'",
            "only a rejected order",
        ),
    ],
)
async def test_the_database_refuses_to_forget(statement: str, sentence: str) -> None:
    with open_inline() as store:
        await store.install([restaurant()], "menu 1")
        await settled(store, ACCEPTED, 2)
        order_id = await settled(store, REFUSED)
        await store.weigh(order_id, ACCEPTED, NOW)
        (due,) = await store.voids_due(NOW, 10)
        await store.void_tried(due, NOW, None, opens_incident=False)
        _refused(store, statement, sentence)


async def test_a_closed_incident_stays_closed() -> None:
    with open_inline() as store:
        await store.install([restaurant()], "menu 1")
        order_id = await settled(store, REFUSED)
        await store.weigh(order_id, ACCEPTED, NOW)
        await store.close_incidents(word(order_id), NOW)
        reopened = (
            "UPDATE incidents SET closed_at = NULL, closed_by = NULL, closed_outcome = NULL,"
            " closed_reason = NULL"
        )
        _refused(store, reopened, "stays closed")


def _refused(store: InlineStore, statement: str, sentence: str) -> None:
    connection = store._connection
    with connection.begin(), pytest.raises(IntegrityError, match=sentence):
        connection.execute(text(statement))
