"""Prints the timelines of example sessions: live, in colour on a terminal, plain in a pipe."""

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import Literal

import msgspec
from rich.console import Console
from rich.text import Text

from comanda.client.session_file import SessionFile
from comanda.client.table_choice import ChosenTable
from comanda.client.timeline import Entry, Played

from .documents import harmless, printable

Form = Literal["timeline", "verbose", "quiet", "json"]

_SIGNS = {"ok": ("  ✓", "green"), "failed": ("  ✗", "bold red"), "heard": ("", ""), "": ("", "")}
ABOUT_COLUMNS = 96
_INDENT = " " * 11


class _Output(Console):
    """Standard output. Where its reader goes away the play goes on, and the exit code tells."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class TimelinePrinter:
    """One for a run of the command: `begin`, `tell` … and `finish` for each file, `end` for all."""

    def __init__(self, form: Form, *, many: bool) -> None:
        self._form = form
        self._many = many
        self._console = _Output()
        self._who_width = 0

    def begin(self, session: SessionFile, table: ChosenTable, server_url: str) -> None:
        """A file is about to be played."""
        self._who_width = max(len(name) for name in session.members)
        if self._form not in ("timeline", "verbose"):
            return
        self._print(Text(session.title, "bold"), Text(f"  {session.path}", "dim"))
        if session.about:
            self._print(Text("\n".join(textwrap.wrap(session.about, ABOUT_COLUMNS))))
        place = f"{table.restaurant.name}, table {table.label} ({table.code}) at {server_url}"
        self._print(Text(place, "dim"))

    def tell(self, entry: Entry) -> None:
        """One entry of the timeline, as it happens."""
        if self._form not in ("timeline", "verbose"):
            return
        if entry.mark == "heard" and self._form != "verbose":
            return
        sign, style = _SIGNS[entry.mark]
        self._print(
            Text(f"{entry.at_seconds:7.2f} s  ", "dim"),
            Text(f"{entry.who:<{self._who_width}}  ", "bold"),
            Text(entry.what, "dim" if entry.mark == "heard" else ""),
            Text(sign, style),
        )
        for detail in entry.details:
            self._print(Text(f"{_INDENT}{' ' * self._who_width}  {detail}", "red"))

    def finish(self, played: Played) -> None:
        """A file has been played."""
        if self._form == "json":
            return
        if played.warning is not None:
            print(f"comanda: {harmless(played.warning)}", file=sys.stderr)
        self._print_result(played, in_full=self._form == "quiet")
        if self._form != "quiet":
            self._print(Text(""))

    def end(self, results: Sequence[Played]) -> None:
        """All files have been played."""
        passed = sum(one.passed for one in results)
        if self._form == "json":
            document = {
                "passed": passed,
                "failed": len(results) - passed,
                "sessions": [
                    {"passed": one.passed, "sentence": one.sentence, **msgspec.to_builtins(one)}
                    for one in results
                ],
            }
            print(printable(msgspec.json.format(msgspec.json.encode(document))))
        elif self._many:
            seconds = sum(one.seconds for one in results)
            words = f"{len(results)} sessions: {passed} passed"
            if passed < len(results):
                words += f", {len(results) - passed} failed"
            self._print(Text(f"{words}, {seconds:.1f} s", "bold"))
            for one in results:
                if not one.passed and self._form != "quiet":
                    self._print_result(one, in_full=True)

    def _print_result(self, played: Played, *, in_full: bool) -> None:
        if played.passed:
            words = f"{played.title}: passed in {played.seconds:.1f} s"
            self._print(Text("✓ ", "green"), Text(words))
            return
        words = played.sentence if in_full else f"not as expected in {played.where}"
        self._print(Text("✗ ", "bold red"), Text(f"{played.title}: {words}"))

    def _print(self, *parts: Text) -> None:
        shown = Text.assemble(*parts)
        shown.plain = harmless(shown.plain)
        self._console.print(shown, soft_wrap=True)
        try:
            self._console.file.flush()
        except BrokenPipeError:
            self._console.on_broken_pipe()
