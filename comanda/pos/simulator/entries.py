"""What stands in the ledger: one frozen line for each effect, callback, and call that had no effect."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

Status = Literal["accepted", "pending", "rejected", "voided"]
NoteKind = Literal["duplicate", "key_reused"]


class Effect(Struct, frozen=True, kw_only=True, tag_field="line", tag="effect", omit_defaults=True):
    """The POS bound a key to an outcome; `settles`: it changed the outcome of a key it had.

    `sha256` is that of the payload's bytes, hexadecimal; "" for a void, which has none. `at` is UTC.
    With `due_at` the key becomes `becomes` then, whatever it is now: a pending order is settled, a POS
    that contradicts itself does so. `callbacks` says how often the last outcome is told by callback.
    """

    key: str
    sha256: str
    at: datetime
    kind: Status
    settles: bool = False
    reference: str | None = None
    code: str | None = None
    message: str | None = None
    retryable: bool = False
    due_at: datetime | None = None
    becomes: Literal["accepted", "rejected"] = "accepted"
    callbacks: int = 0

    @property
    def event_id(self) -> str:
        """The id of the callback about this effect: the same for the same key and kind, for ever.

        It has no full stop, which separates what Standard Webhooks sign; a key may have one.
        """
        return f"evt_{hashlib.sha256(f'{self.kind}:{self.key}'.encode()).hexdigest()[:32]}"


class Note(Struct, frozen=True, kw_only=True, tag_field="line", tag="note"):
    """A further call with a known key, which had no effect."""

    key: str
    sha256: str
    at: datetime
    kind: NoteKind


class Callback(Struct, frozen=True, kw_only=True, tag_field="line", tag="callback"):
    """A callback came to its end: answered with 2xx, or given up. `answer`: the last status, if any."""

    key: str
    event_id: str
    at: datetime
    kind: Literal["delivered", "given_up"]
    answer: int | None = None


Line = Effect | Note | Callback


class Books:
    """What the lines come to, one after another: each key's outcome, and the callbacks still owed."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.outcomes: dict[str, Effect] = {}
        self.owed: dict[str, Effect] = {}
        """By event id; `callbacks` is how many are left."""
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        """Take the next line."""
        if isinstance(line, Effect):
            self.outcomes[line.key] = line
            if line.callbacks and line.due_at is None:
                self.owed[line.event_id] = line
        elif isinstance(line, Callback) and line.event_id in self.owed:
            effect = self.owed.pop(line.event_id)
            if line.kind == "delivered" and effect.callbacks > 1:
                self.owed[line.event_id] = replace(effect, callbacks=effect.callbacks - 1)


class Summary(Struct, frozen=True):
    """What a ledger comes to.

    `doubled`: keys with more than one effect, of which there must be none. `cooked`: how many orders
    the kitchen was left with, accepted and neither rejected nor voided later. `contradicted`: keys
    that were accepted after they were rejected, or the other way round. `owed`: callbacks to come.
    """

    keys: int
    effects: int
    cooked: int
    duplicates: int
    key_reused: int
    delivered: int
    given_up: int
    owed: int
    doubled: tuple[str, ...]
    contradicted: tuple[str, ...]


def cooked_times(lines: Iterable[Line]) -> Counter[str]:
    """How often each key is cooked. A line that settles stands in the place of the key's last one."""
    times: Counter[str] = Counter()
    last: dict[str, Status] = {}
    for line in lines:
        if isinstance(line, Effect):
            if line.settles and last.get(line.key) == "accepted":
                times[line.key] -= 1
            times[line.key] += line.kind == "accepted"
            last[line.key] = line.kind
    return +times


def summarize(lines: Iterable[Line]) -> Summary:
    """Count a ledger. A line that settles a key's first effect is no further effect."""
    lines = list(lines)
    books = Books(lines)
    firsts = Counter(line.key for line in lines if isinstance(line, Effect) and not line.settles)
    others = Counter(line.kind for line in lines if not isinstance(line, Effect))
    return Summary(
        keys=len({line.key for line in lines}),
        effects=firsts.total(),
        cooked=cooked_times(lines).total(),
        duplicates=others["duplicate"],
        key_reused=others["key_reused"],
        delivered=others["delivered"],
        given_up=others["given_up"],
        owed=sum(effect.callbacks for effect in books.owed.values()),
        doubled=tuple(sorted(key for key, count in firsts.items() if count > 1)),
        contradicted=tuple(sorted(_contradicted(lines))),
    )


def _contradicted(lines: Iterable[Line]) -> set[str]:
    last: dict[str, Status] = {}
    found = set()
    for line in lines:
        if isinstance(line, Effect):
            if {last.get(line.key), line.kind} == {"accepted", "rejected"}:
                found.add(line.key)
            last[line.key] = line.kind
    return found
