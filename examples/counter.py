"""A bank of counters on Comanda's runtime: one crashes in the middle, and the bank goes on.

Each counter is an actor. It writes its count to a ledger, the durable ground, before it
answers, and reads it back when it starts. So a crash costs the message in hand and no more:
the supervisor restarts the counter, which goes on from what the ledger says.

Run it: python examples/counter.py
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from comanda.runtime import (
    Actor,
    ActorCrashed,
    ActorEnded,
    ActorFailed,
    ActorStarted,
    Registry,
    RuntimeEvent,
)


@dataclass(frozen=True)
class Add:
    """Count on. A step of zero is a bug that this counter has."""

    step: int


class Counter(Actor[Add]):
    """Counts under one name; 100 divided by the step stands in for a bug."""

    def __init__(self, name: str, ledger: dict[str, int]) -> None:
        self._name = name
        self._ledger = ledger
        self._count = 0

    async def on_start(self) -> None:
        await trio.lowlevel.checkpoint()  # a real ledger would be read here
        self._count = self._ledger.get(self._name, 0)

    async def on_message(self, message: Add) -> int:
        _ = 100 // message.step
        count = self._count + message.step
        self._ledger[self._name] = count  # first the ledger,
        self._count = count  # then memory,
        return count  # then the answer

    @property
    def view(self) -> int:
        return self._count


def tell_story(event: RuntimeEvent) -> None:
    """Print what the runtime reports; a product would log and count it here."""
    match event:
        case ActorStarted(key, incarnation):
            print(f"    [{key} is up, incarnation {incarnation}]")
        case ActorFailed(key, _, error, seconds):
            print(f"    [{key} crashed: {error!r}; up again in {seconds:.2f} s]")
        case ActorEnded(key, _, reason):
            print(f"    [{key} ended: {reason}]")


async def tell_of_counters() -> None:
    """Count, crash, count on, unload, count on, stop."""
    ledger: dict[str, int] = {}
    registry: Registry[str, Add] = Registry(lambda name: Counter(name, ledger), on_event=tell_story)
    async with trio.open_nursery() as nursery:
        await nursery.start(registry.run)

        print("Apples and pears are counted, each by an actor of its own.")
        for step in (1, 2, 3):
            print(f"  apples + {step} = {await registry.ask('apples', Add(step))}")
        print(f"  pears  + 10 = {await registry.ask('pears', Add(10))}")

        print("A message brings out a bug in the counter of apples.")
        try:
            await registry.ask("apples", Add(0))
        except ActorCrashed as refusal:
            print(f"  whoever asked hears: {refusal}")

        print("Pears noticed nothing, and apples go on where the ledger stands.")
        print(f"  pears  + 10 = {await registry.ask('pears', Add(10))}")
        print(f"  apples + 4 = {await registry.ask('apples', Add(4))}")

        print("Idle counters are unloaded, and loaded again when they are asked for.")
        await registry.passivate("pears")
        print(f"  pears  + 1 = {await registry.ask('pears', Add(1))}")

        apples = await registry.ref("apples")
        print(f"Readers need not pass the mailbox: apples show {apples.view}.")
        await registry.stop(deadline_seconds=5)

    print(f"The ledger at the end: {ledger}")


def main() -> None:
    """Run the story to its end."""
    trio.run(tell_of_counters)


if __name__ == "__main__":
    main()
