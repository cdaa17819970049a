"""The output gate, the lock, and who is told what, on virtual time and the real schema."""

from datetime import datetime

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import Context, Decision, Input, Refusal
from comanda.actors.domain.menu import Menu
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartSnapshot,
    CartUpdated,
    ClearCart,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    PlaceOrder,
    Presence,
    RemoveItem,
    ResolveNow,
    UpdateItem,
)
from comanda.actors.domain.order import NotSent, Pending, Rejected, Unknown
from comanda.actors.domain.session import MAX_IN_DOUBT, Session
from comanda.actors.house import HouseLimits
from comanda.actors.ports import (
    CommitUnknown,
    Loaded,
    Overdue,
    SessionKey,
    StorageUnavailable,
    Unit,
)
from comanda.actors.sweeps import SweepLimits
from comanda.runtime import ActorStopped
from comanda.storage.inline import InlineStore, open_inline
from tests.actors.table import (
    LASSI,
    RESTAURANT,
    Phone,
    ScriptedPos,
    accept,
    code_of,
    hang,
    open_house,
    say,
    sit_down,
)


class FaultyStore(InlineStore):
    """The inline store, whose next commits fail as told: an exception before or after the write."""

    before: list[Exception | None]
    after: list[Exception | None]

    async def commit(self, unit: Unit) -> None:
        fault = self.before.pop(0) if self.before else None
        if fault is not None:
            raise fault
        await super().commit(unit)
        fault = self.after.pop(0) if self.after else None
        if fault is not None:
            raise fault


def faulty(inline: InlineStore) -> FaultyStore:
    store = FaultyStore(inline._connection)
    store.before, store.after = [], []
    return store


