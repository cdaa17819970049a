"""What stands in the ledger: one frozen line for each effect, and for each call that had none."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

Status = Literal["accepted", "pending", "rejected", "voided"]
NoteKind = Literal["duplicate", "key_reused"]


class Effect(Struct, frozen=True, kw_only=True, tag_field="line", tag="effect", omit_defaults=True):
    """The POS bound a key to an outcome; `settles`: it changed the outcome of a key it had.

    `sha256` is that of the payload's bytes, hexadecimal; "" for a void, which has none. `at` is UTC.
    A pending order becomes `becomes` at `due_at`.
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


class Note(Struct, frozen=True, kw_only=True, tag_field="line", tag="note"):
    """A further call with a known key, which had no effect."""

    key: str
    sha256: str
    at: datetime
    kind: NoteKind


Line = Effect | Note


class Summary(Struct, frozen=True):
    """What a ledger comes to. `doubled`: keys with more than one effect, of which there must be none."""

    keys: int
    effects: int
    duplicates: int
    key_reused: int
    doubled: tuple[str, ...]


def summarize(lines: Iterable[Line]) -> Summary:
    """Count a ledger. A line that settles a key's first effect is no further effect."""
    effects: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    keys = set()
    for line in lines:
        keys.add(line.key)
        if isinstance(line, Note):
            notes[line.kind] += 1
        elif not line.settles:
            effects[line.key] += 1
    doubled = tuple(sorted(key for key, count in effects.items() if count > 1))
    return Summary(len(keys), effects.total(), notes["duplicate"], notes["key_reused"], doubled)
