"""Random plans: whatever happens, each envelope is answered once and done at most once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from comanda.runtime import (
    ActorCrashed,
    ActorStopped,
    BreakerPolicy,
    MailboxFull,
    Outage,
    Quarantined,
    RestartPolicy,
    RuntimeRefusal,
    TooManyActors,
)
from tests.runtime.helpers import Deed, Doer, Hook, House, Slot, sealed

What: TypeAlias = Literal["note", "slow note", "crash", "stop", "outage", "own note", "bad task"]
NOTHING_HAPPENED = (ActorStopped, MailboxFull, Quarantined, Outage, TooManyActors)


@dataclass(frozen=True)
class Send:
    key: str
    what: What


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Passivate:
    key: str


@dataclass(frozen=True)
class LookUpAndLeave:
    key: str
    seconds: float


Step: TypeAlias = Send | Wait | Passivate | LookUpAndLeave
KEYS = st.sampled_from("abcd")
SECONDS = st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0, 10.0])
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        Send,
        KEYS,
        st.sampled_from(
            ["note", "note", "slow note", "crash", "stop", "outage", "own note", "bad task"]
        ),
    ),
    st.builds(Wait, SECONDS),
    st.builds(Passivate, KEYS),
    st.builds(LookUpAndLeave, KEYS, SECONDS),
)


class Play:
    """Executes a plan, and remembers every envelope and every deed that was done."""

    def __init__(self, start_seconds: float, stop_seconds: float, batch: int) -> None:
        self.house = House()
        self.house.on_start = self.pause(start_seconds)
        self.house.on_stop = self.pause(stop_seconds)
        self.sent: list[tuple[int, Slot]] = []
        self.done: list[tuple[str, int]] = []

        class Batcher(Doer):
            max_batch = batch

        self.house.doer = Batcher

    @staticmethod
    def pause(seconds: float) -> Hook:
        async def hook(_: Doer) -> None:
            await trio.sleep(seconds)

        return hook

    def deed(self, number: int, what: What) -> Deed:
        async def fail_soon() -> None:
            await trio.sleep(0.2)
            raise KeyError("in a child task")

        async def own(_: Doer) -> None:
            await trio.lowlevel.checkpoint()

        async def deed(doer: Doer) -> int:
            self.done.append((str(doer.key), number))
            if what == "slow note":
                await trio.sleep(0.3)
            elif what == "crash":
                raise ValueError
            elif what == "stop":
                doer.context.stop()
            elif what == "outage":
                raise Outage("The ground is gone.")
            elif what == "own note":
                doer.context.start_task(doer.context.ask_self, own)
            elif what == "bad task":
                doer.context.start_task(fail_soon)
            return number

        return deed

    async def execute(self, plan: list[Step], stop_after_seconds: float) -> None:
        registry = self.house.registry(
            max_live=3,
            mailbox_capacity=4,
            idle_seconds=5,
            stop_deadline_seconds=2,
            policy=RestartPolicy(
                intensity=2, window_seconds=20, backoff_start_seconds=0.2, quarantine_seconds=5
            ),
            breaker_policy=BreakerPolicy(backoff_start_seconds=0.5, backoff_max_seconds=1),
        )

        async def send(number: int, step: Send) -> None:
            envelope, slot = sealed(self.deed(number, step.what))
            self.sent.append((number, slot))
            try:
                (await registry.ref(step.key)).send(envelope)
            except RuntimeRefusal as refusal:
                slot.fail(refusal)

        async def look_up(step: LookUpAndLeave) -> None:
            with trio.move_on_after(step.seconds):
                try:
                    await registry.ref(step.key)
                except RuntimeRefusal:
                    return

        async with trio.open_nursery() as nursery:
            await nursery.start(registry.run)
            async with trio.open_nursery() as players:
                for number, step in enumerate(plan):
                    match step:
                        case Send():
                            players.start_soon(send, number, step)
                        case Wait(seconds):
                            await trio.sleep(seconds)
                        case Passivate(key):
                            players.start_soon(registry.passivate, key)
                        case LookUpAndLeave():
                            players.start_soon(look_up, step)
                await trio.sleep(stop_after_seconds)
                await registry.stop(3)
        await registry.stop(0)

    def check(self) -> None:
        times_done = [number for _, number in self.done]
        assert len(times_done) == len(set(times_done)), "done twice"
        for number, slot in self.sent:
            (answer,) = slot.answers
            if isinstance(answer, int):
                assert answer == number
                assert number in times_done
            elif isinstance(answer, NOTHING_HAPPENED):
                assert number not in times_done
            else:
                assert isinstance(answer, ActorCrashed)
        self._check_lives()

    def _check_lives(self) -> None:
        """One incarnation a key at a time, within the bound, and each that began has ended."""
        up: set[object] = set()
        for entry in self.house.journal:
            if entry[0] == "start":
                assert entry[1] not in up
                up.add(entry[1])
            elif entry[0] == "end":
                up.remove(entry[1])
            assert len(up) <= 3
        assert not up


@settings(max_examples=300, deadline=None)
@given(
    plan=st.lists(STEPS, max_size=40),
    start_seconds=st.sampled_from([0.0, 0.4]),
    stop_seconds=st.sampled_from([0.0, 0.4, 100.0]),
    batch=st.sampled_from([1, 64]),
    stop_after_seconds=st.sampled_from([0.0, 0.3, 60.0]),
)
@example(
    plan=[Send("a", "note"), Wait(0.1), Passivate("a"), Send("a", "slow note"), Wait(1.0)],
    start_seconds=0.0,
    stop_seconds=0.4,
    batch=64,
    stop_after_seconds=0.0,
)
def test_each_envelope_is_answered_once_and_done_at_most_once(
    plan: list[Step],
    start_seconds: float,
    stop_seconds: float,
    batch: int,
    stop_after_seconds: float,
) -> None:
    play = Play(start_seconds, stop_seconds, batch)
    trio.run(play.execute, plan, stop_after_seconds, clock=MockClock(autojump_threshold=0))
    play.check()
