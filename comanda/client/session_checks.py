"""Whether the steps of a session file can be done one after another, and near words for what is unknown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from msgspec import Struct

from .steps import (
    HAPPENINGS,
    KINDS,
    Add,
    AnyStep,
    ComeBack,
    CommandStep,
    Cut,
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

if TYPE_CHECKING:
    from .session_file import SessionFile


class Wrong(Exception):
    """What is wrong with a step, as a sentence."""


class Checker:
    """Reads one step after another, and knows who sits at the table and which lines have names."""

    def __init__(self, session: SessionFile) -> None:
        self._session = session
        self._here: set[str] = set()
        self._away: set[str] = set()
        self._cut: set[str] = set()
        self._line_names: set[str] = set()

    def step(self, raw: dict[str, Any]) -> AnyStep:
        """The next step, read and checked. Raises `Wrong`, or msgspec's `ValidationError`."""
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
            raise Wrong(f"`do` is missing; it is one of: {', '.join(KINDS)}")
        kind = KINDS.get(raw["do"]) if isinstance(raw["do"], str) else None
        if kind is None:
            raise Wrong(f"`do` = {raw['do']!r} is unknown; it is one of: {', '.join(KINDS)}")
        check_keys(raw, kind, besides=("do",))
        return msgspec.convert(raw, kind)

    def _together(self, step: Together) -> None:
        if not step.steps:
            raise Wrong("`steps` is empty")
        if step.accepted is None and (step.refused or step.says):
            raise Wrong("`refused` and `says` go with `accepted`, or into the single steps")
        for number, raw in enumerate(step.steps, start=1):
            try:
                one = self._read(raw)
                if not isinstance(one, CommandStep) or isinstance(one, Send):
                    raise Wrong(
                        "only add, update, remove, clear, order and resolve can be together"
                    )
                if one.member is None:
                    raise Wrong("`member` is missing: each of these is done by one")
                self._member(one.member, one)
                self._names_of_lines(one)
            except (msgspec.ValidationError, Wrong) as error:
                raise Wrong(f"steps[{number}]: {sentence_of(error)}") from error

    def _who(self, step: Step) -> tuple[str, ...]:
        ways = (step.member is not None) + bool(step.members) + step.everyone
        if ways != 1:
            raise Wrong("say who: one of `member`, `members` and `everyone = true`")
        return self._session.who(step)

    def _member(self, name: str, step: Step) -> None:
        self._known(name)
        if isinstance(step, JoinTable):
            if name in self._here | self._away:
                raise Wrong(f"{name} sits at the table already; `come_back` ends `leave` and `cut`")
            self._here.add(name)
            return
        if name in self._away:
            if not isinstance(step, ComeBack):
                raise Wrong(f'{name} has left; let them do = "come_back" first')
            self._away.remove(name)
            self._here.add(name)
            return
        if name not in self._here:
            raise Wrong(f'{name} does not sit at the table yet; let them do = "join" first')
        if isinstance(step, ComeBack):
            if name not in self._cut:
                raise Wrong(f"{name} is here; `come_back` goes with `cut` or `leave` before")
            self._cut.remove(name)
            return
        if name in self._cut and _needs_network(step):
            raise Wrong(f'{name} has no connection; let them do = "come_back" first')
        if isinstance(step, Leave):
            self._here.remove(name)
            self._away.add(name)
            self._cut.discard(name)
        if isinstance(step, Cut):
            self._cut.add(name)

    def _known(self, name: str) -> None:
        if name not in self._session.members:
            known = ", ".join(self._session.members)
            raise Wrong(f"{name!r} is none of the `members`: {known}")

    def _names_of_lines(self, step: AnyStep) -> None:
        if isinstance(step, Add) and step.line_name is not None:
            if step.line_name in self._line_names:
                raise Wrong(f"`as`: a line is named {step.line_name!r} already")
            self._line_names.add(step.line_name)
        if isinstance(step, Update | Remove) and step.line not in self._line_names:
            raise Wrong(
                f"`line`: no step before has named a line {step.line!r} with `as`"
                + _near(step.line, self._line_names)
            )
        if isinstance(step, Send):
            if (step.message is None) == (step.text is None):
                raise Wrong("one of `message` and `text` is sent")
            for name in re.findall(r"\{([A-Za-z][\w-]*)\}", str(msgspec.to_builtins(step.message))):
                if name not in self._line_names:
                    raise Wrong(f"`message`: no step before has named a line {name!r} with `as`")

    def _expectation(self, step: Expect) -> None:
        if not (step.sights or step.nevers or step.has_state):
            raise Wrong("nothing is expected; give `sees`, `never`, `cart`, `orders` or `online`")
        for sight in step.sights:
            _known_happening(sight.what, "sees")
            check_keys(sight.fields, HAPPENINGS[sight.what], where=f"`sees` {sight.what}: ")
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
        raise Wrong(
            f"`{key}`: nothing is called {name!r}"
            + (_near(name, HAPPENINGS) or f"; known are: {', '.join(sorted(HAPPENINGS))}")
        )


def check_keys(
    raw: dict[str, Any], kind: type[Struct], *, besides: tuple[str, ...] = (), where: str = ""
) -> None:
    """Raise `Wrong` for a key that `kind` has not, with near ones."""
    known = (*kind.__struct_encode_fields__, *besides)
    for key in raw:
        if key not in known:
            _unknown_key(key, known, where)


def _unknown_key(key: str, known: Iterable[str], where: str) -> NoReturn:
    hint = _near(key, known) or f"; known are: {', '.join(known)}"
    raise Wrong(f"{where}`{key}` is unknown{hint}")


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, tuple(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def sentence_of(error: Exception) -> str:
    """What is wrong, after where it is: `cart.total`: Expected `float`, got `str`."""
    match = re.fullmatch(r"(?P<what>.*?) - at `\$\.?(?P<path>.*)`", str(error), re.DOTALL)
    if match is None or not match["path"]:
        return str(error)
    return f"`{match['path']}`: {match['what']}"
