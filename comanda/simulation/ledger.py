"""What a POS has done, in order: the truth that every run is judged by."""

from typing import Literal, NamedTuple

What = Literal["effect", "refused", "voided", "withdrawn", "other body", "reused"]
"""`effect`: the kitchen got it. `voided` and `withdrawn`: it does not cook it any more, by our word or
by its own. `other body`: a key came a second time with other bytes. `reused`: the POS has another order
under this key, and says so."""


class Entry(NamedTuple):
    """One line: when, what, under which key, and the bytes that came."""

    at: float
    what: What
    key: str
    body: bytes


def cooked(ledger: list[Entry]) -> dict[str, bytes]:
    """The orders that the kitchen has at the end, by key."""
    has: dict[str, bytes] = {}
    for entry in ledger:
        if entry.what == "effect":
            has[entry.key] = entry.body
        elif entry.what in ("voided", "withdrawn"):
            has.pop(entry.key, None)
    return has
