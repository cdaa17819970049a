from __future__ import annotations

import math

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import ActorEnded, ActorFailed, ActorStopped, HookFailed, Outage
from tests.runtime.helpers import Doer, House, crash, hang, note, running, sealed, wait_for


@pytest.fixture
def house() -> House:
    return House()


async def test_an_idle_actor_is_passivated_and_activated_when_asked_for(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(idle_seconds=60)) as registry:
        ref = await registry.ref("a")
        await trio.sleep(59)
        assert registry.live("a") is ref
        await trio.sleep(20)
        assert registry.live("a") is None
        with pytest.raises(ActorStopped):
            ref.tell(note(1))
        assert await registry.ask("a", note("again")) == "again"
    assert [event.reason for event in house.seen(ActorEnded)] == ["passivated", "stopped"]


async def test_messages_and_look_ups_keep_an_actor_awake(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(idle_seconds=60)) as registry:
        ref = await registry.ref("a")
        for _ in range(5):
            await trio.sleep(50)
            ref.tell(note("alive"))
            await trio.sleep(50)
            await registry.ref("a")
        assert registry.live("a") is ref
    assert len(house.of("start")) == 1


async def test_an_actor_at_work_is_not_idle(house: House, autojump_clock: MockClock) -> None:
    release = trio.Event()
    async with running(house.registry(idle_seconds=10)) as registry:
        ref = await registry.ref("a")
        ref.tell(wait_for(release))
        await trio.sleep(100)
        assert ref.alive
        assert not await registry.passivate("a")
        release.set()


async def test_an_actor_that_says_no_is_not_passivated(
    house: House, autojump_clock: MockClock
) -> None:
    house.may_passivate = lambda _: False
    async with running(house.registry(idle_seconds=10)) as registry:
        ref = await registry.ref("a")
        await trio.sleep(100)
        assert ref.alive
        assert not await registry.passivate("a")
        assert not await registry.passivate("nobody")


async def test_a_may_passivate_that_raises_says_no(house: House, autojump_clock: MockClock) -> None:
    def broken(_: Doer) -> bool:
        raise ValueError

    house.may_passivate = broken
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        assert not await registry.passivate("a")
        assert ref.alive
    assert [event.hook for event in house.seen(HookFailed)] == ["may_passivate"]


async def test_without_an_idle_time_nothing_is_passivated(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(idle_seconds=math.inf)) as registry:
        ref = await registry.ref("a")
        await trio.sleep(80_000)
        assert ref.alive


async def test_one_look_passivates_a_bounded_number(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comanda.runtime.registry.SWEEP_MAX_PASSIVATIONS", 2)
    async with running(house.registry(idle_seconds=40)) as registry:
        for key in "abc":
            await registry.ref(key)
        await trio.sleep(45)
        assert len(registry.refs()) == 1
        await trio.sleep(10)
        assert registry.refs() == []


async def test_messages_that_arrive_in_on_stop_reach_the_next_activation_once(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_stop = stop_slowly
    async with running(house.registry(mailbox_capacity=3)) as registry:
        ref = await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.sleep(1)
            assert ref.alive
            slots = []
            for number in range(3):
                envelope, slot = sealed(note(number))
                ref.send(envelope)
                slots.append(slot)
        await trio.sleep(1)
        assert [slot.kind for slot in slots] == [0, 1, 2]
        assert registry.live("a") is ref
    assert [did[1:] for did in house.of("did")] == [(0, 2), (1, 2), (2, 2)]
    assert [entry[0] for entry in house.journal][:4] == ["start", "stop", "end", "start"]


async def test_who_looks_up_during_passivation_gets_the_next_activation(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry:
        await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.sleep(1)
            assert await registry.ask("a", note("next")) == "next"
    assert house.of("did") == [("did", "next", 2)]


async def test_who_looked_up_during_passivation_and_left_causes_no_activation(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry:
        await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(1) as patience:
                await registry.ref("a")
            assert patience.cancelled_caught
        assert registry.live("a") is None
    assert len(house.of("start")) == 1


async def test_several_may_ask_for_the_same_passivation(
    house: House, autojump_clock: MockClock
) -> None:
    answers = []
    async with running(house.registry()) as registry:
        await registry.ref("a")

        async def passivate() -> None:
            answers.append(await registry.passivate("a"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(passivate)
            nursery.start_soon(passivate)
    assert answers == [True, True]
    assert len(house.of("stop")) == 1


async def test_an_on_stop_that_hangs_is_forced_and_its_messages_go_on(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_stop = hang
    async with running(house.registry(stop_deadline_seconds=3)) as registry:
        ref = await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.sleep(1)
            assert await ref.ask(note("went on"), timeout_seconds=5) == "went on"
    assert house.seen(ActorEnded)[0].reason == "forced"
    assert house.of("end")[0][2] is trio.TooSlowError


@pytest.mark.parametrize("where", ["on_stop", "child task"])
async def test_a_crash_on_the_way_out_is_reported_and_not_restarted(
    house: House, autojump_clock: MockClock, where: str
) -> None:
    async def crash_later() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError

    async def start_it(doer: Doer) -> None:
        if where == "child task":
            doer.context.start_task(crash_later)

    if where == "on_stop":
        house.on_stop = crash()
    async with running(house.registry()) as registry:
        await registry.ask("a", start_it)
        assert await registry.passivate("a")
        assert registry.live("a") is None
    (failed,) = house.seen(ActorFailed)
    assert failed.restart_in_seconds is None
    assert len(house.of("start")) == 1


async def test_a_child_task_that_crashes_as_passivation_begins_does_not_undo_it(
    house: House, autojump_clock: MockClock
) -> None:
    crashing = trio.Event()

    async def crash_later() -> None:
        await crashing.wait()
        raise ValueError

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(crash_later)

    async with running(house.registry()) as registry:
        await registry.ask("a", start_it)
        async with trio.open_nursery() as nursery:
            crashing.set()
            nursery.start_soon(registry.passivate, "a")
        await trio.testing.wait_all_tasks_blocked()
        assert await registry.ask("a", note("well")) == "well"


async def test_an_outage_found_on_the_way_out_is_told_to_those_who_came(
    house: House, autojump_clock: MockClock
) -> None:
    async def fail(_: Doer) -> None:
        await trio.sleep(1)
        raise Outage("The disk is gone.")

    house.on_stop = fail
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.testing.wait_all_tasks_blocked()
            envelope, slot = sealed(note("never"))
            ref.send(envelope)
        await trio.testing.wait_all_tasks_blocked()
        assert slot.kind is Outage
        assert registry.statistics().children == ()


async def test_what_an_actor_tells_itself_on_its_way_out_is_dropped(
    house: House, autojump_clock: MockClock
) -> None:
    async def tell_self(doer: Doer) -> None:
        doer.context.tell_self(note("late"))
        await trio.sleep(1)

    house.on_stop = tell_self
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            await trio.testing.wait_all_tasks_blocked()
            assert await ref.ask(note("a guest"), timeout_seconds=5) == "a guest"
        await registry.passivate("a")
        assert registry.live("a") is None
    assert [did[1] for did in house.of("did")] == ["a guest"]


async def test_who_waits_for_a_passivation_hears_of_a_cancelled_registry(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_stop = hang
    registry = house.registry()
    async with trio.open_nursery() as outside, trio.open_nursery() as nursery:
        await nursery.start(registry.run)
        await registry.ref("a")
        outside.start_soon(registry.passivate, "a")
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert len(house.of("end")) == 1
