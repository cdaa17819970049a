"""The automatic retry of a failed order, played out on virtual time."""

import itertools

import trio
import trio.testing
from trio.testing import MockClock

from comanda.actors.domain.messages import (
    CartCommand,
    PlaceOrder,
)
from comanda.actors.domain.order import Accepted
from comanda.client import (
    RetryCancelled,
    RetryScheduled,
)

from ..actors.domain.helpers import LASSI, MARGHERITA
from .sitting import NO, SOON, a_failed_order, a_server, ana_at, settle, what_came


async def test_a_failed_order_is_placed_again_after_2_4_and_8_seconds_and_no_more(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await table.add_to_cart(MARGHERITA)
        placed_at: list[float] = []

        def fail_it(command: CartCommand) -> None:
            if isinstance(command, PlaceOrder):
                placed_at.append(trio.current_time())
                settle(server, NO)

        server.after_command = fail_it
        await table.place_order("no nuts")
        await trio.sleep(100)
        waits = [later - earlier for earlier, later in itertools.pairwise(placed_at)]
        assert waits == [2.0, 4.0, 8.0]
        orders = server.orders_placed()
        assert len({order.request_id for order in orders}) == 4
        assert {order.special_instructions for order in orders} == {"no nuts"}
        scheduled = [one for one in what_came(happenings) if isinstance(one, RetryScheduled)]
        assert scheduled == [RetryScheduled(2, 1), RetryScheduled(4, 2), RetryScheduled(8, 3)]
        assert table.store.last_order is not None
        assert table.store.last_order.tries == 4


async def test_a_retry_that_succeeds_ends_the_matter(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        await a_failed_order(server, table)
        server.after_command = lambda _: settle(server, Accepted("pos-1"))
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)
        await trio.sleep(100)
        assert len(server.orders_placed()) == 2


async def test_an_edit_by_another_member_ends_the_retry(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await a_failed_order(server, table)
        server.table.adds(LASSI, by="member_1")
        server.tell_all(server.table.session.snapshot(frozenset()))
        await happenings.find(lambda one: isinstance(one, RetryCancelled), SOON)
        await trio.sleep(100)
        assert len(server.orders_placed()) == 1


async def test_a_retry_without_a_connection_is_given_up_for_good(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await a_failed_order(server, table)
        server.reachable = False
        table.cut()
        await happenings.find(lambda one: isinstance(one, RetryCancelled), SOON)
        assert not table.store.cart_locked
        server.reachable = True
        await table.wait_for(lambda _: table.connected, 60)
        await trio.sleep(100)
        assert len(server.orders_placed()) == 1


async def test_a_tap_ends_the_retry(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await a_failed_order(server, table)
        assert table.cancel_retry()
        assert not table.cancel_retry()
        await trio.sleep(100)
        assert len(server.orders_placed()) == 1
        assert [one for one in what_came(happenings) if isinstance(one, RetryCancelled)] == [
            RetryCancelled("cancelled by hand")
        ]


async def test_an_order_by_hand_takes_the_retrys_place(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        await a_failed_order(server, table)
        server.after_command = lambda _: settle(server, Accepted("pos-1"))
        await table.place_order()
        await trio.sleep(100)
        assert len(server.orders_placed()) == 2


async def test_a_retry_that_was_ended_does_not_hasten_the_next_one(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await a_failed_order(server, table)
        await trio.sleep(1.5)
        server.after_command = lambda _: settle(server, NO)
        await table.place_order()
        await table.wait_for(lambda _: table.retry_plan is not None, SOON)
        await trio.sleep(3.5)
        assert len(server.orders_placed()) == 2
        await trio.sleep(1)
        assert len(server.orders_placed()) == 3


async def test_the_other_members_do_not_retry(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as ana, ana_at(server) as other:
        happenings = other.events()
        await ana.add_to_cart(MARGHERITA)
        await ana.place_order()
        ana.cancel_retry()
        settle(server, NO)
        await ana.wait_for(lambda _: ana.cancel_retry(), SOON)
        await other.wait_for(lambda store: store.order_processing_status == "failed", SOON)
        await trio.sleep(100)
        assert not any(isinstance(one, RetryScheduled) for one in what_came(happenings))
        assert len(server.orders_placed()) == 1


async def test_a_failure_after_the_order_timeout_is_left_to_the_member(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        await trio.sleep(11)
        settle(server, NO)
        await table.wait_for(lambda store: store.order_processing_status == "failed", SOON)
        assert table.retry_plan is None
