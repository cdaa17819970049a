"""`python -m abuse.worker`: one process of hostile clients. Its job comes on standard input, then words.

It ends when its standard input does: no process outlives the evening.
"""

import contextlib
import random
import resource
import sys

import trio

from .attacks import CALLS, SLOW, TALKS, Attack
from .stock import Stock
from .wire import LineLost, NoHttp
from .words import MOST_LINE_BYTES, Job, Tally, count, decode_job, decode_neighbours, encode
from .world import ATTACK, World

LANES = (("talk", TALKS, 12), ("call", CALLS, 16), ("slow", SLOW, 40))
"""Attacks at one time, by what they are. More quick ones would only wait for the server."""

REPORT_SECONDS = 0.5
ATTACK_SECONDS = 90.0
"""No attack takes longer, whatever the server does."""

FILES = 4096


class Lines:
    """Lines of standard input, as they come."""

    def __init__(self) -> None:
        self._stream = trio.lowlevel.FdStream(0)
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """The next line; None at the end."""
        while (end := self._buffer.find(b"\n")) < 0:
            data = await self._stream.receive_some()
            if not data or len(self._buffer) > MOST_LINE_BYTES:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


async def lane(world: World, stock: Stock, attacks: dict[str, Attack], name: str, job: Job) -> None:
    """One attack after another. What an attack does comes from the seed and its number on the lane."""
    names, weights = list(attacks), [attack.weight for attack in attacks.values()]
    number = 0
    while True:
        number += 1
        chance = random.Random(f"{job.seed}:{job.number}:{name}:{number}")
        chosen = chance.choices(names, weights)[0]
        ATTACK.set(f"{chosen} {job.number}:{name}:{number}")
        count(world.tally.attacks, chosen)
        with trio.move_on_after(ATTACK_SECONDS):
            try:
                await attacks[chosen].run(world, stock, chance)
            except* LineLost:
                pass  # an attack ends where the server ends it
            except* NoHttp as group:
                world.violation(str(group.exceptions[0]))
        await trio.lowlevel.checkpoint()


async def report_always(world: World) -> None:
    """Say what was counted, now and then."""
    while True:
        await trio.sleep(REPORT_SECONDS)
        say(world)


def say(world: World) -> None:
    """Say what was counted since the last time."""
    counted, world.tally = world.tally, Tally()
    sys.stdout.buffer.write(encode(counted) + b"\n")
    sys.stdout.buffer.flush()


async def main() -> None:
    """Read the job and do it until there is nobody left to do it for."""
    lines = Lines()
    first = await lines.next()
    if first is None:
        return
    job = decode_job(first)
    world = World(job)
    stock = Stock(world)
    async with trio.open_nursery() as nursery:
        for kind, attacks, lanes in LANES:
            chosen = {name: one for name, one in attacks.items() if name in (job.only or attacks)}
            for number in range(lanes if chosen else 0):
                nursery.start_soon(lane, world, stock, chosen, f"{kind}-{number}", job)
        nursery.start_soon(report_always, world)
        while (line := await lines.next()) is not None:
            world.neighbours = decode_neighbours(line).sessions
        nursery.cancel_scope.cancel()
    say(world)


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        trio.run(main)
