"""The output of `comanda join`: news, the cart again when it has changed, the prompt on a terminal."""

import math

import trio
from rich.console import Console
from rich.text import Text

from comanda.actors.domain.messages import CartItem, CartSnapshot, Event, MenuUpdated, Presence
from comanda.client import (
    CartStore,
    ConnectionLost,
    Ended,
    Happening,
    Happenings,
    Reconnecting,
    RetryScheduled,
    SeqGap,
    TableConnection,
)

from .join_words import in_words
from .phone import Around, Phone, clean, phone_of

PHONE_COLUMNS = 46
"""The cart's width on a terminal: as wide as a phone feels, and the longest button fits one row."""

TICK_SECONDS = 0.25
"""How often a countdown is looked at."""

SHOW_SECONDS = 5.0
"""What was done is shown at once; only a bug would make it later."""

_WARNINGS = ("Order failed", "Connection lost", "The connection could", "The table was closed")


class Screen:
    """Follows the table event by event in a store of its own, so that each is told as it was.

    On a terminal the cart is drawn as a phone and a prompt waits at the bottom; else all is plain lines.
    """

    def __init__(self, console: Console, table: TableConnection, name: str) -> None:
        self.lines: tuple[CartItem, ...] = ()
        self._console = console
        self._table = table
        self._name = name
        self._store = CartStore(table.member_id)
        self._followed = trio.Event()
        self._shown: Phone | None = None
        self._prompting = False
        self._retry_at: float | None = None

    def begin(self, snapshot: CartSnapshot) -> None:
        """What the table was like when this member sat down; the cart is shown."""
        self._store.load_snapshot(snapshot)
        self.show_cart()

    async def follow(self, happenings: Happenings) -> None:
        """Tell everything until the table ends. Run it in a task; cancellation loses nothing."""
        async for happening in happenings:
            if isinstance(happening, Ended):
                return
            self._tell(happening)
            self._followed.set()
            self._followed = trio.Event()

    async def caught_up_with(self, seq: int) -> None:
        """Wait, bounded, until all up to `seq` has been told."""
        with trio.move_on_after(SHOW_SECONDS):
            while (self._store.seq or 0) < seq:
                await self._followed.wait()

    async def count_down(self) -> None:
        """Keep the prompt's countdown to the automatic retry. Only for a terminal."""
        shown = 0
        while True:
            await trio.sleep(TICK_SECONDS)
            left = self._seconds_to_retry()
            if left != shown and self._prompting:
                shown = left
                self.prompt()

    def say(self, sentence: str, style: str = "") -> None:
        """One line, above the prompt."""
        self._clear_prompt()
        self._console.print(Text(sentence, style=style), soft_wrap=True)
        self._again()

    def show_cart(self, *, only_if_changed: bool = False) -> None:
        """The cart as it is now; its numbers hold until it is shown again."""
        phone = phone_of(self._store, self._around())
        if only_if_changed and phone == self._shown:
            return
        self._shown = phone
        self.lines = self._store.items
        self._clear_prompt()
        if self._console.is_terminal:
            width = min(PHONE_COLUMNS, self._console.width)
            self._console.print(phone.numbered(), width=width)
        else:
            for line in phone.plain_lines():
                self._console.print(Text(line), soft_wrap=True)
        self._again()

    def prompt(self) -> None:
        """Ask for the next line, on a terminal."""
        if not self._console.is_terminal:
            return
        self._clear_prompt()
        self._prompting = True
        left = self._seconds_to_retry()
        words = f"again in {left} s, Enter stops that > " if left else "> "
        self._console.print(Text(words, style="bold"), end="")
        self._console.file.flush()

    def line_was_read(self) -> None:
        """The person has pressed Enter: the prompt's line is done."""
        self._prompting = False

    def _tell(self, happening: Happening) -> None:
        before = {item.public_id: item for item in self._store.items}
        if not self._take(happening):
            return
        if isinstance(happening, RetryScheduled):
            self._retry_at = trio.current_time() + happening.after_seconds
        for sentence in in_words(happening, before, self._store):
            self.say(sentence, "red" if sentence.startswith(_WARNINGS) else "cyan")
        if not isinstance(happening, Reconnecting | ConnectionLost):
            self.show_cart(only_if_changed=True)

    def _take(self, happening: Happening) -> bool:
        """Whether it is news: an event that the snapshot held already is not."""
        if isinstance(happening, CartSnapshot):
            newer = happening.seq >= (self._store.seq or 0)
            if newer:
                self._store.load_snapshot(happening)
            return newer
        if isinstance(happening, Presence | MenuUpdated):
            self._store.apply(happening)
        elif isinstance(happening, Event):
            return self._store.apply(happening) == "applied"
        return not isinstance(happening, SeqGap)

    def _around(self) -> Around:
        table, restaurant = self._table.table, self._table.restaurant
        return Around(
            name=self._name,
            table="" if table is None else clean(table.label),
            minor_digits=2 if restaurant is None else restaurant.minor_digits,
            connected=self._table.connected,
            order_timed_out=self._table.order_timed_out,
        )

    def _seconds_to_retry(self) -> int:
        """Until the automatic retry; 0 where none is about to come."""
        if self._table.retry_plan is None or self._retry_at is None:
            return 0
        return max(0, math.ceil(self._retry_at - trio.current_time()))

    def _clear_prompt(self) -> None:
        if self._prompting and self._console.is_terminal:
            self._console.file.write("\r\x1b[K")

    def _again(self) -> None:
        if self._prompting:
            self.prompt()
        else:
            self._console.file.flush()
