"""What was acknowledged survives the death of the process, at any moment."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comanda.actors.domain.changes import Changes
from comanda.actors.ports import SessionKey, Unit
from comanda.storage.store import open_store

from .house import touched

CHILD = """
import sys, trio
from comanda.storage.store import open_store
from tests.storage.house import restaurant, seat

async def main(url):
    async with open_store(url) as store:
        await store.install([restaurant(tables=8)], "menu")
        async def guests(table):
            party = await seat(store, table)
            await store.commit(party.arrives())
            while True:
                await store.commit(party.adds() if len(party.session.lines) < 90 else
                                   party.decided(clear(party)))
                sys.stdout.write(f"{party.session.pid} {party.session.seq}\\n")
                sys.stdout.flush()
        async with trio.open_nursery() as nursery:
            for table in range(1, 9):
                nursery.start_soon(guests, table)

def clear(party):
    from comanda.actors.domain.inputs import ByMember
    from comanda.actors.domain.messages import ClearCart
    return ByMember(party.member_id, ClearCart())

trio.run(main, sys.argv[1])
"""


def _killed_after(acknowledged: int, url: str) -> dict[str, int]:
    """Run the child, kill it after so many acknowledgements; each session's last one."""
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", CHILD, url], stdout=subprocess.PIPE, cwd=root)
    assert child.stdout is not None
    last: dict[str, int] = {}
    for _ in range(acknowledged):
        _note(last, child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    for line in child.stdout.read().splitlines(keepends=True):
        if line.endswith(b"\n"):
            _note(last, line)
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return last


@pytest.mark.parametrize("acknowledged", [40, 217, 800])
async def test_all_that_a_killed_process_acknowledged_is_there(url: str, acknowledged: int) -> None:
    last = _killed_after(acknowledged, url)
    assert len(last) == 8
    async with open_store(url) as store:
        for pid, seq in last.items():
            loaded = await store.activate(SessionKey(7, pid))
            assert seq <= loaded.session.seq <= seq + 1
            here = Unit(loaded.epoch, loaded.session, loaded.session, Changes())
            await store.commit(touched(here))


def _note(last: dict[str, int], line: bytes) -> None:
    pid, seq = line.decode().split()
    last[pid] = int(seq)
