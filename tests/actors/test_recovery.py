"""What happens unasked: orders taken up, locks ended, forgotten tables closed."""

from datetime import datetime
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.messages import Rejection
from comanda.actors.house import HouseLimits
from comanda.actors.ports import (
    Loaded,
    Overdue,
    SessionKey,
    StorageUnavailable,
    Unit,
)
from comanda.actors.sweeps import SweepLimits
from comanda.storage.inline import InlineStore, open_inline
from tests.actors.domain.helpers import CountedIds
from tests.actors.table import (
    RESTAURANT,
    Phone,
    ScriptedPos,
    accept,
    hang,
    make_house,
    open_house,
    sit_down,
)


async def two_tables_with_an_order_each(store: InlineStore) -> tuple[Phone, Phone]:
    """Ana's and Ben's tables, whose house has ended while the POS was silent about both orders."""
    async with open_house(ScriptedPos(hang, hang), store=store) as house:
        (ana,) = await sit_down(house, "Ana")
        (ben,) = await sit_down(house, "Ben", code="demo-2")
        for phone in (ana, ben):
            await phone.add()
            await phone.order()
            await phone.sees("order_processing")
    return ana, ben


async def test_the_lock_of_a_passivated_or_dead_session_ends_too(autojump_clock: MockClock) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        limits = HouseLimits(lock_limit_seconds=60)
        async with open_house(ScriptedPos(hang), store=inline, limits=limits) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing")
        await trio.sleep(3600)
        async with open_house(ScriptedPos(*[hang] * 9), store=inline, limits=limits) as house:
            await trio.sleep(2)
            snapshot = (await house.view(ana.key)).snapshot()
            assert not snapshot.cart_locked
            assert len(snapshot.orders_in_doubt) == 1


async def test_the_next_process_takes_an_order_in_flight_up_without_anybody_at_the_table(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(hang), store=inline) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing")
        assert ana.closed is not None
        assert ana.closed[0] == 1012
        assert ana.all("server_closing")
        async with open_house(ScriptedPos(accept(1)), store=inline) as house:
            await trio.sleep(5)
            (order,) = await house.store.confirmed_orders(ana.key.pid)
            assert order.order_id == "ORD-7-1"


async def test_a_table_that_another_house_has_claimed_is_restored_though_nobody_there_does_anything(
    autojump_clock: MockClock,
) -> None:
    """As in seed 5091 of profile `all`: its cart is locked, so no commit of its own would tell it."""
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        ids = CountedIds()
        async with open_house(store=inline, ids=ids) as house:
            (ana,) = await sit_down(house, "Ana")
            async with open_house(store=inline, ids=ids) as other:
                (ben,) = await sit_down(other, "Ben")
                await ben.add()
            await ana.hung_up()
            assert ana.closed is not None
            assert ana.closed[0] == 1011
            again = await Phone(house, ana.key, ana.member_id).sit()
            assert len((await again.snapshot()).items) == 1


async def test_a_house_that_has_its_tables_to_itself_commits_nothing_to_find_that_out(
    autojump_clock: MockClock,
) -> None:
    commits: list[Unit] = []

    class Counting(InlineStore):
        async def commit(self, unit: Unit) -> None:
            commits.append(unit)
            await super().commit(unit)

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(store=Counting(inline._connection)) as house:
            (ana,) = await sit_down(house, "Ana")
            commits.clear()
            await trio.sleep(600)
            assert ana.closed is None
    assert commits == []


async def test_a_forgotten_session_closes_by_itself(autojump_clock: MockClock) -> None:
    limits = HouseLimits(
        sweeps=SweepLimits(locks_seconds=30, unsettled_seconds=30, forgotten_after_seconds=3600)
    )
    async with open_house(limits=limits) as house:
        (ana,) = await sit_down(house, "Ana")
        await trio.sleep(0.9 * 3600)
        assert await house.find_session(ana.key.pid, ana.key) == (ana.key, True)
        await trio.sleep(0.2 * 3600)
        assert ana.all("session_closed")
        # So the member's token opens nothing more: the front asks this of every one, and seats nobody.
        assert await house.find_session(ana.key.pid, ana.key) == (ana.key, False)
        assert await house.store.find_session(ana.key.pid) == (ana.key, False)
        _, seat = await house.sit(ana.key, ana.member_id, ana)
        assert isinstance(seat, Rejection)
        assert seat.code == "session_closed"


