from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.runtime import (
    Actor,
    ActorCrashed,
    ActorStopped,
    AskTimeout,
    Envelope,
    HookFailed,
    MailboxFull,
    Registry,
)
from tests.runtime.helpers import (
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


async def test_an_ask_hears_what_the_actor_returns(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        assert await ref.ask(note("hello"), timeout_seconds=1) == "hello"
        assert ref.key == "a"


async def test_a_tell_is_worked_off_in_order(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        for number in range(200):
            ref.tell(note(number))
        await ref.ask(note("last"), timeout_seconds=1)
    assert [did[1] for did in house.of("did")] == [*range(200), "last"]


async def test_an_ask_has_a_deadline_and_its_late_reply_is_dropped(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        began = trio.current_time()
        with pytest.raises(AskTimeout, match="2 seconds"):
            await ref.ask(wait_for(release), timeout_seconds=2)
        assert trio.current_time() - began == 2
        release.set()
        assert await ref.ask(note("next"), timeout_seconds=1) == "next"


async def test_a_cancelled_ask_leaves_its_message_with_the_actor(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        with trio.CancelScope() as scope:
            scope.cancel()
            await ref.ask(note("said"), timeout_seconds=1)
        await ref.ask(note("next"), timeout_seconds=1)
    assert [did[1] for did in house.of("did")] == ["said", "next"]


async def test_what_a_batch_leaves_unanswered_is_resolved_with_none(
    autojump_clock: MockClock,
) -> None:
    sizes: list[int] = []

    class Mute(Actor[int]):
        max_batch = 3

        async def on_batch(self, batch: list[Envelope[int]]) -> None:
            sizes.append(len(batch))
            batch.pop(0).resolve("answered")
            batch.clear()  # what an actor does to its list is no escape

    async with trio.open_nursery() as nursery:
        registry = Registry[str, int](lambda _: Mute())
        await nursery.start(registry.run)
        ref = await registry.ref("a")
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await ref.ask(1, timeout_seconds=1))

        async with trio.open_nursery() as asking:
            for _ in range(4):
                asking.start_soon(ask)
        await registry.stop(1)
    assert sizes == [3, 1]
    assert answers.count("answered") == 2
    assert answers.count(None) == 2


async def test_an_actor_without_on_message_crashes_on_its_first_message(
    autojump_clock: MockClock,
) -> None:
    async with trio.open_nursery() as nursery:
        registry = Registry[str, int](lambda _: Actor[int]())
        await nursery.start(registry.run)
        with pytest.raises(ActorCrashed):
            await registry.ask("a", 1)
        await registry.stop(1)


async def test_a_crash_answers_the_batch_in_hand_and_what_waits_differently(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()

    async def crash_late(_: Doer) -> None:
        await release.wait()
        raise ValueError

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        envelopes = [sealed(note("done")), sealed(crash_late), sealed(note("in hand"))]
        for envelope, _ in envelopes:
            ref.send(envelope)
        await trio.testing.wait_all_tasks_blocked()
        waiting, waiting_slot = sealed(note("never taken"))
        ref.send(waiting)
        release.set()
        await trio.testing.wait_all_tasks_blocked()
        kinds = [slot.kind for _, slot in envelopes]
        assert kinds == ["done", ActorCrashed, ActorCrashed]
        assert waiting_slot.kind is ActorStopped
    assert [did[1] for did in house.of("did")] == ["done"]


async def test_a_child_task_that_raises_crashes_the_actor(
    house: House, autojump_clock: MockClock
) -> None:
    async def fail() -> None:
        raise ValueError("in a child task")

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(fail)
        await trio.sleep_forever()

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        with pytest.raises(ActorCrashed):
            await ref.ask(start_it, timeout_seconds=1)
        assert await ref.ask(note("again"), timeout_seconds=1) == "again"
    assert house.of("end")[0] == ("end", "a", ValueError)
    assert house.of("did") == [("did", "again", 2)]


async def test_a_crash_ends_the_child_tasks_before_on_end(
    house: House, autojump_clock: MockClock
) -> None:
    async def live(doer: Doer) -> None:
        try:
            await trio.sleep_forever()
        finally:
            doer.house.journal.append(("task ended",))

    async def start_and_crash(doer: Doer) -> None:
        doer.context.start_task(live, doer, name="a child")
        await trio.lowlevel.checkpoint()
        raise ValueError

    async with running(house.registry()) as registry:
        with pytest.raises(ActorCrashed):
            await registry.ask("a", start_and_crash)
    kinds = [entry[0] for entry in house.journal]
    assert kinds[:3] == ["start", "task ended", "end"]


async def test_several_failures_at_once_are_one_crash(
    house: House, autojump_clock: MockClock
) -> None:
    both = trio.Event()

    async def fail() -> None:
        try:
            await both.wait()
        finally:
            raise KeyError("one more on the way down")

    async def start_them(doer: Doer) -> None:
        doer.context.start_task(fail)
        doer.context.start_task(fail)
        await trio.lowlevel.checkpoint()
        raise ValueError

    async with running(house.registry()) as registry:
        with pytest.raises(ActorCrashed):
            await registry.ask("a", start_them)
        assert await registry.ask("a", note("again")) == "again"
    assert house.of("end")[0] == ("end", "a", ExceptionGroup)
    assert len(house.of("end")) == 2


async def test_on_end_is_called_once_an_incarnation_however_it_ends(
    house: House, autojump_clock: MockClock
) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(crash())
        await trio.sleep(1)
        await registry.passivate("a")
        await registry.ref("a")
    assert [end[2] for end in house.of("end")] == [ValueError, type(None), type(None)]
    assert len(house.of("start")) == 3


async def test_an_on_end_that_raises_is_reported_and_harms_nobody(
    autojump_clock: MockClock,
) -> None:
    house = House()

    class Clumsy(Doer):
        def on_end(self, error: BaseException | None) -> None:
            raise KeyError("clumsy")

    house.doer = Clumsy
    async with running(house.registry()) as registry:
        assert await registry.ask("a", note(1)) == 1
        assert await registry.passivate("a")
    assert [event.hook for event in house.seen(HookFailed)] == ["on_end"]


async def test_an_actor_tells_itself_ahead_of_the_guests(
    house: House, autojump_clock: MockClock
) -> None:
    async def tell_self(doer: Doer) -> None:
        doer.context.tell_self(note("own"))

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(tell_self)
        await trio.testing.wait_all_tasks_blocked()
        block = trio.Event()

        async def tell_after(doer: Doer) -> None:
            await block.wait()
            doer.context.tell_self(note("own 2"))

        ref.tell(tell_after)
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(note("guest"))
        block.set()
        await ref.ask(note("last"), timeout_seconds=1)
    assert [did[1] for did in house.of("did")] == ["own", "own 2", "guest", "last"]


async def test_guests_that_fill_the_mailbox_do_not_shut_the_actor_out(
    house: House, autojump_clock: MockClock
) -> None:
    release = trio.Event()

    async def in_a_task(doer: Doer) -> None:
        doer.house.journal.append(("heard", await doer.context.ask_self(note("own"))))

    async def start_it(doer: Doer) -> None:
        await release.wait()
        doer.context.start_task(in_a_task, doer)

    async with running(house.registry(mailbox_capacity=2)) as registry:
        ref = await registry.ref("a")
        ref.tell(start_it)
        await trio.testing.wait_all_tasks_blocked()
        ref.tell(note(1))
        ref.tell(note(2))
        with pytest.raises(MailboxFull):
            ref.tell(note(3))
        release.set()
        await trio.testing.wait_all_tasks_blocked()
    assert house.of("heard") == [("heard", "own")]


async def test_the_own_lane_is_bounded_too(house: House, autojump_clock: MockClock) -> None:
    async def tell_much(doer: Doer) -> str:
        doer.context.tell_self(note(1))
        with pytest.raises(MailboxFull):
            doer.context.tell_self(note(2))
        return "refused"

    async with running(house.registry(own_capacity=1)) as registry:
        assert await registry.ask("a", tell_much) == "refused"


async def test_a_hook_that_asks_its_own_actor_is_told_so(
    house: House, autojump_clock: MockClock
) -> None:
    async def ask_self(doer: Doer) -> str:
        with pytest.raises(RuntimeError, match="never end"):
            await doer.context.ask_self(note(1))
        return "refused"

    async with running(house.registry()) as registry:
        assert await registry.ask("a", ask_self) == "refused"


async def test_an_ask_of_itself_ends_with_the_actor(
    house: House, autojump_clock: MockClock
) -> None:
    async def in_a_task(doer: Doer) -> None:
        try:
            await doer.context.ask_self(hang)
        finally:
            doer.house.journal.append(("ask ended",))

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(in_a_task, doer)

    async with running(house.registry()) as registry:
        await registry.ask("a", start_it)
        await trio.testing.wait_all_tasks_blocked()
        await registry.stop(1)
    assert house.of("ask ended") == [("ask ended",)]


async def test_a_context_is_of_no_use_after_its_incarnation(
    house: House, autojump_clock: MockClock
) -> None:
    contexts = []

    async def keep(doer: Doer) -> None:
        contexts.append(doer.context)

    async with running(house.registry()) as registry:
        await registry.ask("a", keep)
        with pytest.raises(ActorCrashed):
            await registry.ask("a", crash())
        await registry.ask("a", note("the next one is up"))
        (context,) = contexts
        assert context.incarnation == 1
        with pytest.raises(ActorStopped):
            context.tell_self(note(1))
        with pytest.raises(ActorStopped):
            await context.ask_self(note(1))
        with pytest.raises(ActorStopped):
            context.start_task(trio.sleep, 1)
        context.stop()
        assert await registry.ask("a", note("still there")) == "still there"
        assert context.ref is (await registry.ref("a"))


async def test_child_tasks_are_bounded(autojump_clock: MockClock) -> None:
    house = House()

    class Busy(Doer):
        max_tasks = 2

    async def start_many(doer: Doer) -> str:
        doer.context.start_task(trio.lowlevel.checkpoint)
        doer.context.start_task(trio.sleep, 1)
        with pytest.raises(RuntimeError, match="2 child tasks"):
            doer.context.start_task(trio.sleep, 1)
        await trio.sleep(0.5)
        doer.context.start_task(trio.sleep, 1)
        return "bounded"

    house.doer = Busy
    async with running(house.registry()) as registry:
        assert await registry.ask("a", start_many) == "bounded"


async def test_an_actor_that_stops_itself_ends_after_its_batch(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop(doer: Doer) -> str:
        doer.context.stop()
        return "stopping"

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        last, last_slot = sealed(note("same batch"))
        first, first_slot = sealed(stop)
        ref.send(first)
        ref.send(last)
        await trio.testing.wait_all_tasks_blocked()
        assert (first_slot.kind, last_slot.kind) == ("stopping", "same batch")
        assert not ref.alive
        with pytest.raises(ActorStopped):
            ref.tell(note(1))
        assert registry.live("a") is None
    assert [entry[0] for entry in house.journal] == ["start", "did", "stop", "end"]


async def test_a_child_task_may_stop_the_actor(house: House, autojump_clock: MockClock) -> None:
    async def in_a_task(doer: Doer) -> None:
        await trio.sleep(1)
        doer.context.stop()
        await trio.sleep_forever()

    async def start_it(doer: Doer) -> None:
        doer.context.start_task(in_a_task, doer)

    async with running(house.registry()) as registry:
        await registry.ask("a", start_it)
        await trio.sleep(2)
        assert registry.live("a") is None
    assert house.of("stop") == [("stop", "a")]


async def test_a_stop_has_no_effect_if_its_batch_crashes(
    house: House, autojump_clock: MockClock
) -> None:
    async def stop_and_crash(doer: Doer) -> str:
        doer.context.stop()
        raise ValueError

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.tell(stop_and_crash)
        await trio.sleep(1)
        assert await ref.ask(note("restarted"), timeout_seconds=1) == "restarted"


async def test_the_view_is_read_past_the_mailbox(house: House, autojump_clock: MockClock) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        views = [ref.view]
        await ref.ask(adopt("cart"), timeout_seconds=1)
        ref.tell(hang)
        await trio.testing.wait_all_tasks_blocked()
        views.append(ref.view)
    assert [*views, ref.view] == [None, "cart", None]


async def test_the_view_of_a_crashed_actor_is_kept_until_the_next_is_up(
    house: House, autojump_clock: MockClock
) -> None:
    starting = trio.Event()

    async def on_start(doer: Doer) -> None:
        if doer.context.incarnation == 2:
            await starting.wait()
            doer.state = "restored"

    house.on_start = on_start
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        await ref.ask(adopt("cart"), timeout_seconds=1)
        ref.tell(crash())
        await trio.sleep(1)
        assert ref.alive
        views = [ref.view]
        starting.set()
        await trio.testing.wait_all_tasks_blocked()
        views.append(ref.view)
    assert views == ["cart", "restored"]


async def test_a_reply_slot_that_raises_does_not_silence_the_others(
    house: House, autojump_clock: MockClock
) -> None:
    class Broken:
        def resolve(self, value: object) -> None:
            raise KeyError

        fail = resolve

    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        ref.send(Envelope(crash()))
        ref.send(Envelope(note(1), Broken()))
        envelope, slot = sealed(note(2))
        ref.send(envelope)
        await trio.testing.wait_all_tasks_blocked()
        assert slot.kind is ActorCrashed
    assert [event.hook for event in house.seen(HookFailed)] == ["reply"]


async def test_refs_say_who_they_are(house: House) -> None:
    async with running(house.registry()) as registry:
        ref = await registry.ref("a")
        assert repr(ref) == "<Ref 'a', alive>"
    assert repr(ref) == "<Ref 'a', ended>"
