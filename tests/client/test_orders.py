"""A placed order: its timer, polling while cut off, refreshes."""

import httpx
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.actors.domain.inputs import CallAnswered, CallStarting
from comanda.actors.domain.messages import (
    OrderConfirmed,
)
from comanda.actors.domain.order import Accepted, Unknown
from comanda.client import (
    CommandLost,
    OrderTimedOut,
    Reconnecting,
    resume_table,
)

from ..actors.domain.helpers import MARGHERITA
from .fake_server import URL
from .sitting import NO, SOON, a_server, ana_at, settle, what_came


async def test_a_confirmed_order_stands_among_the_orders(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await table.add_to_cart(MARGHERITA)
        order_id = await table.place_order()
        settle(server, Accepted("pos-1"))
        await happenings.find(lambda one: isinstance(one, OrderConfirmed), SOON)
        assert [order.order_id for order in table.store.orders] == [order_id]
        assert not table.order_timed_out


async def test_an_order_without_an_outcome_times_out_once_and_goes_on_listening(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await table.add_to_cart(MARGHERITA)
        placed_at = trio.current_time()
        order_id = await table.place_order()
        server.hears(CallStarting(order_id))
        server.hears(CallAnswered(order_id, 1, Unknown("no answer")))
        timed_out = await happenings.find(lambda one: isinstance(one, OrderTimedOut), SOON)
        assert timed_out == OrderTimedOut(order_id)
        assert trio.current_time() - placed_at == 10.0
        assert table.order_timed_out
        assert table.store.cart_locked
        await table.resolve_now()
        server.hears(CallAnswered(order_id, 1, Accepted("pos-1")))
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)
        assert table._engine.watch.placed is None
        await trio.sleep(100)
        assert not any(isinstance(one, OrderTimedOut) for one in what_came(happenings))


async def test_an_outcome_in_time_stops_the_timer(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        settle(server, Accepted("pos-1"))
        await trio.sleep(100)
        assert not any(isinstance(one, OrderTimedOut) for one in what_came(happenings))


async def test_a_pending_order_is_polled_over_http_while_there_is_no_websocket(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        server.reachable = False
        table.cut()
        await table.wait_for(lambda _: not table.connected, SOON)
        settle(server, Accepted("pos-1"))
        cut_at = trio.current_time()
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)
        assert not table.connected
        assert trio.current_time() - cut_at == 2.0
        polls = [call for call in server.http_calls if call.endswith("/cart")]
        await trio.sleep(20)
        assert [call for call in server.http_calls if call.endswith("/cart")] == polls
        server.reachable = True
        await table.wait_for(lambda _: table.connected, 60)


async def test_a_snapshot_that_grew_old_on_its_way_is_not_taken(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        server.reachable = False
        server.http_takes_seconds = 5.0
        table.cut()
        await table.wait_for(lambda _: not table.connected, SOON)
        await trio.sleep(3)
        server.reachable = True
        table.reconnect_now()
        await table.wait_for(lambda _: table.connected, SOON)
        settle(server, Accepted("pos-1"))
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)
        await trio.sleep(10)
        assert any(call.endswith("/cart") for call in server.http_calls)
        assert table.store.order_processing_status == "confirmed"
        assert table.store.seq == server.seq


async def test_orders_confirmed_while_nobody_listened_are_read_at_the_next_join(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        table.cut()
        order_id = server.table.order.order_id
        server.table.sends()
        (event,) = server.table.answers(Accepted("pos-1")).events
        assert isinstance(event, OrderConfirmed)
        server.confirmed = [event.order]
        await table.wait_for(lambda store: bool(store.orders), SOON)
        assert [order.order_id for order in table.store.orders] == [order_id]


async def test_polling_outlives_answers_that_do_not_come(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        server.reachable = server.answers_http = False
        table.cut()
        await trio.sleep(20)
        assert len([call for call in server.http_calls if call.endswith("/cart")]) >= 8
        server.answers_http = True
        settle(server, NO)
        await table.wait_for(lambda store: store.order_processing_status == "failed", SOON)


async def test_nothing_is_polled_while_nothing_is_pending(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.reachable = False
        table.cut()
        await trio.sleep(30)
        assert not any(call.endswith("/cart") for call in server.http_calls)


async def test_a_refresh_during_processing_restores_the_lock_and_goes_on_waiting(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        order_id = await table.place_order()
        happenings = table.events()
        await table.refresh()
        assert table.connected
        assert server.connections == 2
        assert table.store.pending_order_id == order_id
        assert table.store.order_processing_status == "processing"
        settle(server, Accepted("pos-1"))
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)
        assert not any(isinstance(one, Reconnecting) for one in what_came(happenings))


async def test_a_refresh_that_reads_no_snapshot_knows_nothing_until_it_has_joined(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        server.answers_http = False
        with pytest.raises(httpx.ConnectError):
            await table.refresh()
        assert table.store.seq is None
        assert table.store.items == ()
        await table.wait_for(lambda store: len(store.items) == 1, SOON)


async def test_a_refresh_forgets_commands_in_flight(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.listens = False
        async with trio.open_nursery() as nursery:

            async def is_lost() -> None:
                with pytest.raises(CommandLost):
                    await table.add_to_cart(MARGHERITA)

            nursery.start_soon(is_lost)
            await trio.testing.wait_all_tasks_blocked()
            await table.refresh()
        assert len(server.commands) == 1


async def test_a_resumed_table_works_over_http_until_the_websocket_comes(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        async with ana_at(server) as table:
            await table.add_to_cart(MARGHERITA)
            await table.place_order()
            seat = (table.session_pid, table.member_id, table.member_token)
        server.reachable = False
        async with resume_table(URL, *seat, surroundings=server.surroundings()) as again:
            assert not again.connected
            assert again.store.cart_locked
            settle(server, NO)
            await again.wait_for(lambda store: store.order_processing_status == "failed", SOON)
            assert again.retry_plan is None
            server.reachable = True
            await again.wait_for(lambda _: again.connected, 60)


async def test_a_resumed_order_times_out_too(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        order_id = await table.place_order()
        await trio.sleep(5)
        await table.refresh()
        happenings = table.events()
        timed_out = await happenings.find(lambda one: isinstance(one, OrderTimedOut), SOON)
        assert timed_out == OrderTimedOut(order_id)


async def test_a_resumed_table_brings_the_confirmed_orders(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        async with ana_at(server) as table:
            await table.add_to_cart(MARGHERITA)
            await table.place_order()
            settle(server, Accepted("pos-1"))
            await table.wait_for(lambda store: bool(store.orders), SOON)
            server.confirmed = list(table.store.orders)
            seat = (table.session_pid, table.member_id, table.member_token)
        async with resume_table(URL, *seat, surroundings=server.surroundings()) as again:
            await again.wait_for(lambda store: bool(store.orders), SOON)
            assert await again.fetch_snapshot() == server.table.session.snapshot(
                frozenset(server.table.session.members)
            )
