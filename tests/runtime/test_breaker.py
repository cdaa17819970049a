from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import (
    ActorCrashed,
    ActorQuarantined,
    ActorStopped,
    BreakerPolicy,
    Outage,
    OutageBegan,
    OutageEnded,
    ProbeFailed,
    RestartPolicy,
)
from tests.runtime.helpers import Doer, House, adopt, crash, note, running, sealed

POLICY = BreakerPolicy(
    probe_timeout_seconds=2,
    backoff_start_seconds=1,
    backoff_factor=2,
    backoff_max_seconds=8,
    spread_seconds=0,
)


class Ground:
    """What actors stand on, there or gone."""

    def __init__(self) -> None:
        self.gone = False
        self.hangs = False
        self.probes: list[float] = []

    async def probe(self) -> None:
        self.probes.append(trio.current_time())
        if self.hangs:
            await trio.sleep_forever()
        await self.step()

    async def step(self, _: Doer | None = None) -> None:
        await trio.lowlevel.checkpoint()
        if self.gone:
            raise Outage("The disk is gone.")


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def ground() -> Ground:
    return Ground()


async def test_an_outage_holds_all_until_a_probe_succeeds(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    house.on_start = ground.step
    registry = house.registry(probe=ground.probe, breaker_policy=POLICY)
    async with running(registry):
        ref = await registry.ref("a")
        await ref.ask(adopt("cart"), timeout_seconds=1)
        ground.gone = True
        held, held_slot = sealed(ground.step)
        ref.send(held)
        await trio.testing.wait_all_tasks_blocked()
        assert held_slot.kind is ActorCrashed
        for refused in (registry.ref("a"), registry.ref("new")):
            with pytest.raises(Outage):
                await refused
        with pytest.raises(Outage):
            ref.tell(note(1))
        statistics = registry.statistics()
        assert (statistics.outage, statistics.held) == (True, 1)
        assert ref.view == "cart"
        await trio.sleep(2)
        ground.gone = False
        await trio.sleep(2)
        assert await ref.ask(note("back"), timeout_seconds=1) == "back"
        await registry.ref("new")
        assert not registry.statistics().outage
    assert house.of("did") == [("did", "back", 2)]
    assert [type(event) for event in house.events[1:] if "Actor" not in type(event).__name__] == [
        OutageBegan,
        ProbeFailed,
        OutageEnded,
    ]
    assert house.seen(OutageEnded)[0].seconds == pytest.approx(3)


async def test_probes_come_with_backoff_and_are_bounded_in_time(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    registry = house.registry(probe=ground.probe, breaker_policy=POLICY)
    async with running(registry):
        ref = await registry.ref("a")
        ground.gone = ground.hangs = True
        began = trio.current_time()
        ref.tell(ground.step)
        await trio.sleep(40)
        moments = [moment - began for moment in ground.probes]
        # Each hanging probe takes its two seconds, then the backoff.
        assert moments == pytest.approx([1, 5, 11, 21, 31])


async def test_an_outage_is_no_restart_and_never_leads_to_quarantine(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    registry = house.registry(
        probe=ground.probe, breaker_policy=POLICY, policy=RestartPolicy(intensity=0)
    )
    async with running(registry):
        ref = await registry.ref("a")
        for _ in range(10):
            ground.gone = True
            ref.tell(ground.step)
            await trio.testing.wait_all_tasks_blocked()
            ground.gone = False
            await trio.sleep(20)
        assert await ref.ask(note("well"), timeout_seconds=1) == "well"
        assert registry.statistics().children[0].restarts == 0
    assert house.seen(ActorQuarantined) == []


async def test_an_outage_found_on_the_way_up_is_told_to_the_callers(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    house.on_start = ground.step
    ground.gone = True
    registry = house.registry(probe=ground.probe, breaker_policy=POLICY)
    heard = []
    async with running(registry):

        async def look_up() -> None:
            with pytest.raises(Outage):
                await registry.ref("a")
            heard.append("outage")

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(look_up)
        assert registry.statistics().children == ()
        ground.gone = False
        await trio.sleep(2)
        await registry.ref("a")
    assert len(heard) == 3
    assert len(house.of("start")) == 2


async def test_neighbours_that_live_go_on_during_an_outage(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    async with running(house.registry(probe=ground.probe, breaker_policy=POLICY)) as registry:
        neighbour = await registry.ref("b")
        ref = await registry.ref("a")
        ground.gone = True
        ref.tell(ground.step)
        await trio.sleep(1)
        assert await neighbour.ask(note("well"), timeout_seconds=1) == "well"


async def test_what_waits_for_a_restart_when_an_outage_begins_is_told_so(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    policy = RestartPolicy(backoff_start_seconds=5, backoff_max_seconds=5)
    registry = house.registry(probe=ground.probe, breaker_policy=POLICY, policy=policy)
    async with running(registry):
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.testing.wait_all_tasks_blocked()
        envelope, slot = sealed(note("waits"))
        ref.send(envelope)
        ground.gone = True
        (await registry.ref("b")).tell(ground.step)
        await trio.sleep(6)
        assert slot.kind is Outage
        ground.gone = False
        await trio.sleep(10)
        assert await ref.ask(note("well"), timeout_seconds=1) == "well"


async def test_an_outage_in_a_child_task_is_an_outage_too(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    async def also_fails() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("on the way down")

    async def start_it(doer: Doer) -> None:
        ground.gone = True
        doer.context.start_task(also_fails)
        doer.context.start_task(ground.step)

    registry = house.registry(probe=ground.probe, breaker_policy=POLICY)
    async with running(registry):
        await registry.ask("a", start_it)
        await trio.testing.wait_all_tasks_blocked()
        assert registry.statistics().outage
        assert registry.statistics().held == 1


async def test_an_outage_that_comes_back_at_once_goes_on_with_the_backoff(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    async def lying_probe() -> None:
        await trio.lowlevel.checkpoint()
        ground.probes.append(trio.current_time())

    ground.gone = False
    house.on_start = ground.step
    registry = house.registry(probe=lying_probe, breaker_policy=POLICY)
    async with running(registry):
        ref = await registry.ref("a")
        ground.gone = True
        began = trio.current_time()
        ref.tell(ground.step)
        await trio.sleep(30)
        assert [moment - began for moment in ground.probes] == pytest.approx([1, 3, 7, 15, 23])


async def test_without_a_probe_the_next_start_finds_out(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    house.on_start = ground.step
    async with running(house.registry(breaker_policy=POLICY)) as registry:
        ref = await registry.ref("a")
        ground.gone = True
        ref.tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        ground.gone = False
        await trio.sleep(1.5)
        assert await ref.ask(note("well"), timeout_seconds=1) == "well"


async def test_held_children_come_back_spread_in_time(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    numbers = iter([0.1, 0.9])
    registry = house.registry(
        probe=ground.probe,
        breaker_policy=BreakerPolicy(backoff_start_seconds=1, spread_seconds=10),
        random=lambda: next(numbers),
    )
    async with running(registry):
        refs = [await registry.ref(key) for key in "ab"]
        ground.gone = True
        began = trio.current_time()
        refs[0].tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        refs[1].tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        ground.gone = False
        await trio.sleep(20)
        starts = [start[3] - began for start in house.of("start")]  # type: ignore[operator]
        assert starts == pytest.approx([0, 0, 2, 10])


async def test_what_comes_in_while_children_come_back_waits_for_them(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    policy = BreakerPolicy(backoff_start_seconds=1, spread_seconds=10)
    registry = house.registry(probe=ground.probe, breaker_policy=policy, random=lambda: 0.5)
    async with running(registry):
        ref = await registry.ref("a")
        ground.gone = True
        ref.tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        ground.gone = False
        await trio.sleep(2)
        assert await ref.ask(note("waited"), timeout_seconds=10) == "waited"


async def test_no_idle_actor_is_unloaded_for_one_that_an_outage_refuses(
    house: House, ground: Ground, autojump_clock: MockClock
) -> None:
    registry = house.registry(probe=ground.probe, breaker_policy=POLICY, max_live=2)
    async with running(registry):
        await registry.ref("idle")
        ground.gone = True
        (await registry.ref("a")).tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Outage):
            await registry.ref("new")
        assert registry.live("idle") is not None


@pytest.mark.parametrize("seconds", [0.5, 1.5])
async def test_a_held_child_stops_at_once(
    house: House, ground: Ground, autojump_clock: MockClock, seconds: float
) -> None:
    policy = BreakerPolicy(backoff_start_seconds=1, spread_seconds=10)
    registry = house.registry(probe=ground.probe, breaker_policy=policy, random=lambda: 0.9)
    async with running(registry):
        ref = await registry.ref("a")
        ground.gone = True
        ref.tell(ground.step)
        await trio.testing.wait_all_tasks_blocked()
        ground.gone = False
        await trio.sleep(seconds)
        began = trio.current_time()
        await registry.stop(100)
        assert trio.current_time() == began
        with pytest.raises(ActorStopped):
            ref.tell(note(1))
