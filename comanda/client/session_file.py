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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import msgspec
from msgspec import Meta, Struct

from comanda.actors.domain.messages import MAX_NAME_CHARACTERS

from .steps import (
    HAPPENINGS,
    KINDS,
    Add,
    AnyStep,
    ComeBack,
    CommandStep,
    Cut,
    Doing,
    Expect,
    JoinTable,
    Leave,
    Refresh,
    Remove,
    Send,
    Step,
    Together,
    Update,
    Wait,
)

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
        _check_keys(raw, _Head)
        head = msgspec.convert(raw, _Head)
    except (msgspec.ValidationError, _Wrong) as error:
        raise SessionFileError(f"{path}: {_sentence(error)}") from error
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
    checker = _Checker(session)
    for number, one in enumerate(head.steps, start=1):
        try:
            session = msgspec.structs.replace(session, steps=(*session.steps, checker.step(one)))
        except (msgspec.ValidationError, _Wrong) as error:
            kind = f", do = {one['do']!r}" if one.get("do") in KINDS else ""
            raise SessionFileError(f"{session.where(number)}{kind}: {_sentence(error)}") from error
    return session


class _Wrong(Exception):
    """What is wrong with a step, as a sentence."""


class _Checker:
    """Reads one step after another, and knows who sits at the table and which lines have names."""

    def __init__(self, session: SessionFile) -> None:
        self._session = session
        self._here: set[str] = set()
        self._away: set[str] = set()
        self._cut: set[str] = set()
        self._line_names: set[str] = set()

    def step(self, raw: dict[str, Any]) -> AnyStep:
        step = self._read(raw)
        if isinstance(step, Wait):
            return step
        if isinstance(step, Together):
            self._together(step)
            return step
        for name in self._who(step):
            self._member(name, step)
        if isinstance(step, Expect):
            self._expectation(step)
        self._names_of_lines(step)
        return step

    def _read(self, raw: dict[str, Any]) -> AnyStep:
        if "do" not in raw:
            raise _Wrong(f"`do` is missing; it is one of: {', '.join(KINDS)}")
        kind = KINDS.get(raw["do"]) if isinstance(raw["do"], str) else None
        if kind is None:
            raise _Wrong(f"`do` = {raw['do']!r} is unknown; it is one of: {', '.join(KINDS)}")
        _check_keys(raw, kind, besides=("do",))
        return msgspec.convert(raw, kind)

    def _together(self, step: Together) -> None:
        if not step.steps:
            raise _Wrong("`steps` is empty")
        if step.accepted is None and (step.refused or step.says):
            raise _Wrong("`refused` and `says` go with `accepted`, or into the single steps")
        for number, raw in enumerate(step.steps, start=1):
            try:
                one = self._read(raw)
                if not isinstance(one, CommandStep) or isinstance(one, Send):
                    raise _Wrong(
                        "only add, update, remove, clear, order and resolve can be together"
                    )
                if one.member is None:
                    raise _Wrong("`member` is missing: each of these is done by one")
                self._member(one.member, one)
                self._names_of_lines(one)
            except (msgspec.ValidationError, _Wrong) as error:
                raise _Wrong(f"steps[{number}]: {_sentence(error)}") from error

    def _who(self, step: Step) -> tuple[str, ...]:
        ways = (step.member is not None) + bool(step.members) + step.everyone
        if ways != 1:
            raise _Wrong("say who: one of `member`, `members` and `everyone = true`")
        return self._session.who(step)

    def _member(self, name: str, step: Step) -> None:
        self._known(name)
        if isinstance(step, JoinTable):
            if name in self._here | self._away:
                raise _Wrong(
                    f"{name} sits at the table already; `come_back` ends `leave` and `cut`"
                )
            self._here.add(name)
            return
        if name in self._away:
            if not isinstance(step, ComeBack):
                raise _Wrong(f'{name} has left; let them do = "come_back" first')
            self._away.remove(name)
            self._here.add(name)
            return
        if name not in self._here:
            raise _Wrong(f'{name} does not sit at the table yet; let them do = "join" first')
        if isinstance(step, ComeBack):
            if name not in self._cut:
                raise _Wrong(f"{name} is here; `come_back` goes with `cut` or `leave` before")
            self._cut.remove(name)
            return
        if name in self._cut and _needs_network(step):
            raise _Wrong(f'{name} has no connection; let them do = "come_back" first')
        if isinstance(step, Leave):
            self._here.remove(name)
            self._away.add(name)
            self._cut.discard(name)
        if isinstance(step, Cut):
            self._cut.add(name)

    def _known(self, name: str) -> None:
        if name not in self._session.members:
            known = ", ".join(self._session.members)
            raise _Wrong(f"{name!r} is none of the `members`: {known}")

    def _names_of_lines(self, step: AnyStep) -> None:
        if isinstance(step, Add) and step.line_name is not None:
            if step.line_name in self._line_names:
                raise _Wrong(f"`as`: a line is named {step.line_name!r} already")
            self._line_names.add(step.line_name)
        if isinstance(step, Update | Remove) and step.line not in self._line_names:
            raise _Wrong(
                f"`line`: no step before has named a line {step.line!r} with `as`"
                + _near(step.line, self._line_names)
            )
        if isinstance(step, Send):
            if (step.message is None) == (step.text is None):
                raise _Wrong("one of `message` and `text` is sent")
            for name in re.findall(r"\{([A-Za-z][\w-]*)\}", str(msgspec.to_builtins(step.message))):
                if name not in self._line_names:
                    raise _Wrong(f"`message`: no step before has named a line {name!r} with `as`")

    def _expectation(self, step: Expect) -> None:
        if not (step.sights or step.nevers or step.has_state):
            raise _Wrong("nothing is expected; give `sees`, `never`, `cart`, `orders` or `online`")
        for sight in step.sights:
            _known_happening(sight.what, "sees")
            _check_keys(sight.fields, HAPPENINGS[sight.what], where=f"`sees` {sight.what}: ")
        for name in step.nevers:
            _known_happening(name, "never")
        for name in (*step.online, *step.offline):
            self._known(name)
        if step.cart is not None and step.cart.locked_by is not None:
            self._known(step.cart.locked_by)


def _needs_network(step: Step) -> bool:
    if isinstance(step, CommandStep):
        return isinstance(step, Send) or step.refused is None  # the phone's own guards need none
    return isinstance(step, Refresh | Cut)


def _known_happening(name: str, key: str) -> None:
    if name not in HAPPENINGS:
        raise _Wrong(
            f"`{key}`: nothing is called {name!r}"
            + (_near(name, HAPPENINGS) or f"; known are: {', '.join(sorted(HAPPENINGS))}")
        )


def _check_keys(
    raw: dict[str, Any], kind: type[Struct], *, besides: tuple[str, ...] = (), where: str = ""
) -> None:
    known = (*kind.__struct_encode_fields__, *besides)
    for key in raw:
        if key not in known:
            _unknown_key(key, known, where)


def _unknown_key(key: str, known: Iterable[str], where: str) -> NoReturn:
    hint = _near(key, known) or f"; known are: {', '.join(known)}"
    raise _Wrong(f"{where}`{key}` is unknown{hint}")


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, tuple(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _sentence(error: Exception) -> str:
    """`cart.total`: Expected `float`, got `str`."""
    match = re.fullmatch(r"(?P<what>.*?) - at `\$\.?(?P<path>.*)`", str(error), re.DOTALL)
    if match is None or not match["path"]:
        return str(error)
    return f"`{match['path']}`: {match['what']}"


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
