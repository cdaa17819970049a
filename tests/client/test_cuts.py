"""Cuts, gaps, close codes: what is joined again, when, and what is not."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.actors.domain.inputs import CloseSession
from comanda.actors.domain.messages import (
    CartCommand,
    CartSnapshot,
    ServerClosing,
)
from comanda.actors.domain.order import Accepted
from comanda.client import (
    ClientLimits,
    ConnectionLost,
    Ended,
    Happening,
    Reconnected,
    Reconnecting,
    SeqGap,
    TableClosed,
)

from ..actors.domain.helpers import MARGHERITA, NOW
from .sitting import SOON, a_server, ana_at, settle, what_came


async def test_an_unanswered_command_is_sent_once_more_under_its_old_request_id(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.replies = False

        def hang_up(_: CartCommand) -> None:
            server.replies = True
            server.after_command = lambda _: None
            table.cut()

        server.after_command = hang_up
        seq = server.seq
        await table.add_to_cart(MARGHERITA)
        assert server.seq == seq + 1
        first, second = server.heard
        assert first.command == second.command
        assert (first.connection, second.connection) == (1, 2)
        assert len(table.store.items) == 1


async def test_commands_said_while_cut_off_are_sent_in_order_when_joined_again(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.reachable = False
        table.cut()
        await table.wait_for(lambda _: not table.connected, SOON)
        async with trio.open_nursery() as nursery:
            for qty in range(1, 6):
                nursery.start_soon(table.add_to_cart, MARGHERITA, qty)
                await trio.testing.wait_all_tasks_blocked()
            assert server.commands == []
            server.reachable = True
        assert [item.qty for item in table.store.items] == [1, 2, 3, 4, 5]
        assert len(server.commands) == 5


async def test_a_placed_order_survives_the_cut_that_ate_its_acknowledgement(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)

        def hang_up(_: CartCommand) -> None:
            server.after_command = lambda _: None
            table.cut()

        server.after_command = hang_up
        order_id = await table.place_order()
        assert order_id == server.table.order.order_id
        assert len({command.request_id for command in server.orders_placed()}) == 1
        settle(server, Accepted("pos-1"))
        await table.wait_for(lambda store: store.order_processing_status == "confirmed", SOON)


async def test_an_order_that_was_over_before_the_connection_came_back_is_named_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)

        def settle_unseen(_: CartCommand) -> None:
            server.after_command = lambda _: None
            table.cut()
            settle(server, Accepted("pos-1"))

        server.after_command = settle_unseen
        order_id = await table.place_order()
        assert table.store.last_order is not None
        assert table.store.last_order.order_id == order_id
        assert not table.store.cart_locked


async def test_a_cut_is_told_and_joined_again_within_half_a_second(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        cut_at = trio.current_time()
        table.cut()
        assert isinstance(
            await happenings.find(lambda one: isinstance(one, Reconnected), SOON), Reconnected
        )
        assert trio.current_time() - cut_at <= 0.5
        assert table.connected
        assert server.close_codes[0] == 1006


async def test_the_facts_of_a_cut_come_in_order(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.reachable = False
        table.cut()
        came: list[Happening] = []
        async for happening in happenings:
            came.append(happening)
            if isinstance(happening, ConnectionLost):
                server.reachable = True
            if isinstance(happening, Reconnected):
                break
        assert came[:5] == [
            Reconnecting(1),
            Reconnecting(2),
            Reconnecting(3),
            ConnectionLost(),
            Reconnecting(4),
        ]
        assert isinstance(came[5], CartSnapshot)
        assert came[6:] == [Reconnected()]


async def test_a_tap_reconnects_at_once(autojump_clock: MockClock) -> None:
    limits = ClientLimits(slow_backoff_limit_seconds=1000, backoff_base_seconds=200)
    async with a_server() as server, ana_at(server, limits=limits) as table:
        happenings = table.events()
        server.reachable = False
        table.cut()
        await happenings.find(lambda one: isinstance(one, ConnectionLost), 3000)
        server.reachable = True
        tapped_at = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        table.reconnect_now()
        await table.wait_for(lambda _: table.connected, SOON)
        assert trio.current_time() == tapped_at


async def test_a_connection_that_goes_silent_is_found_out(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.freeze()
        await happenings.find(lambda one: isinstance(one, Reconnecting), 120)


async def test_a_handshake_that_is_hung_up_on_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.hangs_up_handshakes = True
        table.cut()
        cut_at = trio.current_time()
        await happenings.find(lambda one: one == Reconnecting(2), SOON)
        assert trio.current_time() - cut_at <= 0.5
        server.hangs_up_handshakes = False
        await table.wait_for(lambda _: table.connected, SOON)


async def test_a_gap_in_seq_is_told_and_joined_anew(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.table.adds()  # of which nobody is told
        server.tell_all(*server.table.changes_menu(MARGHERITA, price_minor=1).events)
        gap = await happenings.find(lambda one: isinstance(one, SeqGap), SOON)
        assert gap == SeqGap(expected=server.seq - 1, got=server.seq)
        await happenings.find(lambda one: isinstance(one, Reconnected), SOON)
        assert table.store.seq == server.seq
        assert server.connections == 2


@pytest.mark.parametrize("code", [1000, 1011, 1012, 1013])
async def test_close_codes_that_ask_for_it_are_joined_again(
    autojump_clock: MockClock, code: int
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.close_all(code)
        await happenings.find(lambda one: isinstance(one, Reconnected), SOON)
        assert table.ended is None


async def test_two_sides_that_meet_only_to_part_do_not_spin(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        until = trio.current_time() + 120
        while trio.current_time() < until:
            server.close_all(1011)
            await happenings.find(lambda one: isinstance(one, Reconnected), 60)
        assert server.connections < 25


async def test_a_link_that_was_dropped_has_no_say_any_more(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        dropped = table._engine.link
        assert dropped is not None
        await table.refresh()
        happenings = table.events()
        table._engine.told(dropped, ServerClosing(7.0, NOW))
        assert what_came(happenings) == []


@pytest.mark.parametrize("code", [1008, 4401, 4404, 4410])
async def test_final_close_codes_end_the_table_with_their_reason(
    autojump_clock: MockClock, code: int
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.listens = False
        async with trio.open_nursery() as nursery:

            async def is_refused() -> None:
                with pytest.raises(TableClosed) as closed:
                    await table.add_to_cart(MARGHERITA)
                assert closed.value.code == code

            nursery.start_soon(is_refused)
            await trio.testing.wait_all_tasks_blocked()
            server.close_all(code, "too bad")
        assert [one async for one in happenings] == [Ended(code, "too bad")]
        assert table.ended is not None
        assert (table.ended.code, table.ended.reason) == (code, "too bad")
        with pytest.raises(TableClosed):
            await table.place_order()
        assert server.connections == 1


async def test_a_join_refused_for_good_is_not_repeated(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        server.close_joins_with = 4401
        with pytest.raises(TableClosed) as closed:
            async with ana_at(server):
                pytest.fail("nobody was let in")
        assert closed.value.code == 4401
        assert server.connections == 1


async def test_the_event_that_closes_the_session_is_told_before_the_end(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.hears(CloseSession("The party has left"))
        await table.wait_for(lambda store: store.closed_reason is not None, SOON)
        server.close_all(4410, "closed")
        *_, last = [one async for one in happenings]
        assert last == Ended(4410, "closed")


async def test_a_server_that_says_when_to_come_back_is_not_asked_before(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.tell_all(ServerClosing(7.0, NOW))
        await happenings.find(lambda one: isinstance(one, ServerClosing), SOON)
        closed_at = trio.current_time()
        server.close_all(1012)
        await happenings.find(lambda one: isinstance(one, Reconnected), SOON)
        assert trio.current_time() - closed_at >= 7.0


async def test_a_refused_handshake_that_says_when_to_come_back_is_heeded(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        happenings = table.events()
        server.reject_handshakes_with = (503, "9")
        table.cut()
        await happenings.find(lambda one: one == Reconnecting(2), SOON)
        server.reject_handshakes_with = None
        refused_at = trio.current_time()
        await happenings.find(lambda one: isinstance(one, Reconnected), SOON)
        assert trio.current_time() - refused_at >= 9.0
