"""Lines of standard input, read so that Ctrl-C and the end of the table are never kept waiting."""

import os
from functools import partial

import trio

READ_BYTES = 4096
MAX_LINE_BYTES = 8192
"""Far above the longest command; more without an end of line is cut there."""


class InputLines:
    """The lines of a file descriptor, one at a time.

    A thread reads, and is left alone where the reading is cancelled: it uses `os.read`, which holds no
    lock that the interpreter's end would wait for.
    """

    def __init__(self, descriptor: int) -> None:
        self._read = partial(os.read, descriptor, READ_BYTES)
        self._rest = b""
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end; None at the end of the input."""
        while b"\n" not in self._rest and len(self._rest) < MAX_LINE_BYTES and not self._ended:
            try:
                chunk = await trio.to_thread.run_sync(self._read, abandon_on_cancel=True)
            except OSError:  # the terminal is gone
                chunk = b""
            self._ended = not chunk
            self._rest += chunk
        if not self._rest:
            await trio.lowlevel.checkpoint()
            return None
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")
