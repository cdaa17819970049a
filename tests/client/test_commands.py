"""Commands, their replies, and consumers of what happens."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.actors.domain.messages import (
    CartLocked,
    CartUpdated,
    Rejection,
)
from comanda.client import (
    CartLockedError,
    ClientLimits,
    CommandLost,
    CommandRefused,
    FellBehind,
    TooManyCommands,
)

from ..actors.domain.helpers import LASSI, MARGHERITA
from .sitting import SOON, a_server, ana_at


async def test_a_command_returns_with_its_acknowledgement_and_the_store_caught_up(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        ack = await table.add_to_cart(MARGHERITA, 2, "Extra spicy")
        assert ack.seq == server.seq == table.store.seq
        (item,) = table.store.items
        await table.update_cart_item(item.public_id, qty=3)
        assert table.store.total == 1875
        await table.remove_from_cart(item.public_id)
        assert table.store.items == ()
        assert table.commands_in_flight == 0


async def test_a_refusal_carries_code_sentence_and_wait(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.refuse_next = Rejection("rate_limited", "Slow down", 1.5)
        with pytest.raises(CommandRefused, match="Slow down") as refused:
            await table.add_to_cart(MARGHERITA)
        assert refused.value.code == "rate_limited"
        assert refused.value.retry_after == 1.5
        await table.add_to_cart(MARGHERITA)
        ids = [command.request_id for command in server.commands]
        assert len(set(ids)) == 2


async def test_a_command_that_is_no_good_message_never_leaves(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        with pytest.raises(CommandRefused) as refused:
            await table.add_to_cart(MARGHERITA, qty=100)
        assert refused.value.code == "bad_message"
        assert server.commands == []
        with pytest.raises(CommandRefused):
            await table.place_order("x" * 501)
        assert not table.store.cart_locked


async def test_commands_in_flight_are_bounded(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        server.listens = False
        async with ana_at(server, limits=ClientLimits(max_commands_in_flight=2)) as table:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(table.add_to_cart, MARGHERITA)
                nursery.start_soon(table.add_to_cart, MARGHERITA)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(TooManyCommands):
                    await table.add_to_cart(LASSI)
                nursery.cancel_scope.cancel()
            assert table.commands_in_flight == 0


async def test_a_command_without_a_reply_is_given_up_and_not_sent_again(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.listens = False
        with pytest.raises(CommandLost):
            await table.add_to_cart(MARGHERITA)
        table.cut()
        await table.wait_for(lambda _: not table.connected, SOON)
        await table.wait_for(lambda _: table.connected, SOON)
        await trio.testing.wait_all_tasks_blocked()
        assert len(server.commands) == 1


async def test_placing_locks_at_once_and_gives_the_id_of_the_order(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        locked_at_the_server: list[bool] = []
        server.after_command = lambda _: locked_at_the_server.append(table.store.cart_locked)
        order_id = await table.place_order("Table by the window")
        assert locked_at_the_server == [True]
        assert order_id == server.table.order.order_id == table.store.pending_order_id
        with pytest.raises(CartLockedError):
            await table.add_to_cart(LASSI)
        assert len(server.commands) == 2


async def test_the_error_to_a_placed_order_unlocks_the_cart_again(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        server.refuse_next = Rejection("storage_unavailable", "Not saved, try again")
        with pytest.raises(CommandRefused):
            await table.place_order()
        assert not table.store.cart_locked
        assert table.store.order_processing_status == "idle"


async def test_the_servers_cart_locked_is_the_same_exception_as_the_stores(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        server.refuse_next = Rejection("cart_locked", "Order already being processed")
        with pytest.raises(CartLockedError, match="Order already being processed"):
            await table.add_to_cart(MARGHERITA)


async def test_every_consumer_hears_all_and_the_end(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        async with ana_at(server) as table:
            first, second = table.events(), table.events()
            await table.add_to_cart(MARGHERITA)
            await table.place_order()
        for happenings in (first, second):
            assert [type(one) async for one in happenings] == [CartUpdated, CartLocked]


async def test_a_consumer_that_does_not_read_is_dropped_and_hears_so(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        limits = ClientLimits(happenings_buffer=2)
        async with ana_at(server, limits=limits) as table:
            slow, quick = table.events(), table.events()
            for _ in range(3):
                await table.add_to_cart(MARGHERITA)
                await quick.find(lambda one: isinstance(one, CartUpdated), SOON)
            with pytest.raises(FellBehind):
                assert [one async for one in slow] == []


async def test_waiting_for_what_does_not_come_ends_in_time(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        with pytest.raises(trio.TooSlowError):
            await table.wait_for(lambda store: bool(store.items), 5)


async def test_who_tries_a_locked_cart_again_and_again_lets_the_outcome_come(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server, ana_at(server) as table:
        await table.add_to_cart(MARGHERITA)
        await table.place_order()
        others_ran = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_set, others_ran)
            for _ in range(100):
                with pytest.raises(CartLockedError):
                    await table.add_to_cart(LASSI)
                with pytest.raises(CartLockedError):
                    await table.place_order()
            assert others_ran.is_set()


async def _set(event: trio.Event) -> None:
    event.set()
