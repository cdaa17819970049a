"""The house forgets guests of long ago by itself, a few at a time, and beside everything else."""

from datetime import datetime
from typing import Any, cast

import trio
from trio.testing import MockClock

from comanda.actors.domain.menu import Table
from comanda.actors.domain.messages import StaffOrder
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import StorageUnavailable, Store
from comanda.actors.sweeps import SweepLimits
from comanda.storage.groups import Call
from comanda.storage.inline import open_inline

from .table import RESTAURANT, ScriptedPos, hang, open_house, sit_down

MINUTE = 60.0
LIMITS = HouseLimits(
    sweeps=SweepLimits(
        forget_seconds=MINUTE, forget_guests_after_seconds=30 * MINUTE, forget_most=2
    )
)
"""A month is half an hour here: every minute of virtual time is real work for the other sweeps."""


async def names_of_orders(house: House) -> list[str]:
    page = await house.store.orders(7, (), None, 50)
    orders: tuple[StaffOrder, ...] = page.orders
    return [one.placed_by_name for one in orders]


async def dined(house: House, code: str = "demo-1") -> None:
    """Somebody has eaten and left."""
    (ana,) = await sit_down(house, "Ana", code=code)
    await ana.add()
    await ana.order()
    await ana.sees("order_confirmed")
    await house.close_session(ana.key, "They left")


async def test_guests_are_forgotten_when_their_time_is_over_and_not_before(
    autojump_clock: MockClock,
) -> None:
    async with open_house(limits=LIMITS) as house:
        await dined(house)
        await trio.sleep(29 * MINUTE)
        assert await names_of_orders(house) == ["Ana"]
        await trio.sleep(2 * MINUTE)
        assert await names_of_orders(house) == ["a guest"]


async def test_a_table_with_somebody_at_it_is_left_in_peace(autojump_clock: MockClock) -> None:
    async with open_house(limits=LIMITS) as house:
        (ben,) = await sit_down(house, "Ben", code="demo-2")
        await trio.sleep(31 * MINUTE)
        assert [one.name for one in (await ben.snapshot()).members] == ["Ben"]


async def test_an_order_that_waits_for_the_staff_keeps_its_guests_names(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(*[hang] * 8), limits=LIMITS) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("cart_unlocked")
        await house.close_session(ana.key, "They left")
        await trio.sleep(32 * MINUTE)
        assert await names_of_orders(house) == ["Ana"]
        assert await house.forget_session(ana.key) == "unsettled"


class Counting:
    """A store that counts how many sessions each step forgets."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.steps: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def forget_closed(self, before: datetime, now: datetime, limit: int) -> int:
        forgotten = await self._inner.forget_closed(before, now, limit)
        self.steps.append(forgotten)
        return forgotten


async def test_many_are_forgotten_in_steps_of_a_bound_without_waiting_for_the_next_look(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        for number in range(5):  # closed while no server ran
            table = Table(f"demo-{number + 1}", "T", 7)
            await inline.open_session(table, f"old-{number}", datetime.fromisoformat(LONG_AGO))
        await inline._write(close_all())
        store = Counting(inline)
        async with open_house(store=cast(Store, store), limits=LIMITS):
            await trio.sleep(1)
        assert store.steps == [2, 2, 1]


LONG_AGO = "2020-01-01T12:00:00+00:00"


def close_all() -> Any:
    """The work of closing every session, a day after it was opened."""

    def close(connection: Any) -> None:
        connection.exec_driver_sql(
            "UPDATE dining_sessions SET closed_reason = 'They left', closed_at = opened_at"
        )

    return Call(close)


async def test_a_storage_that_does_not_answer_is_asked_again(autojump_clock: MockClock) -> None:
    class Out(Counting):
        async def forget_closed(self, before: datetime, now: datetime, limit: int) -> int:
            if not self.steps:
                self.steps.append(-1)
                raise StorageUnavailable("out")
            return await super().forget_closed(before, now, limit)

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = Out(inline)
        async with open_house(store=cast(Store, store), limits=LIMITS):
            await trio.sleep(1.5 * MINUTE)
        assert store.steps == [-1, 0]