async def test_a_session_that_could_not_be_taken_up_at_the_start_is_tried_again_soon(
    autojump_clock: MockClock,
) -> None:
    class Hiccup(InlineStore):
        hiccups = 2

        async def activate(self, key: SessionKey) -> Loaded:
            if self.hiccups:
                self.hiccups -= 1
                raise StorageUnavailable("not yet")
            return await super().activate(key)

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(hang), store=inline) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing")
        start = trio.current_time()
        store = Hiccup(inline._connection)
        pos = ScriptedPos(accept(1))
        async with open_house(pos, store=store) as house:
            await trio.sleep(20)
            assert [kind for kind, _, _ in pos.calls] == ["look_up", "submit"]
            assert pos.calls[0][2] - start < 15
            assert len(await house.store.confirmed_orders(ana.key.pid)) == 1


async def test_orders_that_were_taken_up_leave_the_next_look_to_the_others(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        ana, ben = await two_tables_with_an_order_each(inline)
        limits = HouseLimits(sweeps=SweepLimits(most=1))
        async with open_house(ScriptedPos(*[hang] * 20), store=inline, limits=limits) as house:
            await trio.sleep(2 * limits.sweeps.unsettled_seconds)
            assert house.registry.live(ana.key) is not None
            assert house.registry.live(ben.key) is not None


async def test_a_house_that_is_full_ends_the_locks_of_those_whom_it_cannot_load(
    autojump_clock: MockClock,
) -> None:
    class Forgetful(InlineStore):
        async def unsettled_sessions(self) -> tuple[SessionKey, ...]:
            return ()

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(hang), store=inline) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing")
        full = HouseLimits(max_live=1)
        async with open_house(store=Forgetful(inline._connection), limits=full) as house:
            (ben,) = await sit_down(house, "Ben", code="demo-2")
            await trio.sleep(full.lock_limit_seconds + 1)
            assert house.registry.live(ben.key) is not None
            (order,) = await inline.waiting_for_staff(10)
            assert order.session_pid == ana.key.pid


async def test_a_table_that_cannot_come_up_delays_no_other_tables_lock_end(
    autojump_clock: MockClock,
) -> None:
    class Stuck(InlineStore):
        stuck: SessionKey | None = None

        async def activate(self, key: SessionKey) -> Loaded:
            if key == self.stuck:
                await trio.sleep_forever()
            return await super().activate(key)

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        ana, ben = await two_tables_with_an_order_each(inline)
        store = Stuck(inline._connection)
        store.stuck = ana.key
        async with open_house(ScriptedPos(*[hang] * 20), store=store) as house:
            ben.house, ben.closed = house, None
            await ben.sit()
            await ben.sees("cart_unlocked")
            assert trio.current_time() < 62


async def test_a_sweep_that_fails_looks_again(autojump_clock: MockClock) -> None:
    class Broken(InlineStore):
        broken = 3

        async def overdue_orders(self, now: datetime, limit: int) -> tuple[Overdue, ...]:
            if self.broken:
                self.broken -= 1
                raise LookupError("a bug")
            return await super().overdue_orders(now, limit)

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(ScriptedPos(*[hang] * 9), store=Broken(inline._connection)) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("cart_unlocked")


async def test_a_graceful_end_lets_members_go_at_once_and_orders_in_flight_come_to_their_end(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        pos = ScriptedPos(accept(3))
        house = make_house(inline, pos)
        async with trio.open_nursery() as nursery:
            await nursery.start(house.run)
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            start = trio.current_time()
            nursery.start_soon(partial(house.stop, deadline_seconds=5, grace_seconds=4))
            await ana.hung_up()
            assert trio.current_time() - start < 0.1
            assert ana.all("server_closing")
            assert ana.closed is not None
            assert ana.closed[0] == 1012
        assert trio.current_time() - start == pytest.approx(3)
        (order,) = await inline.confirmed_orders(ana.key.pid)
        assert order.order_id == "ORD-7-1"


async def test_a_silent_pos_holds_a_graceful_end_no_longer_than_its_grace(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        house = make_house(inline, ScriptedPos(hang))
        async with trio.open_nursery() as nursery:
            await nursery.start(house.run)
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing")
            start = trio.current_time()
            await house.stop(deadline_seconds=5, grace_seconds=4)
        assert trio.current_time() - start == pytest.approx(4)
        assert len(await inline.unsettled_sessions()) == 1
