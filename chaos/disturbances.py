"""What may happen in a cycle. Each leaves everything running again."""

import random
from collections.abc import Awaitable, Callable

import trio

from .house import House, ProgramBroken
from .journal import ENDED
from .plan import draw_failpoint, draw_storage_faults

FAILPOINT_SECONDS = 4.0
"""A failpoint that nobody has come by in this time is given up: the server is killed anyway."""

STORAGE_FAULTS_SECONDS = 3.0
"""How long members work on a server whose storage fails."""

STOPPED_SECONDS = (0.5, 4.0)
POS_AWAY_SECONDS = (0.0, 1.5)
CLOSED_AT_ONCE = 2
LATE_SECONDS = 1.5
"""What a first server gets to finish its business after a second one has taken its tables."""


async def kill_server(house: House, rng: random.Random) -> str:
    """Kill -9 at any moment."""
    await house.kill_server("killed")
    await house.start_server()
    return ""


async def failpoint(house: House, rng: random.Random) -> str:
    """A server that kills itself at a step of its own, perhaps while it still recovers."""
    where = draw_failpoint(rng)
    await house.kill_server("killed for a failpoint")
    reached = True
    if await house.start_server(where):
        with trio.move_on_after(FAILPOINT_SECONDS) as waiting:
            await house.server.died()
        reached = not waiting.cancelled_caught
    await house.kill_server(where)
    await house.start_server()
    return where if reached else f"{where} (not reached)"


async def storage_faults(house: House, rng: random.Random) -> str:
    """A server whose commits fail, hang, or whose database is gone for a while."""
    faults = draw_storage_faults(rng)
    await house.kill_server("killed for storage faults")
    if await house.start_server(faults):
        await trio.sleep(STORAGE_FAULTS_SECONDS)
        if not house.server.running:
            house.faults.append(f"the server ended by itself under {faults}")
    await house.kill_server("killed after storage faults")
    await house.start_server()
    return faults


async def kill_pos(house: House, rng: random.Random) -> str:
    """Kill -9 of the POS, which stays away a while."""
    await house.pos.program.kill()
    house.journal.done("pos", "killed")
    away = rng.uniform(*POS_AWAY_SECONDS)
    await trio.sleep(away)
    await _start_pos(house)
    return f"for {away:.1f} s"


async def stop_server(house: House, rng: random.Random) -> str:
    """SIGSTOP and SIGCONT: time passes it by. At times the kill comes while it is stopped."""
    seconds = rng.uniform(*STOPPED_SECONDS)
    house.server.stop()
    house.journal.done("stopped")
    await trio.sleep(seconds)
    if rng.random() < 0.3:
        await house.kill_server("killed while stopped")
        await house.start_server()
        return f"for {seconds:.1f} s, then killed"
    house.journal.done("continued")
    house.server.go_on()
    return f"for {seconds:.1f} s"


async def stop_pos(house: House, rng: random.Random) -> str:
    """SIGSTOP and SIGCONT: what it was sent meanwhile arrives late."""
    seconds = rng.uniform(*STOPPED_SECONDS)
    house.pos.program.stop()
    house.journal.done("pos", "stopped")
    await trio.sleep(seconds)
    if rng.random() < 0.3:
        await house.pos.program.kill()
        await _start_pos(house)
        return f"for {seconds:.1f} s, then killed"
    house.pos.program.go_on()
    return f"for {seconds:.1f} s"


async def cut_members(house: House, rng: random.Random) -> str:
    """Connections are reset, or left open and dead, as phones leave them."""
    cut = half_open = 0
    for member in house.members:
        dice = rng.random()
        if dice < 0.35:
            member.cut()
            cut += 1
        elif dice < 0.6:
            member.turn_away(listening=rng.random() < 0.5)
            half_open += 1
    house.journal.done("members", f"{cut} cut, {half_open} left open")
    return f"{cut} cut, {half_open} left open"


async def end_server(house: House, rng: random.Random) -> str:
    """SIGTERM: a graceful end, and the next start."""
    house.journal.done("gone", ENDED)
    if not await house.server.end():
        house.faults.append("the server did not end gracefully in time")
    house.take_sample()
    await house.start_server()
    return ""


async def close_tables(house: House, rng: random.Random) -> str:
    """Parties leave, perhaps with an order in doubt; their members sit down anew."""
    sessions = sorted({member.seat.session_pid for member in house.members if member.seat})
    closed = 0
    for session in rng.sample(sessions, min(CLOSED_AT_ONCE, len(sessions))):
        closed += await house.staff.close_table(session)
    house.journal.done("members", f"{closed} tables closed")
    return f"{closed} closed"


async def second_server(house: House, rng: random.Random) -> str:
    """The server is stopped and taken for dead, another takes its tables; then the first one goes on."""
    house.server.stop()
    await trio.sleep(
        rng.uniform(0.3, 0.8)
    )  # what members send now, the first server will read late
    first = await house.second_server()
    if first is None:
        house.server.go_on()
        return "the second did not start"
    for member in house.members:
        member.turn_away(listening=True)
    await house.acknowledged(10)
    first.go_on()
    await trio.sleep(LATE_SECONDS)
    await house.back_to_one_server(first)
    return ""


async def _start_pos(house: House) -> None:
    if not await house.pos.start():
        raise ProgramBroken(f"the POS does not start; see {house.folder / 'pos.log'}")
    house.journal.done("pos", "started")


DISTURB: dict[str, Callable[[House, random.Random], Awaitable[str]]] = {
    "kill-server": kill_server,
    "failpoint": failpoint,
    "storage-faults": storage_faults,
    "kill-pos": kill_pos,
    "stop-server": stop_server,
    "stop-pos": stop_pos,
    "cut-members": cut_members,
    "end-server": end_server,
    "close-tables": close_tables,
    "second-server": second_server,
}
"""By the names of the plan; each says in a few words what it was."""
