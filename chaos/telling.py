"""What `python -m chaos` and `python -m abuse` do alike: their folder, what they found, and their end."""

import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import trio

from comanda.cli.failing import first_of

SHOWN_MOST = 20
"""Violations printed; the folder has them all."""

VIOLATED, BROKEN, INTERRUPTED = 1, 2, 130
"""Exit codes: something was wrong; the run could not be made; Ctrl-C or SIGTERM."""


@dataclass
class Scratch:
    """A folder of a run. `kept`: whether it outlasts the run, as it does unless told that it need not."""

    path: Path
    kept: bool = True


@contextmanager
def scratch(prefix: str) -> Iterator[Scratch]:
    """An empty folder for the block. What a cancelled run leaves is no evidence, and is removed."""
    folder = Scratch(Path(tempfile.mkdtemp(prefix=prefix)))
    try:
        yield folder
    finally:
        interrupted = trio.current_effective_deadline() == -math.inf
        if interrupted or not folder.kept:
            shutil.rmtree(folder.path, ignore_errors=True)


def tell(lines: Sequence[str], folder: Path, there: str, repeated_by: str) -> None:
    """Print the violations and write them all down in `folder`, in which `there` is, too."""
    text = "\n".join([f"Repeat: {repeated_by}", *lines])
    (folder / "violations.txt").write_text(text + "\n", encoding="utf-8")
    for line in lines[:SHOWN_MOST]:
        print(line)
    if len(lines) > SHOWN_MOST:
        print(f"… and {len(lines) - SHOWN_MOST} more")
    print(f"Evidence: {folder} ({there}, violations.txt)")
    print(f"Repeat:   {repeated_by}")


def run_to_exit(name: str, run: Callable[[], Awaitable[int]], *broken: type[Exception]) -> NoReturn:
    """Run, and exit with its code. `broken` are the errors of a run that could not be made."""
    code = BROKEN
    try:
        code = trio.run(_until_told, run)
    except* broken as group:
        print(f"{name}: {first_of(group)}", file=sys.stderr)
    raise SystemExit(code)


async def _until_told(run: Callable[[], Awaitable[int]]) -> int:
    """Run; at Ctrl-C or SIGTERM end with all that was started, so that no program is left behind."""
    code = INTERRUPTED
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        code = await run()
        nursery.cancel_scope.cancel()
    return code
