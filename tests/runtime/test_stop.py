"""Ask, deadline, force."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import (
    ActorCrashed,
    ActorEnded,
    ActorOverstayed,
    ActorStopped,
    Envelope,
)
from tests.runtime.helpers import (
    Deed,
    Doer,
    House,
    Slot,
    crash,
    hang,
    note,
    running,
    sealed,
    wait_for,
)


@pytest.fixture
def house() -> House:
    return House()


async def test_what_waits_is_worked_off_and_no_guest_is_let_in(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(wait_for(release))
        await trio.testing.wait_all_tasks_blocked()
        waiting = [sealed(note(number)) for number in range(100)]
        for envelope, _ in waiting:
            ref.send(envelope)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.stop, 5)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(ActorStopped):
                ref.tell(note("too late"))
            with pytest.raises(ActorStopped):
                await registry.ref("a")
            with pytest.raises(ActorStopped):
                await registry.ref("new")
            assert registry.statistics().ending == 1
            release.set()
        assert [slot.kind for _, slot in waiting] == list(range(100))
    assert [entry[0] for entry in house.journal[-2:]] == ["stop", "end"]


async def test_all_are_asked_together_under_one_deadline(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(4)

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry:
        for number in range(50):
            await registry.ref(str(number))
        began = trio.current_time()
        await registry.stop(5)
        assert trio.current_time() - began == pytest.approx(4)
    assert {event.reason for event in house.seen(ActorEnded)} == {"stopped"}


async def test_an_actor_that_hangs_in_its_batch_is_forced(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        held, held_slot = sealed(hang)
        ref.send(held)
        await trio.testing.wait_all_tasks_blocked()
        waiting, waiting_slot = sealed(note("never"))
        ref.send(waiting)
        began = trio.current_time()
        await registry.stop(5)
        assert trio.current_time() - began == pytest.approx(5)
        assert held_slot.kind is ActorCrashed
        assert waiting_slot.kind is ActorStopped
    assert house.of("stop") == []
    assert len(house.of("end")) == 1
    assert house.seen(ActorEnded)[0].reason == "forced"


async def test_an_actor_that_hangs_in_on_stop_is_forced(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_stop = hang
    async with running(house.registry()) as registry:
        await registry.ref("a")
        began = trio.current_time()
        await registry.stop(5)
        assert trio.current_time() - began == pytest.approx(5)


async def test_an_actor_that_stops_itself_is_bounded_too(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop(doer: Doer) -> None:
        doer.context.stop()

    house.on_stop = hang
    async with running(house.registry(stop_deadline_seconds=3)) as registry:
        await registry.ask("a", stop)
        await trio.sleep(4)
        assert registry.statistics().children == ()


async def test_one_that_shields_itself_is_reported_and_waited_for_its_callers_not(
    house: House, autojump_clock: MockClock
) -> None:
    async def shield(_: Doer) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)

    async def start_shielded(doer: Doer) -> None:
        doer.context.start_task(shield, doer)
        await trio.sleep_forever()

    slots: dict[str, list[Slot]] = {"a": [], "b": []}
    async with running(house.registry()) as registry:
        for key, deed in (("a", shield), ("b", start_shielded)):
            ref = await registry.ref(key)
            for each in (deed, note("second")):
                envelope, slot = sealed(each)
                ref.send(envelope)
                slots[key].append(slot)
                await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.stop, 5)
            await trio.sleep(7)
            for held, waiting in slots.values():
                assert held.kind is ActorCrashed
                assert waiting.kind is ActorStopped
        assert trio.current_time() - began == pytest.approx(60)
    assert {event.key for event in house.seen(ActorOverstayed)} == {"a", "b"}


async def test_a_start_is_cut_off_by_a_stop(house: House, autojump_clock: MockClock) -> None:
    house.on_start = hang
    registry = house.registry()
    async with running(registry), trio.open_nursery() as nursery:

        async def look_up() -> None:
            with pytest.raises(ActorStopped):
                await registry.ref("a")

        nursery.start_soon(look_up)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        await registry.stop(5)
        assert trio.current_time() == began
    assert len(house.of("end")) == 1


async def test_a_restart_that_waits_is_cut_off_by_a_stop(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.testing.wait_all_tasks_blocked(0.001)
        envelope, slot = sealed(note("waits"))
        ref.send(envelope)
        began = trio.current_time()
        await registry.stop(5)
        assert trio.current_time() == began
        assert slot.kind is ActorStopped


async def test_a_stop_during_passivation_lets_nothing_be_activated_again(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry, trio.open_nursery() as nursery:
        ref = await registry.ref("a")
        nursery.start_soon(registry.passivate, "a")
        await trio.sleep(1)
        envelope, slot = sealed(note("never"))
        ref.send(envelope)
        await registry.stop(5)
        assert slot.kind is ActorStopped
    assert len(house.of("start")) == 1


async def test_a_stop_right_as_passivation_begins_works_off_what_came(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.passivate, "a")
            nursery.start_soon(registry.stop, 5)
            envelope, slot = sealed(note(1))
            ref.send(envelope)
        assert slot.kind in (1, ActorStopped)
    assert len(house.of("start")) == 1


async def test_a_crash_during_a_stop_is_not_restarted(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()

    async def crash_late(_: Doer) -> None:
        await release.wait()
        raise ValueError

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(crash_late)
        await trio.testing.wait_all_tasks_blocked()
        envelope, slot = sealed(note("waits"))
        ref.send(envelope)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(registry.stop, 5)
            await trio.testing.wait_all_tasks_blocked()
            release.set()
        assert slot.kind is ActorStopped
    assert len(house.of("start")) == 1


async def test_child_tasks_live_until_on_stop_is_through(
    house: House, autojump_clock: MockClock
) -> None:
    async def live(doer: Doer) -> None:
        try:
            await trio.sleep_forever()
        finally:
            doer.house.journal.append(("task ended",))

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(live, doer)

    async def stop_slowly(doer: Doer) -> None:
        await trio.sleep(1)
        doer.house.journal.append(("stopped",))

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry:
        await registry.ask("a", start_it)
    kinds = [entry[0] for entry in house.journal]
    assert kinds == ["start", "stop", "stopped", "task ended", "end"]


async def test_a_cancelled_stop_still_ends_the_actors_by_the_deadline(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_stop = hang
    async with running(house.registry()) as registry:
        await registry.ref("a")
        with trio.move_on_after(1):
            await registry.stop(5)
        await trio.sleep(4.5)
        assert registry.statistics().children == ()


async def test_a_cancelled_registry_answers_everything(
    house: House, autojump_clock: MockClock
) -> None:
    registry = house.registry()
    slots: list[Slot] = []
    async with trio.open_nursery() as nursery:
        await nursery.start(registry.run)
        ref = await registry.ref("a")
        deeds: list[Deed] = [hang, note("waits")]
        for deed in deeds:
            slots.append(Slot())
            ref.send(Envelope(deed, slots[-1]))
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert [slot.kind for slot in slots] == [ActorCrashed, ActorStopped]
    assert len(house.of("end")) == 1
    with pytest.raises(ActorStopped):
        await registry.ref("a")
    await registry.stop(1)
