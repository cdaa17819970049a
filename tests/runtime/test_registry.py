"""Finding, activating, and the bounds on how many are live."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import (
    ActorEnded,
    ActorStopped,
    AskTimeout,
    Quarantined,
    Registry,
    RestartPolicy,
    TooManyActors,
)
from tests.runtime.helpers import (
    Deed,
    Doer,
    House,
    adopt,
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


def group_of(key: str) -> str:
    return key[0]


class NoSuchSession(Exception):
    pass


async def test_a_hundred_callers_at_once_share_one_activation(
    house: House, autojump_clock: MockClock
) -> None:
    async def start_slowly(_: Doer) -> None:
        await trio.sleep(1)

    house.on_start = start_slowly
    refs = []
    async with running(house.registry()) as registry:

        async def look_up() -> None:
            refs.append(await registry.ref("a"))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(look_up)
            await trio.testing.wait_all_tasks_blocked()
            assert registry.statistics().activating == 1
            assert registry.live("a") is None
        assert len(refs) == 100
        assert set(refs) == {refs[0]}
        assert registry.statistics().activations_total == 1
    assert len(house.of("start")) == 1


async def test_a_cancelled_caller_does_not_cancel_the_shared_activation(
    house: House, autojump_clock: MockClock
) -> None:
    async def start_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_start = start_slowly
    async with running(house.registry()) as registry, trio.open_nursery() as nursery:
        nursery.start_soon(registry.tell, "a", note("heard"))
        with trio.move_on_after(1) as patience:
            await registry.ref("a")
        assert patience.cancelled_caught
        assert await registry.ask("a", note("also heard")) == "also heard"
    assert len(house.of("start")) == 1
    assert len(house.of("did")) == 2


async def test_an_activation_that_all_callers_left_still_comes_up(
    house: House, autojump_clock: MockClock
) -> None:
    async def start_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_start = start_slowly
    async with running(house.registry()) as registry:
        with trio.move_on_after(1):
            await registry.ref("a")
        await trio.sleep(2)
        assert registry.live("a") is not None


async def test_a_caller_waits_no_longer_than_the_bound(
    house: House, autojump_clock: MockClock
) -> None:
    house.on_start = hang
    registry = house.registry(start_deadline_seconds=30, activation_wait_seconds=4)
    async with running(registry):
        began = trio.current_time()
        with pytest.raises(AskTimeout):
            await registry.ref("a")
        assert trio.current_time() - began == pytest.approx(4)


async def test_an_ask_has_one_deadline_for_activation_and_answer(
    house: House, autojump_clock: MockClock
) -> None:
    async def start_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_start = start_slowly
    async with running(house.registry()) as registry:
        began = trio.current_time()
        with pytest.raises(AskTimeout):
            await registry.ask("a", hang, timeout_seconds=3)
        assert trio.current_time() - began == pytest.approx(3)


async def test_a_refusal_is_passed_to_the_callers_as_it_is_and_counts_as_nothing(
    house: House, autojump_clock: MockClock
) -> None:
    refusal = NoSuchSession("a")
    house.on_start = crash(refusal)
    heard = []
    registry = house.registry(refusals=(NoSuchSession,), policy=RestartPolicy(intensity=0))
    async with running(registry):

        async def look_up() -> None:
            with pytest.raises(NoSuchSession) as caught:
                await registry.ref("a")
            heard.append(caught.value)

        for _ in range(3):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(look_up)
                nursery.start_soon(look_up)
        assert registry.statistics().children == ()
        assert registry.statistics().quarantined == 0
    assert all(error is refusal for error in heard)
    assert len(heard) == 6
    assert len(house.of("start")) == 3
    assert {event.reason for event in house.seen(ActorEnded)} == {"refused"}


async def test_a_refusal_at_a_restart_is_told_to_those_who_wait(
    house: House, autojump_clock: MockClock
) -> None:
    async def refuse_second(doer: Doer) -> None:
        if doer.context.incarnation == 2:
            raise NoSuchSession

    house.on_start = refuse_second
    async with running(house.registry(refusals=(NoSuchSession,))) as registry:
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(NoSuchSession):
            await ref.ask(note("waits"), timeout_seconds=5)
        with pytest.raises(ActorStopped):
            ref.tell(note("too late"))


async def test_the_same_exception_from_a_message_is_a_crash(
    house: House, autojump_clock: MockClock
) -> None:
    registry = house.registry(refusals=(NoSuchSession,), policy=RestartPolicy(intensity=0))
    async with running(registry):
        (await registry.ref("a")).tell(crash(NoSuchSession()))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Quarantined):
            await registry.ref("a")


async def test_an_actor_that_stops_itself_on_its_way_up_is_told_to_the_caller(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop(doer: Doer) -> None:
        doer.context.stop()

    house.on_start = stop
    async with running(house.registry()) as registry:
        with pytest.raises(ActorStopped):
            await registry.ref("a")
    assert len(house.of("start")) == 1


async def test_who_asks_for_an_actor_that_is_stopping_gets_the_next_one(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop(doer: Doer) -> None:
        doer.context.stop()

    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(2)

    house.on_stop = stop_slowly
    async with running(house.registry()) as registry:
        await registry.ask("a", stop)
        assert await registry.ask("a", note("next")) == "next"
    assert [entry[0] for entry in house.journal][:5] == ["start", "stop", "end", "start", "did"]


async def test_the_bound_on_live_actors_refuses_when_none_is_idle(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    async with running(house.registry(max_live=2)) as registry:
        for key in "ab":
            (await registry.ref(key)).tell(wait_for(release))
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(TooManyActors):
            await registry.ref("c")
        assert registry.statistics().live == 2
        release.set()


async def test_the_longest_idle_makes_room(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry(max_live=3)) as registry:
        for key in "abc":
            await registry.ref(key)
            await trio.sleep(1)
        await registry.ref("a")  # which is a sign of life
        await trio.sleep(1)
        await registry.ref("d")
        assert sorted(str(ref.key) for ref in registry.refs()) == ["a", "c", "d"]
    assert house.of("stop")[0] == ("stop", "b")


async def test_room_is_not_made_of_actors_that_may_not_passivate(
    house: House, autojump_clock: MockClock
) -> None:
    house.may_passivate = lambda doer: doer.key == "b"
    async with running(house.registry(max_live=2)) as registry:
        await registry.ref("a")
        await registry.ref("b")
        await registry.ref("c")
        with pytest.raises(TooManyActors):
            await registry.ref("d")
        assert sorted(str(ref.key) for ref in registry.refs()) == ["a", "c"]


async def test_never_more_are_up_than_the_bound_while_room_is_made(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(1)

    house.on_stop = stop_slowly
    async with running(house.registry(max_live=2)) as registry:
        async with trio.open_nursery() as nursery:
            for key in ["a", "b"]:
                nursery.start_soon(registry.ref, key)
        async with trio.open_nursery() as nursery:
            for key in ["c", "d"]:
                nursery.start_soon(registry.ref, key)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(TooManyActors):
                await registry.ref("e")
    up = 0
    for entry in house.journal:
        up += {"start": 1, "end": -1}.get(str(entry[0]), 0)
        assert up <= 2
    assert len(house.of("start")) == 4


async def test_an_actor_wanted_again_whose_room_is_gone_is_refused_room(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(1)

    house.on_stop = stop_slowly
    async with running(house.registry(max_live=1)) as registry, trio.open_nursery() as nursery:
        ref = await registry.ref("a")
        nursery.start_soon(registry.ref, "b")
        await trio.testing.wait_all_tasks_blocked()
        envelope, slot = sealed(note("too late"))
        ref.send(envelope)
        await trio.sleep(1)
        await trio.testing.wait_all_tasks_blocked()
        assert slot.kind is TooManyActors
        assert [str(ref.key) for ref in registry.refs()] == ["b"]
    assert house.of("did") == []


@pytest.mark.parametrize(
    "bounds", [{"max_live": 2}, {"max_live_per_group": 2}], ids=["all", "group"]
)
async def test_an_actor_on_its_way_out_for_another_takes_up_no_room(
    house: House, autojump_clock: MockClock, bounds: dict[str, int]
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(1)

    async def stop(doer: Doer) -> None:
        doer.context.stop()

    house.on_stop = stop_slowly
    house.may_passivate = lambda doer: doer.key == "a"
    async with running(house.registry(**bounds)) as registry, trio.open_nursery() as nursery:
        await registry.ask("b", stop)
        await trio.sleep(0.5)
        await registry.ref("a")
        nursery.start_soon(registry.ref, "c")  # a leaves for c
        await trio.sleep(0.75)  # b is gone, a and c are there
        began = trio.current_time()
        await registry.ref("d")
        assert trio.current_time() == began


async def test_an_actor_wanted_again_takes_the_room_of_another_idle_one(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_slowly(_: Doer) -> None:
        await trio.sleep(1)

    house.on_stop = stop_slowly
    async with running(house.registry(max_live=2)) as registry, trio.open_nursery() as nursery:
        ref = await registry.ref("a")
        await trio.sleep(1)
        await registry.ref("x")
        nursery.start_soon(registry.ref, "b")
        await trio.testing.wait_all_tasks_blocked()
        assert await ref.ask(note("again"), timeout_seconds=10) == "again"
        assert sorted(str(ref.key) for ref in registry.refs()) == ["a", "b"]
    assert len(house.of("start")) == 4


async def test_the_bound_on_a_group_shuts_no_other_group_out(
    house: House, autojump_clock: MockClock
) -> None:
    house.may_passivate = lambda _: False
    registry = house.registry(max_live=4, max_live_per_group=2, group_of=group_of)
    async with running(registry):
        for key in ("a1", "a2", "b1"):
            await registry.ref(key)
        with pytest.raises(TooManyActors, match="group"):
            await registry.ref("a3")
        await registry.ref("b2")
        with pytest.raises(TooManyActors, match="4 live"):
            await registry.ref("c1")
        assert sorted(str(ref.key) for ref in registry.refs("a")) == ["a1", "a2"]
        assert registry.refs("nobody") == []
        assert len(registry.refs()) == 4


async def test_a_full_group_makes_room_among_its_own(
    house: House, autojump_clock: MockClock
) -> None:
    registry = house.registry(max_live_per_group=1, group_of=group_of)
    async with running(registry):
        for key in ("b1", "a1", "a2"):
            await registry.ref(key)
            await trio.sleep(1)
        assert sorted(str(ref.key) for ref in registry.refs()) == ["a2", "b1"]


async def test_a_big_house_searches_in_turn_for_an_idle_one(
    house: House, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comanda.runtime.rooms.SEARCH_MAX_ACTORS", 2)
    house.may_passivate = lambda doer: doer.key == "d"
    async with running(house.registry(max_live=4)) as registry:
        for key in "abcd":
            await registry.ref(key)
        with pytest.raises(TooManyActors):
            await registry.ref("e")  # looked at a and b
        await registry.ref("e")  # looked at c and d


async def test_live_activates_nothing(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry()) as registry:
        assert registry.live("a") is None
        ref = await registry.ref("a")
        assert registry.live("a") is ref
        await ref.ask(adopt("cart"), timeout_seconds=1)
        assert [live.view for live in registry.refs()] == ["cart"]
        assert len(house.of("start")) == 1


async def test_statistics_tell_depths_and_ages(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        await trio.sleep(2)
        assert registry.statistics().children[0].idle_seconds == pytest.approx(2)
        ref.tell(hang)
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(note("waits"))
        await trio.sleep(3)
        (child,) = registry.statistics().children
        assert child.mailbox.depth == 1
        assert child.age_seconds == pytest.approx(5)
        await registry.stop(0)


async def test_a_stop_returns_when_the_registry_has_run_its_course(house: House) -> None:
    registry = house.registry()
    over = trio.Event()

    async def run(*, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await registry.run(task_status=task_status)
        over.set()

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        await registry.stop(1)
        assert over.is_set()


async def test_a_registry_runs_once(house: House) -> None:
    registry: Registry[str, Deed] = house.registry()
    with pytest.raises(RuntimeError, match="not run yet"):
        await registry.ref("a")
    await registry.stop(1)
    async with running(registry):
        pass
    with pytest.raises(RuntimeError, match="once"):
        await registry.run()
    with pytest.raises(ActorStopped):
        await registry.ref("a")
    await registry.stop(1)


@pytest.mark.parametrize("bounds", [{"max_live": 0}, {"max_live_per_group": 0}])
def test_a_registry_without_room_is_not_made(house: House, bounds: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        house.registry(**bounds)