async def test_an_edit_of_one_is_seen_by_all_and_acknowledged_to_its_sender_alone(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        answer = await ana.add(qty=2, request_id="r1")
        assert answer == (Ack("r1", 3),)
        for phone in (ana, ben):
            event = await phone.sees("cart_updated")
            assert isinstance(event, CartUpdated)
            assert (event.by_member, event.items[0].qty, str(event.total)) == (
                ana.member_id,
                2,
                "1250.00",
            )
        assert not ben.all("ack")


async def test_joining_gives_the_snapshot_first_and_only_what_is_newer_after_it(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        (ben,) = await sit_down(house, "Ben")
        await ana.add()
        await ben.sees("cart_updated")
        snapshot = ben.told[0]
        assert isinstance(snapshot, CartSnapshot)
        assert len(snapshot.items) == 1
        assert ben.seqs() == list(range(snapshot.seq, snapshot.seq + len(ben.seqs())))


async def test_an_order_locks_the_cart_for_everybody_until_the_pos_has_confirmed_it(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(accept(3))) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        (line,) = (await ana.add(qty=2), (await ana.snapshot()).items)[1]
        started = trio.current_time()
        await ana.order(request_id="o1")
        for command in (
            UpdateItem(line.public_id, qty=3),
            RemoveItem(line.public_id),
            ClearCart(),
            ben.order_command(await ben.snapshot()),
        ):
            (refusal,) = await ben.ask(command)
            assert (refusal.code, refusal.message) == (  # type: ignore[union-attr]
                "cart_locked",
                "Order already being processed",
            )
        locked = await ben.snapshot()
        assert locked.cart_locked
        assert locked.locked_by_name == "Ana"
        assert [one.state for one in locked.items] == ["locked"]
        confirmed = await ben.sees("order_confirmed")
        assert isinstance(confirmed, OrderConfirmed)
        assert confirmed.order_id == "ORD-7-1"
        assert trio.current_time() - started == pytest.approx(3)
        after = await ben.snapshot()
        assert (after.items, after.cart_locked, after.order_processing_status) == (
            (),
            False,
            "confirmed",
        )
        await ben.add()
        assert (await ben.snapshot()).order_processing_status == "idle"


async def test_a_refused_order_gives_the_lines_back_and_allows_a_retry(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(Rejected("x", "POS system unavailable", True)), accept(1))
    async with open_house(pos) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        await ana.order()
        failed = await ben.sees("order_failed")
        assert isinstance(failed, OrderFailed)
        assert (failed.error, failed.allow_retry) == ("POS system unavailable", True)
        assert [one.state for one in (await ben.snapshot()).items] == ["pending"]
        await ana.order()
        confirmed = await ben.sees("order_confirmed")
        assert confirmed.order_id == "ORD-7-2"  # type: ignore[union-attr]


async def test_two_orders_at_the_same_moment_make_one_order(autojump_clock: MockClock) -> None:
    pos = ScriptedPos(accept(3))
    async with open_house(pos) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        seen = await ana.snapshot()
        answers: list[object] = []

        async def place(phone: object, request_id: str) -> None:
            answers.append(await phone.ask(phone.order_command(seen, request_id=request_id)))  # type: ignore[attr-defined]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(place, ana, "a")
            nursery.start_soon(place, ben, "b")
        kinds = sorted(type(answer[0]).__name__ for answer in answers)  # type: ignore[index]
        assert kinds == ["Ack", "Error"]
        await ana.sees("order_confirmed")
        assert [call[0] for call in pos.calls] == ["submit"]


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


async def test_the_same_request_id_gives_the_same_reply_also_in_the_next_activation(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        first = await ana.add(request_id="r1")
        assert await ana.add(request_id="r1") == first
        ana.seat.leave()
        await house.registry.passivate(ana.key)
        assert await ana.add(request_id="r1") == first
        assert len((await ana.snapshot()).items) == 1
        assert code_of(await ana.add(qty=9, request_id="r1")) == "request_id_reused"


async def test_nothing_is_told_and_nothing_changes_when_storage_takes_nothing(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = faulty(inline)
        async with open_house(store=store) as house:
            ana, ben = await sit_down(house, "Ana", "Ben")
            before = await ana.snapshot()
            told = len(ben.told)
            store.before = [StorageUnavailable("full")]
            assert code_of(await ana.add(request_id="r1")) == "storage_unavailable"
            assert await ana.snapshot() == before
            assert len(ben.told) == told
            assert await ana.add(request_id="r1") == (Ack("r1", before.seq + 1),)


async def test_after_a_commit_of_unknown_outcome_the_table_is_restored_to_what_is_durable(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = faulty(inline)
        async with open_house(store=store) as house:
            ana, ben = await sit_down(house, "Ana", "Ben")
            store.after = [CommitUnknown("lost")]
            with pytest.raises(Exception, match=r".") as lost:
                await ana.add(request_id="r1")
            assert type(lost.value).__name__ in {"ActorCrashed", "Outage"}
            for phone in (ana, ben):
                await phone.hung_up()
                assert phone.closed is not None
                assert phone.closed[0] == 1011
            assert not ben.all("cart_updated")
            await trio.sleep(5)
            # It was durable after all: the same request id finds it, and nothing is added twice.
            assert isinstance((await ana.add(request_id="r1"))[0], Ack)
            assert len((await ana.snapshot()).items) == 1


async def test_a_second_activation_fences_the_first(autojump_clock: MockClock) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(store=inline) as house:
            (ana,) = await sit_down(house, "Ana")
            await inline.activate(ana.key)  # another server takes the session over
            with pytest.raises(Exception, match=r".") as crashed:
                await ana.add()
            assert type(crashed.value).__name__ == "ActorStopped"
            assert ana.closed is not None
            assert ana.closed[0] == 1011
            # It ends and does not fight for the session: the next who comes takes it over.
            await trio.sleep(60)
            assert house.registry.live(ana.key) is None
            assert len(await ana.add()) == 0


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


async def test_closing_the_session_ends_membership_and_the_next_join_opens_another(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        await house.close_session(ana.key, "bye")
        assert ana.all("session_closed")
        assert ana.closed == (4410, "bye")
        assert code_of(await ana.add()) == "session_closed"
        (ben,) = await sit_down(house, "Ben")
        assert ben.key != ana.key


async def test_a_forgotten_session_closes_by_itself(autojump_clock: MockClock) -> None:
    limits = HouseLimits(
        sweeps=SweepLimits(locks_seconds=30, unsettled_seconds=30, forgotten_after_seconds=3600)
    )
    async with open_house(limits=limits) as house:
        (ana,) = await sit_down(house, "Ana")
        await trio.sleep(2 * 3600)
        assert ana.all("session_closed")


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


async def test_a_fifth_connection_of_a_member_finds_no_seat(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        for _ in range(3):
            await ana.sit()
        _, refused = await house.sit(ana.key, ana.member_id, ana)
        assert refused.code == "rate_limited"  # type: ignore[union-attr]


async def test_a_place_order_burns_no_number_while_it_is_refused(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        for _ in range(3):
            assert code_of(await ana.ask(PlaceOrder((), 0.0))) == "cart_empty"
        await ana.add()
        await ana.order()
        assert (await ana.sees("cart_locked")).order_id == "ORD-7-1"  # type: ignore[union-attr]


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


async def test_a_menu_change_in_a_failed_batch_reaches_the_table_with_the_next_one(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = faulty(inline)
        async with open_house(store=store) as house:
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

    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = Doubtful(inline._connection)
        store.before, store.after = [], []
        async with open_house(store=store) as house:
            (ana,) = await sit_down(house, "Ana")
            with pytest.raises(StorageUnavailable):
                await house.change_menu_item(7, 456, available=False, price_minor=None)
            await ana.sees("menu_updated")
            assert code_of(await ana.add()) == "item_unavailable"


async def test_who_left_during_a_failed_batch_is_told_and_who_came_is_seated(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = faulty(inline)
        async with open_house(store=store) as house:
            ana, ben = await sit_down(house, "Ana", "Ben")
            store.before = [StorageUnavailable("full")]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ana.add)
                ben.seat.leave()
                nursery.start_soon(ana.sit)
            presence = ana.all("presence")[-1]
            assert isinstance(presence, Presence)
            assert {one.name: one.online for one in presence.members} == {
                "Ana": True,
                "Ben": False,
            }


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
        async with open_house(ScriptedPos(hang, hang), store=inline) as house:
            (ana,) = await sit_down(house, "Ana")
            (ben,) = await sit_down(house, "Ben", code="demo-2")
            for phone in (ana, ben):
                await phone.add()
                await phone.order()
                await phone.sees("order_processing")
        store = Stuck(inline._connection)
        store.stuck = ana.key
        async with open_house(ScriptedPos(*[hang] * 20), store=store) as house:
            ben.house, ben.closed = house, None
            await ben.sit()
            await ben.sees("cart_unlocked")
            assert trio.current_time() < 62


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


async def test_resolve_now_that_was_not_saved_may_be_tried_again_at_once(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        store = faulty(inline)
        async with open_house(ScriptedPos(hang, accept(0)), store=store) as house:
            (ana,) = await sit_down(house, "Ana")
            await ana.add()
            await ana.order()
            await ana.sees("order_processing", at_least=2)
            store.before = [StorageUnavailable("full")]
            assert code_of(await ana.ask(ResolveNow("n1"))) == "storage_unavailable"
            assert isinstance((await ana.ask(ResolveNow("n1")))[0], Ack)


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


async def test_a_poison_message_is_refused_its_table_is_restored_and_the_neighbours_never_notice(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:

    def poisoned(session: Session, said: Input, context: Context) -> Decision | Refusal:
        command = getattr(said, "command", None)
        if isinstance(command, AddItem) and command.note == "poison":
            raise ZeroDivisionError
        return decide(session, said, context)

    monkeypatch.setattr("comanda.actors.dining_session.decide", poisoned)
    async with open_house() as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        (cem,) = await sit_down(house, "Cem", code="demo-2")
        await ana.add()
        answers: list[object] = []

        async def ask(phone: Phone, note: str) -> None:
            try:
                answers.append(await phone.add(note=note))
            except ActorStopped as stopped:
                answers.append(stopped)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, ana, "poison")
            nursery.start_soon(ask, ben, "harmless")
        (refused,) = [one for one in answers if isinstance(one, tuple)]
        assert code_of(refused) == "bad_message"
        # What was in the batch with it was not done, and may be sent again.
        assert [type(one) for one in answers if not isinstance(one, tuple)] == [ActorStopped]
        await ana.hung_up()
        await ben.hung_up()
        assert cem.closed is None
        ana.closed = ben.closed = None
        await ana.sit()
        await ben.sit()
        await ben.add(note="harmless")
        assert [one.note for one in (await ana.snapshot()).items] == ["", "harmless"]
