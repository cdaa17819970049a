"""`comanda demo`: the main job in one command, on a server that is really killed."""

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import trio
import typer
from rich.console import Console
from rich.text import Text

from comanda.client import ClientError

from .demo_checks import Check, check_file, check_table
from .demo_server import DATABASE_NAME, Broken, DemoServer, demo_server, seed_for
from .demo_stage import Stage, fits
from .demo_story import (
    ACCEPTED_ORDER,
    POS_DELAY_SECONDS,
    REFUSED_ORDER,
    TABLE_CODE,
    Story,
)
from .demo_table import Guest, seated
from .failing import first_of, give_up

FAILED = 1
SIGNALLED = 128
"""A shell's exit code for a signal is this plus its number: 130 for Ctrl-C."""


def demo(
    plain: Annotated[
        bool,
        typer.Option("--plain", help="The timeline as plain lines, as in a pipe."),
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Keep the SQLite file and the server's log in this folder, to look into.",
            metavar="DIR",
            file_okay=False,
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(
            hidden=True, help="A picture of the moment after the restart.", dir_okay=False
        ),
    ] = None,
) -> None:
    """See the main job in a quarter of a minute: three phones, one table, one kill.

    A server is started on a free port and a temporary SQLite file.
    Ana, Ben and Chloe sit at one table and edit one cart at once.
    Ana orders; Ben's edit meanwhile is refused.
    The POS refuses the order; Ana's phone orders again by itself.
    The server is killed (SIGKILL) in the middle of that, and started again.
    The table is still there, and the order is confirmed, once.

    On a terminal the phones are shown live, in a pipe each step is a line.
    At the end everything is checked. Exit code 0: it ended as it must; 1: not.
    """
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a pipe in a narrow encoding
    console = Console(highlight=False)
    live = fits(console) and not plain
    with _folder(keep) as folder:
        code = trio.run(_demo, console, live, folder, svg)
    raise typer.Exit(code)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where the database lies: a temporary folder, or the one to be kept."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="comanda-demo-") as temporary:
            yield Path(temporary)
        return
    if (keep / DATABASE_NAME).exists():
        give_up(f"{keep / DATABASE_NAME} is already there; name another folder")
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        give_up(f"{keep}: {error.strerror}")
    yield keep.resolve()
    print(f"Kept: {keep / DATABASE_NAME}")


async def _demo(console: Console, live: bool, folder: Path, svg: Path | None) -> int:
    code = FAILED
    async with (
        demo_server(folder, POS_DELAY_SECONDS, seed_for(REFUSED_ORDER, ACCEPTED_ORDER)) as server,
        trio.open_nursery() as nursery,
    ):

        async def until_signal(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            nonlocal code
            caught = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            with trio.open_signal_receiver(*caught) as signals:
                task_status.started()
                async for number in signals:
                    code = SIGNALLED + number
                    nursery.cancel_scope.cancel()

        await nursery.start(until_signal)
        code = await _show(console, server, live, svg)
        nursery.cancel_scope.cancel()
    return code


async def _show(console: Console, server: DemoServer, live: bool, svg: Path | None) -> int:
    stage = Stage(console, server, live=live, svg=svg)
    guests = [Guest(name) for name in ("Ana", "Ben", "Chloe")]
    stage.phones = lambda: [phone for guest in guests if (phone := guest.phone()) is not None]
    story = Story(stage, server, guests)
    checks: list[Check] = []
    broken: Broken | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(stage.run)
        try:
            await server.start()
            stage.begin()
            stage.note("Server", f"takes orders at {server.url} (pid {server.pid})")
            async with seated(guests, server.url, TABLE_CODE):
                await story.play()
            checks += check_table(story)
            await server.stop()
            stage.note("Server", "is asked to stop (SIGTERM), and ends with exit code 0")
            checks += check_file(server.database)
        except* (Broken, ClientError) as group:
            broken = _as_broken(first_of(group))
        nursery.cancel_scope.cancel()
    if live:
        console.print(stage.frame())
    return _verdict(console, checks, broken, stage.frame().seconds)


def _as_broken(error: BaseException) -> Broken:
    if isinstance(error, Broken):
        return error
    return Broken("a table that works", f"{type(error).__name__}: {error}")


def _verdict(console: Console, checks: list[Check], broken: Broken | None, seconds: float) -> int:
    """The checks, one a line; the exit code."""
    console.print()
    for check in checks:
        _tell(console, check.holds, check.sentence, check.found)
    if broken is not None:
        _tell(console, False, broken.expected, broken.found)
    failed = broken is not None or not all(check.holds for check in checks)
    console.print()
    console.print(
        f"It did not end as it must, after {seconds:.1f} s."
        if failed
        else f"All {len(checks)} checks hold after {seconds:.1f} s."
    )
    return FAILED if failed else 0


def _tell(console: Console, holds: bool, sentence: str, found: str) -> None:
    mark = Text("✓ ", style="green") if holds else Text("✗ ", style="bold red")
    in_a_pipe = not console.is_terminal
    console.print(mark + Text(sentence), soft_wrap=in_a_pipe)
    if not holds:
        console.print(Text(f"  found: {found}"), soft_wrap=in_a_pipe)
