"""Crashes, restarts and quarantine, through the registry as the product meets them."""

from __future__ import annotations

from contextvars import ContextVar

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import (
    ActorCrashed,
    ActorEnded,
    ActorFailed,
    ActorQuarantined,
    ActorStarted,
    ActorStopped,
    ChildState,
    Quarantined,
    QuarantineEnded,
    RestartPolicy,
    Supervisor,
)
from tests.runtime.helpers import Deed, Doer, House, adopt, crash, note, running, sealed

POLICY = RestartPolicy(
    intensity=2,
    window_seconds=60,
    backoff_start_seconds=1,
    backoff_factor=3,
    backoff_max_seconds=10,
    quarantine_seconds=100,
)


@pytest.fixture
def house() -> House:
    return House()


async def test_restarts_wait_longer_each_time(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        ref = await registry.ref("a")
        began = trio.current_time()
        ref.tell(crash())
        await trio.sleep(2)
        ref.tell(crash())
        await trio.sleep(10)
        starts = [start[3] - began for start in house.of("start")]  # type: ignore[operator]
        assert starts == pytest.approx([0, 1, 5])
        (child,) = registry.statistics().children
        assert (child.restarts, child.incarnation, child.state) == (2, 3, ChildState.LIVE)
    assert [event.restart_in_seconds for event in house.seen(ActorFailed)] == [1, 3]
    assert [event.incarnation for event in house.seen(ActorStarted)] == [1, 2, 3]


async def test_what_comes_in_during_a_restart_waits_for_the_next_incarnation(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.sleep(0.5)
        assert ref.alive
        assert registry.statistics().restarting == 1
        assert await ref.ask(note("waited"), timeout_seconds=5) == "waited"
    assert house.of("did") == [("did", "waited", 2)]


async def test_what_waits_for_a_restart_survives_a_start_that_crashes(
    house: House, autojump_clock: MockClock
) -> None:
    async def crash_once(doer: Doer) -> None:
        if doer.context.incarnation == 2:
            raise KeyError

    house.on_start = crash_once
    async with running(house.registry(policy=POLICY)) as registry:
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.sleep(0.5)
        assert await ref.ask(note("waited"), timeout_seconds=10) == "waited"
    assert house.of("did") == [("did", "waited", 3)]


async def test_over_the_intensity_is_quarantine_and_callers_hear_so_at_once(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        ref = await registry.ref("a")
        for _ in range(2):
            ref.tell(crash())
            await trio.sleep(5)
        crashing, crashing_slot = sealed(crash())
        ref.send(crashing)
        await trio.testing.wait_all_tasks_blocked()
        assert crashing_slot.kind is ActorCrashed
        assert not ref.alive
        with pytest.raises(Quarantined) as refusal:
            ref.tell(note(1))
        assert refusal.value.seconds_left == pytest.approx(100)
        await trio.sleep(40)
        with pytest.raises(Quarantined) as refusal:
            await registry.ref("a")
        assert refusal.value.seconds_left == pytest.approx(60)
        assert registry.live("a") is None
        statistics = registry.statistics()
        assert (statistics.quarantined, statistics.live) == (1, 0)
    assert house.seen(ActorQuarantined) == [ActorQuarantined("a", 100)]
    assert len(house.of("start")) == 3


async def test_what_waits_when_quarantine_begins_is_told_so(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()

    async def crash_late(_: Doer) -> None:
        await release.wait()
        raise ValueError

    async with running(house.registry(policy=RestartPolicy(intensity=0))) as registry:
        ref = await registry.ref("a")
        held, held_slot = sealed(crash_late)
        ref.send(held)
        await trio.testing.wait_all_tasks_blocked()
        waiting, waiting_slot = sealed(note("never"))
        ref.send(waiting)
        release.set()
        await trio.testing.wait_all_tasks_blocked()
        assert held_slot.kind is ActorCrashed
        assert waiting_slot.kind is Quarantined


async def test_after_its_quarantine_an_actor_is_activated_with_a_clean_count(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        old = await registry.ref("a")
        for _ in range(3):
            old.tell(crash())
            await trio.sleep(5)
        await trio.sleep(100)
        with pytest.raises(ActorStopped):
            old.tell(note(1))
        ref = await registry.ref("a")
        assert await ref.ask(note("again"), timeout_seconds=1) == "again"
        ref.tell(crash())
        await trio.sleep(5)
        assert await ref.ask(note("restarted"), timeout_seconds=1) == "restarted"
    assert house.seen(QuarantineEnded) == [QuarantineEnded("a")]


async def test_quarantines_that_are_over_are_forgotten_unasked(
    house: House, autojump_clock: MockClock
) -> None:
    policy = RestartPolicy(intensity=0, quarantine_seconds=100)
    async with running(house.registry(policy=policy)) as registry:
        (await registry.ref("a")).tell(crash())
        await trio.sleep(200)
        assert registry.statistics().quarantined == 0


async def test_quarantines_are_bounded_and_the_first_goes_first(
    house: House, autojump_clock: MockClock
) -> None:
    policy = RestartPolicy(intensity=0, quarantine_seconds=100)
    async with running(house.registry(policy=policy, max_live=2)) as registry:
        for key in "abc":
            (await registry.ref(key)).tell(crash())
            await trio.sleep(1)
        assert registry.statistics().quarantined == 2
        await registry.ref("a")
        for key in "bc":
            with pytest.raises(Quarantined):
                await registry.ref(key)


async def test_crashes_further_apart_than_the_window_are_no_reason_for_quarantine(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        ref = await registry.ref("a")
        for _ in range(10):
            ref.tell(crash())
            await trio.sleep(31)
        assert await ref.ask(note("well"), timeout_seconds=1) == "well"


async def test_a_crash_touches_no_neighbour(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        neighbour = await registry.ref("b")
        await neighbour.ask(adopt("mine"), timeout_seconds=1)
        for _ in range(3):
            (await registry.ref("a")).tell(crash())
            await trio.sleep(5)
            assert await neighbour.ask(note("well"), timeout_seconds=1) == "well"
        with pytest.raises(Quarantined):
            await registry.ref("a")
        assert neighbour.view == "mine"
    assert [start[1] for start in house.of("start")] == ["b", "a", "a", "a"]


async def test_each_child_has_its_own_restart_intensity(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry(policy=POLICY)) as registry:
        for _ in range(2):
            for key in "abcdefgh":
                (await registry.ref(key)).tell(crash())
            await trio.sleep(5)
        for key in "abcdefgh":
            assert await registry.ask(key, note("well")) == "well"
    assert house.seen(ActorQuarantined) == []


async def test_a_normal_end_is_no_restart(house: House, autojump_clock: MockClock) -> None:
    async def stop(doer: Doer) -> None:
        doer.context.stop()

    async with running(house.registry(policy=POLICY)) as registry:
        for _ in range(10):
            await registry.ask("a", stop)
        await trio.testing.wait_all_tasks_blocked()
    assert house.seen(ActorFailed) == []
    assert [event.reason for event in house.seen(ActorEnded)] == ["stopped"] * 10


async def test_a_start_that_keeps_crashing_is_told_to_all_who_wait(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_start = crash()
    heard: list[type[Exception]] = []
    async with running(house.registry(policy=POLICY)) as registry:

        async def look_up() -> None:
            with pytest.raises(ActorCrashed) as refusal:
                await registry.ref("a")
            heard.append(refusal.type)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(look_up)
        with pytest.raises(Quarantined):
            await registry.ref("a")
    assert len(heard) == 5
    assert len(house.of("start")) == 3


async def test_a_start_that_hangs_is_a_crash_at_its_deadline(
    house: House, autojump_clock: MockClock
) -> None:
    async def hang_once(doer: Doer) -> None:
        if doer.context.incarnation == 1:
            await trio.sleep_forever()

    house.on_start = hang_once
    async with running(house.registry(start_deadline_seconds=3)) as registry:
        await registry.ref("a")
    assert house.of("end")[0] == ("end", "a", trio.TooSlowError)


async def test_a_factory_that_raises_is_a_crash() -> None:
    supervisor: Supervisor[Deed] = Supervisor(policy=RestartPolicy(intensity=0))

    def broken() -> Doer:
        raise ValueError

    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        child = supervisor.start_child("a", broken)
        with pytest.raises(ActorCrashed):
            await child.start.wait()
        await supervisor.stop(1)


async def test_an_event_hook_that_raises_is_counted_and_harms_nobody(house: House) -> None:
    def broken(_: object) -> None:
        raise ValueError

    async with running(house.registry(on_event=broken)) as registry:
        assert await registry.ask("a", note("well")) == "well"
        assert registry.statistics().events_lost_total == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_what_is_not_an_actors_fault_passes_through(
    house: House, error: type[BaseException]
) -> None:
    registry = house.registry()
    slots = []

    async def use() -> None:
        await registry.ref("b")
        ref = await registry.ref("a")
        for deed in (crash(error()), note("same batch")):
            envelope, slot = sealed(deed)
            ref.send(envelope)
            slots.append(slot)

    async def live() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            nursery.start_soon(use)

    with pytest.raises(BaseExceptionGroup) as caught:
        await live()
    assert caught.value.subgroup(error) is not None
    assert [slot.kind for slot in slots] == [ActorCrashed, ActorCrashed]
    assert {end[1] for end in house.of("end")} == {"a", "b"}


async def test_a_crash_in_the_moment_of_an_outer_cancellation_swallows_neither(
    house: House, autojump_clock: MockClock
) -> None:
    async def crash_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("on the way down")

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(crash_when_cancelled)

    registry = house.registry()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            await registry.ask("a", start_it)
            scope.cancel()
    assert scope.cancelled_caught
    assert len(house.of("end")) == 1
    assert registry.live("a") is None


async def test_a_supervisor_that_does_not_run_starts_no_child() -> None:
    supervisor: Supervisor[Deed] = Supervisor()
    house = House()
    with pytest.raises(RuntimeError):
        supervisor.start_child("a", lambda: Doer(house, "a"))
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        with pytest.raises(RuntimeError):
            await supervisor.run()
        await supervisor.stop(1)
        await supervisor.stop(1)
    with pytest.raises(RuntimeError):
        supervisor.start_child("a", lambda: Doer(house, "a"))


async def test_a_supervisor_serves_without_a_registry(autojump_clock: MockClock) -> None:
    house = House()
    supervisor: Supervisor[Deed] = Supervisor()
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.run)
        child = supervisor.start_child("a", lambda: Doer(house, "a"))
        await child.start.wait()
        assert await child.ref.ask(note("hello"), timeout_seconds=1) == "hello"
        assert child.may_passivate
        child.begin_passivation()
        await child.ended.wait()
        assert supervisor.children == ()
        await supervisor.stop(1)


async def test_an_actor_does_not_live_in_the_context_of_who_asked_for_it(house: House) -> None:
    asking: ContextVar[str] = ContextVar("asking", default="nobody")
    seen = []

    async def look(_: Doer) -> None:
        seen.append(asking.get())

    house.on_start = look
    async with running(house.registry()) as registry:
        asking.set("a request, with all that it holds")
        await registry.ref("a")
    assert seen == ["nobody"]
