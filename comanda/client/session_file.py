"""Example sessions: TOML files of members, steps and expectations that a person can read and write.

A file names its `members`, then says step by step what they do and what they must see::

    title = "One pizza"
    members = ["Ana", "Ben"]

    [[steps]]
    everyone = true
    do = "join"

    [[steps]]
    member = "Ana"
    do = "add"
    item = "Margherita"

    [[steps]]
    member = "Ana"
    do = "order"
    special_instructions = "pos:accept"

    [[steps]]
    everyone = true
    do = "expect"
    sees = "order_confirmed"
    cart = { locked = false, lines = [], status = "confirmed" }

Each `do` is a struct of `comanda.client.steps`, where its keys are explained. Everything is checked before
anything is played.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta, Struct

from comanda.actors.domain.messages import MAX_NAME_CHARACTERS

from .session_checks import Checker, Wrong, check_keys, sentence_of
from .steps import KINDS, Add, AnyStep, Doing, Step, Together

MAX_FILE_BYTES = 256 * 1024
"""People write these files; a larger one is a mistake."""

MAX_MEMBERS = 16
MAX_STEPS = 500

_Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=r"\S")]


class SessionFileError(Exception):
    """A session file cannot be used. The text names the file, the step and key, and what is wrong."""


class UnknownItem(Exception):
    """A menu item that the restaurant does not sell; the text is a sentence."""


class ServerWishes(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the embedded server, under the names that `comanda serve` has for them. In seconds."""

    pos_delay: float | None = None
    pos_success_rate: float | None = None
    pos_seed: int | None = None
    pos_timeout: float | None = None
    lock_limit: float | None = None
    order_timeout: float | None = None
    retry_delay: float | None = None
    retry_limit: int | None = None


class TableWish(Struct, frozen=True, forbid_unknown_fields=True):
    """The table at which the file wants to be played."""

    code: str


class SessionFile(Struct, frozen=True):
    """An example session, checked. `lines` are the steps' lines in the file, where they are known."""

    path: str
    title: str
    about: str
    members: tuple[str, ...]
    table_code: str | None
    server: ServerWishes | None
    steps: tuple[AnyStep, ...]
    lines: tuple[int, ...] = ()

    def where(self, number: int) -> str:
        """`FILE: step 3 (line 21)`; steps count from 1."""
        line = f" (line {self.lines[number - 1]})" if self.lines else ""
        return f"{self.path}: step {number}{line}"

    def who(self, step: Step) -> tuple[str, ...]:
        """The members who do `step`."""
        if step.everyone:
            return self.members
        return step.members if step.member is None else (step.member,)

    def commands(self, together: Together) -> tuple[Doing, ...]:
        """What is done at the same moment."""
        return tuple(cast(Doing, msgspec.convert(one, KINDS[one["do"]])) for one in together.steps)

    def items(self) -> Iterator[tuple[int, str | int]]:
        """Every menu item that is added, with the number of its step."""
        for number, step in enumerate(self.steps, start=1):
            for one in self.commands(step) if isinstance(step, Together) else (step,):
                if isinstance(one, Add):
                    yield number, one.item


class _Head(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    members: Annotated[tuple[_Name, ...], Meta(min_length=1, max_length=MAX_MEMBERS)]
    steps: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MAX_STEPS)]
    about: str = ""
    table: TableWish | None = None
    server: ServerWishes | None = None


def load_session_file(path: Path) -> SessionFile:
    """Read and check one file.

    Raises:
        SessionFileError: it cannot be read, is no TOML, or says something that cannot be.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SessionFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_FILE_BYTES:
        raise SessionFileError(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    return parse_session(data, str(path))


def parse_session(data: bytes, path: str) -> SessionFile:
    """Check the bytes of a session file; `path` is for the messages.

    Raises:
        SessionFileError: as `load_session_file`.
    """
    try:
        text = data.decode()
        raw = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SessionFileError(f"{path}: line {line}: not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SessionFileError(f"{path}: {error}") from error
    except RecursionError as error:
        raise SessionFileError(f"{path}: is nested too deeply") from error
    except ValueError as error:  # thousands of digits
        raise SessionFileError(f"{path}: holds a number that cannot be one: {error}") from error
    try:
        check_keys(raw, _Head)
        head = msgspec.convert(raw, _Head)
    except (msgspec.ValidationError, Wrong) as error:
        raise SessionFileError(f"{path}: {sentence_of(error)}") from error
    lines = _step_lines(text)
    session = SessionFile(
        path=path,
        title=head.title,
        about=" ".join(head.about.split()),
        members=head.members,
        table_code=head.table.code if head.table else None,
        server=head.server,
        steps=(),
        lines=lines if len(lines) == len(head.steps) else (),
    )
    doubled = next((name for name in head.members if head.members.count(name) > 1), None)
    if doubled is not None:
        raise SessionFileError(f"{path}: `members` names {doubled!r} twice")
    checker = Checker(session)
    for number, one in enumerate(head.steps, start=1):
        try:
            session = msgspec.structs.replace(session, steps=(*session.steps, checker.step(one)))
        except (msgspec.ValidationError, Wrong) as error:
            kind = f", do = {one['do']!r}" if one.get("do") in KINDS else ""
            raise SessionFileError(
                f"{session.where(number)}{kind}: {sentence_of(error)}"
            ) from error
    return session


def _step_lines(text: str) -> tuple[int, ...]:
    return tuple(
        number
        for number, line in enumerate(text.splitlines(), start=1)
        if re.match(r"\s*\[\[\s*steps\s*\]\]", line)
    )


def find_item(wanted: str | int, menu: dict[int, str]) -> int:
    """The id of a menu item given by its name or id; `menu` has names by id.

    Raises:
        UnknownItem: a sentence, with near names.
    """
    if isinstance(wanted, int):
        if wanted not in menu:
            raise UnknownItem(f"`item`: no menu item has the id {wanted}")
        return wanted
    by_name = {name.casefold(): number for number, name in menu.items()}
    if wanted.casefold() not in by_name:
        near = difflib.get_close_matches(wanted.casefold(), by_name, n=3, cutoff=0.4)
        names = ", ".join(menu[by_name[one]] for one in near)
        hint = f"; near names: {names}" if near else ""
        raise UnknownItem(f"`item`: no menu item is called {wanted!r}{hint}")
    return by_name[wanted.casefold()]
