"""Faults under an actor and in it: nothing is told that is not durable, and the table goes on."""

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    Presence,
    ResolveNow,
)
from comanda.actors.ports import (
    CommitUnknown,
    StorageUnavailable,
)
from comanda.actors.sayings import Answer, Sit
from comanda.actors.seating import take_seat
from comanda.runtime import ActorStopped
from comanda.storage.inline import open_inline
from tests.actors.faults import open_faulty_house, poison
from tests.actors.table import (
    MARGHERITA,
    RESTAURANT,
    Phone,
    ScriptedPos,
    accept,
    code_of,
    hang,
    open_house,
    sit_down,
)


async def test_nothing_is_told_and_nothing_changes_when_storage_takes_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
        ana, ben = await sit_down(house, "Ana", "Ben")
        before = await ana.snapshot()
        told = len(ben.told)
        store.before = [StorageUnavailable("full")]
        assert code_of(await ana.add(request_id="r1")) == "storage_unavailable"
        assert await ana.snapshot() == before
        assert len(ben.told) == told
        assert await ana.add(request_id="r1") == (Ack("r1", before.seq + 1),)


async def test_what_is_durable_is_acknowledged_again_though_what_came_with_it_was_not_saved(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
        ana, ben = await sit_down(house, "Ana", "Ben")
        acked = await ana.add(request_id="r1")
        answers: dict[str, Answer] = {}

        async def add(phone: Phone, request_id: str) -> None:
            answers[request_id] = await phone.add(request_id=request_id)

        store.before = [StorageUnavailable("full")]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(add, ana, "r1")
            nursery.start_soon(add, ben, "r2")
        assert store.before == []
        assert answers["r1"] == acked
        assert code_of(answers["r2"]) == "storage_unavailable"
        assert len((await ana.snapshot()).items) == 1


async def test_after_a_commit_of_unknown_outcome_the_table_is_restored_to_what_is_durable(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
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


async def test_nobody_is_seated_by_an_activation_that_finds_itself_fenced(
    autojump_clock: MockClock,
) -> None:
    with open_inline() as inline:
        await inline.install((RESTAURANT,), "menu")
        async with open_house(store=inline) as house:
            ana, ben = await sit_down(house, "Ana", "Ben")
            await inline.activate(ana.key)  # another server takes the session over
            late = Phone(house, ben.key, ben.member_id)
            ana.ref.tell(ByMember(ana.member_id, AddItem(MARGHERITA, 1)))
            with pytest.raises(
                ActorStopped
            ):  # in one batch with it: nothing lets the actor in between
                await take_seat(ana.ref, Sit(ben.member_id, late), 60)
            assert late.told == []


async def test_who_left_during_a_failed_batch_is_told_and_who_came_is_seated(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house() as (house, store):
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


async def test_resolve_now_that_was_not_saved_may_be_tried_again_at_once(
    autojump_clock: MockClock,
) -> None:
    async with open_faulty_house(ScriptedPos(hang, accept(0))) as (house, store):
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("order_processing", at_least=2)
        store.before = [StorageUnavailable("full")]
        assert code_of(await ana.ask(ResolveNow("n1"))) == "storage_unavailable"
        assert isinstance((await ana.ask(ResolveNow("n1")))[0], Ack)


async def test_a_poison_message_is_refused_its_table_is_restored_and_the_neighbours_never_notice(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch)
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
