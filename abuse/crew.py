"""The hostile processes, as the evening sees them."""

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import trio

from .words import MOST_LINE_BYTES, Job, Neighbours, Tally, decode_tally, encode

READ_BYTES = 1 << 20
END_SECONDS = 10.0
"""For a process to say its last, once its standard input has ended."""


class CrewFailed(Exception):
    """A hostile process has ended by itself: that is a fault of this program, not of the server."""


class Crew:
    """All hostile processes. `total` is what they have counted up to now."""

    def __init__(self) -> None:
        self.total = Tally()
        self._processes: list[trio.Process] = []
        self._leaving = False

    async def run(self, jobs: Sequence[Job]) -> None:
        """Start one process a job and add up what they report, until cancelled; then they are killed.

        Returns after `leave`. Raises `CrewFailed`.
        """
        try:
            async with trio.open_nursery() as nursery:
                for job in jobs:
                    process = await trio.lowlevel.open_process(
                        [sys.executable, "-m", "abuse.worker"],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        start_new_session=True,  # Ctrl-C is the evening's to hear
                    )
                    self._processes.append(process)
                    await _say(process, encode(job))
                    nursery.start_soon(self._listen, process)
        finally:
            with trio.CancelScope(shield=True):
                for process in self._processes:
                    process.kill()
                    await process.wait()

    async def tell(self, neighbours: Neighbours) -> None:
        """Tell all of them which sessions the honest tables have."""
        for process in self._processes:
            await _say(process, encode(neighbours))

    async def leave(self) -> None:
        """Have them end: `run` returns when they have said their last."""
        self._leaving = True
        for process in self._processes:
            assert process.stdin is not None
            await process.stdin.aclose()

    async def _listen(self, process: trio.Process) -> None:
        assert process.stdout is not None
        buffer = b""
        while chunk := await process.stdout.receive_some(READ_BYTES):
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self.total.add(decode_tally(line))
            if len(buffer) > MOST_LINE_BYTES:
                raise CrewFailed("a report has no end")
        if not self._leaving:
            raise CrewFailed("a hostile process has ended by itself; what it said is above")
        with trio.move_on_after(END_SECONDS):
            await process.wait()


async def _say(process: trio.Process, line: bytes) -> None:
    assert process.stdin is not None
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):  # its end shows elsewhere
        await process.stdin.send_all(line + b"\n")
