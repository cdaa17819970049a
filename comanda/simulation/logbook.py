"""What an evening writes down of itself: its trace, and which faults it has met."""

from collections import Counter
from functools import partial
from typing import Protocol

import trio


class Note(Protocol):
    """Writes a line of the trace."""

    def __call__(self, line: str) -> None:
        """At this moment."""


class Logbook:
    """One evening's. `faults` counts what has gone wrong, by its name."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.faults: Counter[str] = Counter()
        self.waits_end_at = 0.0
        """When the last wait that is on record ends (I15)."""

    def note(self, line: str) -> None:
        """A line of the trace, at this moment."""
        self.trace.append(f"{trio.current_time():9.3f} {line}")

    def notes_of(self, who: str) -> Note:
        """As `note`, for lines that begin with `who`."""
        return partial(self._note_of, who)

    def met(self, fault: str, line: str | None = None) -> None:
        """A fault happens, and the trace says so where there is a `line`."""
        self.faults[fault] += 1
        if line is not None:
            self.note(line)

    def wait_on_record(self, seconds: float) -> None:
        """From now on somebody waits for so long, and rightly."""
        self.waits_end_at = max(self.waits_end_at, trio.current_time() + seconds)

    def _note_of(self, who: str, line: str) -> None:
        self.note(f"{who} {line}")
