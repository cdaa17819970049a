"""Where the demo is shown: live on a terminal, three phones over a timeline, or as plain lines."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import trio
from msgspec import Struct
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .demo_server import DemoServer, ServerState
from .phone import Phone, clean

FRAME_SECONDS = 0.1
"""Ten frames a second: fast enough for a countdown, slow enough for any terminal."""

MIN_COLUMNS, MIN_ROWS = 76, 22
"""A smaller terminal gets the plain lines."""

MAX_COLUMNS, MAX_ROWS = 132, 40
"""A larger terminal is not filled: the eye has to take the phones in at once."""

PHONE_ROWS = 13
"""On the smallest terminal: frame, five lines of cart, total, two rows of button, three of messages."""

Tone = Literal["plain", "good", "bad", "loud"]

_STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "red",
    "loud": "bold yellow",
}
_SERVER_STYLES: dict[ServerState, str] = {
    "starting": "yellow",
    "running": "green",
    "killed": "bold red",
    "restarting": "bold yellow",
    "stopped": "dim",
}


class Note(Struct, frozen=True):
    """One line of the timeline; `seconds` since the server takes orders."""

    seconds: float
    who: str
    what: str
    tone: Tone = "plain"

    def plain(self) -> str:
        """Without colours."""
        return f"{self.seconds:5.1f} s  {self.who:<7} {self.what}"


class Frame(Struct, frozen=True):
    """The whole picture at one moment."""

    seconds: float
    server_state: ServerState
    server_address: str
    phones: tuple[Phone, ...]
    notes: tuple[Note, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, MAX_COLUMNS)
        height = min(options.height or console.height - 1, MAX_ROWS)
        phone_rows = min(PHONE_ROWS + max(0, height - MIN_ROWS - 1) // 3, PHONE_ROWS + 5)
        layout = Layout()
        layout.split_column(
            Layout(self._header(width), size=1),
            Layout(name="phones", size=phone_rows),
            Layout(self._timeline(height - phone_rows - 3), name="timeline"),
        )
        if self.phones:
            layout["phones"].split_row(*(Layout(phone) for phone in self.phones))
        else:
            layout["phones"].update(Text("Setting up...", style="dim"))
        yield from console.render(layout, options.update(width=width, height=height))

    def _header(self, width: int) -> Table:
        grid = Table.grid(expand=False)
        grid.width = width
        grid.add_column(ratio=1, no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
        server = Text(" Server ", style="bold")
        server.append(f"● {self.server_state}", style=_SERVER_STYLES[self.server_state])
        server.append(f"  {self.server_address}", style="dim")
        grid.add_row(server, Text(f"comanda demo · {self.seconds:4.1f} s ", style="dim"))
        return grid

    def _timeline(self, rows: int) -> Panel:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(justify="right", no_wrap=True, style="dim", width=6)
        grid.add_column(no_wrap=True, style="bold", width=6)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for note in self.notes[-max(rows, 1) :]:
            words = Text(note.what, style=_STYLES[note.tone], no_wrap=True, overflow="ellipsis")
            grid.add_row(f"{note.seconds:.1f} s", note.who, words)
        return Panel(grid, title="Timeline", title_align="left", box=box.ROUNDED)


class Stage:
    """Takes the story's notes. Where it is live, `run` draws; else each note is printed at once."""

    def __init__(
        self, console: Console, server: DemoServer, *, live: bool, svg: Path | None = None
    ) -> None:
        self.phones: Callable[[], Sequence[Phone]] = tuple
        self._console = console
        self._server = server
        self._live = live
        self._svg = svg
        self._notes: list[Note] = []
        self._began = trio.current_time()

    def begin(self) -> None:
        """The set-up is done: times count from here."""
        self._began = trio.current_time()

    def note(self, who: str, what: str, tone: Tone = "plain") -> None:
        """Somebody has done something, or something has happened to them."""
        note = Note(trio.current_time() - self._began, clean(who), clean(what), tone)
        self._notes.append(note)
        if not self._live:
            print(note.plain(), flush=True)

    def frame(self) -> Frame:
        """The picture of now."""
        return Frame(
            seconds=trio.current_time() - self._began,
            server_state=self._server.state,
            server_address=self._server.url.removeprefix("http://"),
            phones=tuple(self.phones()),
            notes=tuple(self._notes),
        )

    def good_moment(self) -> None:
        """Keep the picture of now as SVG, where that was asked for."""
        if self._svg is None:
            return
        with io.StringIO() as nowhere:
            console = Console(
                record=True,
                file=nowhere,
                width=104,
                height=33,
                force_terminal=True,
                color_system="truecolor",
                legacy_windows=False,
            )
            console.print(self.frame(), height=33)
        console.save_svg(str(self._svg), title="comanda demo")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Draw until cancelled. On a terminal the alternate screen is used, and left again."""
        if not self._live:
            task_status.started()
            await trio.sleep_forever()
        with Live(self.frame(), console=self._console, screen=True, auto_refresh=False) as live:
            task_status.started()
            while True:
                live.update(self.frame(), refresh=True)
                await trio.sleep(FRAME_SECONDS)


def fits(console: Console) -> bool:
    """Whether the phones can be shown side by side here."""
    return console.is_terminal and console.width >= MIN_COLUMNS and console.height >= MIN_ROWS
