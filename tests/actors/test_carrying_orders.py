"""An order on its way to the POS: silence, look-ups, answers of every kind, and the lock limit."""

from datetime import datetime

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.messages import (
    Ack,
    CartSnapshot,
    OrderProcessing,
    Presence,
    ResolveNow,
)
from comanda.actors.domain.order import NotSent, Pending, Unknown
from comanda.actors.domain.session import MAX_IN_DOUBT
from comanda.actors.house import HouseLimits
from tests.actors.table import (
    LASSI,
    ScriptedPos,
    accept,
    code_of,
    hang,
    open_house,
    say,
    sit_down,
)


async def test_the_order_outlives_the_member_who_placed_it(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        await ana.order()
        ana.seat.leave()
        await ben.sees("order_confirmed")
        presence = await ben.sees("presence")
        assert isinstance(presence, Presence)
        assert {one.name: one.online for one in presence.members} == {"Ana": False, "Ben": True}


async def test_the_order_outlives_everybody_leaving_and_its_actor_is_not_passivated(
    autojump_clock: MockClock,
) -> None:
    limits = HouseLimits(idle_seconds=1)
    async with open_house(ScriptedPos(accept(9)), limits=limits) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        ana.seat.leave()
        await trio.sleep(5)
        assert house.registry.live(ana.key) is not None
        await trio.sleep(60)
        assert house.registry.live(ana.key) is None
        assert (await ana.snapshot()).last_order.status == "confirmed"  # type: ignore[union-attr]


async def test_a_timeout_leaves_the_order_unknown_and_asks_again_with_the_same_key(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(hang, hang, hang, hang, accept(1))
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=120)) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        start = trio.current_time()
        await ana.order()
        unknown = await ana.sees("order_processing", at_least=2)
        assert isinstance(unknown, OrderProcessing)
        assert unknown.stage == "unknown"
        assert trio.current_time() - start == pytest.approx(10)
        await ana.sees("order_confirmed")
        submits = [at - start for kind, _, at in pos.calls if kind == "submit"]
        assert submits == pytest.approx([0, 12, 26, 44, 62])
        assert {order_id for _, order_id, _ in pos.calls} == {"ORD-7-1"}
        assert len(pos.payloads) == 1


async def test_a_look_up_that_finds_the_order_settles_it_without_a_second_submit(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(hang)
    pos.look_up_answer = accept(0)
    async with open_house(pos) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_confirmed")
        assert [kind for kind, _, _ in pos.calls] == ["submit", "look_up"]


async def test_not_sent_fails_the_order_only_while_no_earlier_attempt_may_have_arrived(
    autojump_clock: MockClock,
) -> None:
    refused = say(NotSent("connection refused"), 0)
    async with open_house(ScriptedPos(refused)) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        failed = await ana.sees("order_failed")
        assert failed.allow_retry  # type: ignore[union-attr]
    async with open_house(ScriptedPos(say(Unknown("reset"), 0), refused, accept(0))) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_confirmed")
        assert not ana.all("order_failed")


async def test_a_pos_that_has_taken_the_order_but_not_accepted_it_is_waited_for(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(Pending("P-1", None), 1))
    pos.look_up_answer = accept(1)
    async with open_house(pos) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_confirmed")
        stages = [told.stage for told in ana.all("order_processing")]  # type: ignore[union-attr]
        assert stages == ["sent", "pending", "pending"]


async def test_resolve_now_asks_at_once_and_at_most_every_two_seconds(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(hang, hang, accept(0))
    async with open_house(pos) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_processing", at_least=2)
        await trio.sleep(1)
        asked = trio.current_time()
        assert await ana.ask(ResolveNow("n1")) == (Ack("n1", (await ana.snapshot()).seq),)
        (limited,) = await ana.ask(ResolveNow("n2"))
        assert (limited.code, limited.retry_after) == ("rate_limited", 2.0)  # type: ignore[union-attr]
        await ana.until(lambda: len(pos.calls) >= 3)
        assert [kind for kind, _, at in pos.calls if at == asked] == ["look_up", "submit"]
        await ana.sees("order_confirmed")
        (snapshot,) = await ana.ask(ResolveNow())
        assert isinstance(snapshot, CartSnapshot)


async def test_the_lock_ends_at_its_limit_and_the_order_goes_to_the_staff(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(*[hang] * 20)
    async with open_house(pos, limits=HouseLimits(lock_limit_seconds=60)) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        start = trio.current_time()
        await ana.order()
        await ben.sees("cart_unlocked")
        assert trio.current_time() - start <= 61
        snapshot = await ben.snapshot()
        assert (snapshot.cart_locked, snapshot.items, snapshot.order_processing_status) == (
            False,
            (),
            "idle",
        )
        assert [one.stage for one in snapshot.orders_in_doubt] == ["needs_staff"]
        calls = len(pos.calls)
        await ben.add(LASSI)
        await ben.order()
        await trio.sleep(1)
        assert [order_id for _, order_id, _ in pos.calls[calls:]] == ["ORD-7-2"]
        page = await house.store.orders(7, ("needs_staff",), None, 10)
        assert [order.order_id for order in page.orders] == ["ORD-7-1"]


async def test_one_tables_silent_pos_is_no_other_tables_trouble(autojump_clock: MockClock) -> None:
    async with open_house(ScriptedPos(hang, accept(1))) as house:
        (ana,) = await sit_down(house, "Ana")
        (ben,) = await sit_down(house, "Ben", code="demo-2")
        await ana.add()
        await ana.order()
        await ben.add()
        await ben.order()
        await ben.sees("order_confirmed")
        assert not ana.all("order_confirmed")


@pytest.mark.parametrize("answer", ["ok", None, 42])
async def test_what_a_pos_answers_and_is_no_outcome_leaves_the_order_unknown_and_it_is_asked_again(
    autojump_clock: MockClock, answer: object
) -> None:
    async def nonsense(order: object) -> object:
        await trio.sleep(1)
        return answer

    async with open_house(ScriptedPos(nonsense, accept(1))) as house:  # type: ignore[arg-type]
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_confirmed")


async def test_a_time_without_a_zone_from_a_pos_hurts_nobody(autojump_clock: MockClock) -> None:
    pending = say(Pending("P", datetime(2024, 1, 15, 12, 0)), 1)
    pos = ScriptedPos(pending)
    pos.look_up_answer = accept(0)
    async with open_house(pos) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_confirmed")
        assert ana.closed is None


async def test_a_table_with_too_many_orders_in_doubt_asks_the_staff_first(
    autojump_clock: MockClock,
) -> None:
    limits = HouseLimits(lock_limit_seconds=11)
    async with open_house(ScriptedPos(*[hang] * 99), limits=limits) as house:
        (ana,) = await sit_down(house, "Ana")
        for done in range(MAX_IN_DOUBT):
            await ana.add()
            await ana.order()
            await ana.sees("cart_unlocked", at_least=done + 1)
        await ana.add()
        assert code_of(await ana.order()) == "too_busy"
