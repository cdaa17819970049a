"""A changed menu reaches every table and every line that it touches, whatever goes wrong."""

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.menu import Menu
from comanda.actors.domain.messages import (
    CartUpdated,
)
from comanda.actors.domain.order import Rejected
from comanda.actors.ports import (
    StorageUnavailable,
)
from tests.actors.faults import FaultyStore, open_faulty_house
from tests.actors.table import (
    ScriptedPos,
    code_of,
    open_house,
    say,
    sit_down,
)


async def test_a_changed_menu_reaches_every_open_table_and_the_lines_that_it_touches(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        (ben,) = await sit_down(house, "Ben", code="demo-2")
        await ana.add()
        await house.change_menu_item(7, 456, available=False, price_minor=None)
        await ana.sees("menu_updated")
        updated = await ana.sees("cart_updated", at_least=2)
        assert isinstance(updated, CartUpdated)
        assert (updated.by_member, updated.items[0].available) == (None, False)
        await ben.sees("menu_updated")
        assert not ben.all("cart_updated")
        assert code_of(await ana.order()) == "item_unavailable"
        assert code_of(await ben.add()) == "item_unavailable"


async def test_a_menu_change_in_a_failed_batch_reaches_the_table_with_the_next_one(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        store.before = [StorageUnavailable("full")]
        await house.change_menu_item(7, 456, available=None, price_minor=70000)
        await trio.sleep(1)
        assert not ana.all("menu_updated")
        assert code_of(await ana.order()) == "total_mismatch"
        assert ana.all("menu_updated")
        assert str((await ana.snapshot()).total) == "700.00"
        await ana.order()
        await ana.sees("order_confirmed")


async def test_a_menu_change_while_a_table_is_locked_reaches_its_lines_when_the_order_fails(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(say(Rejected("x", "no", True)))) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await house.change_menu_item(7, 456, available=None, price_minor=70000)
        await ana.sees("menu_updated")
        await ana.sees("order_failed")
        await ana.sees("cart_updated", at_least=2)
        assert str((await ana.snapshot()).total) == "700.00"


async def test_a_menu_change_whose_caller_goes_away_is_in_force_all_the_same(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        with trio.CancelScope() as scope:
            scope.cancel()
            await house.change_menu_item(7, 456, available=False, price_minor=None)
        assert not house.book.current(7).items[456].available


async def test_a_menu_change_of_unknown_outcome_is_read_again_from_storage(
    autojump_clock: MockClock,
) -> None:
    class Doubtful(FaultyStore):
        async def change_menu_item(
            self,
            restaurant_id: int,
            menu_item_id: int,
            *,
            available: bool | None,
            price_minor: int | None,
        ) -> Menu | None:
            await super().change_menu_item(
                restaurant_id, menu_item_id, available=available, price_minor=price_minor
            )
            raise StorageUnavailable("too slow")

    async with open_faulty_house(kind=Doubtful) as (house, _):
        (ana,) = await sit_down(house, "Ana")
        with pytest.raises(StorageUnavailable):
            await house.change_menu_item(7, 456, available=False, price_minor=None)
        await ana.sees("menu_updated")
        assert code_of(await ana.add()) == "item_unavailable"
