"""`python -m tests.abuse.broken FAULT serve …`: the real server, weak in one way on purpose.

The hostile evening must find each of these; one that finds nothing has tried nothing.
"""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import itsdangerous

import comanda.actors.domain.decide as deciding
from comanda.actors.menu_book import MenuBook
from comanda.actors.ports import SessionKey
from comanda.cli import main
from comanda.http.auth import BadToken, MemberPass, MemberTokens
from comanda.http.callbacks import CallbackSignatures
from comanda.http.connection import MemberConnection

from ..load import broken

KEPT_BYTES = 300_000
"""Of each bad message: a few hundred of them are more than an evening may grow by."""


def five_hundreds() -> None:
    """A table that nobody has breaks the request."""
    table = MenuBook.table

    def weak(self: MenuBook, code: str) -> Any:
        found = table(self, code)
        if found is None:
            raise KeyError(code)
        return found

    _put(MenuBook, "table", weak)


def crashes() -> None:
    """A letter that turns the writing round crashes the table's actor."""
    decide_command = deciding._command

    def weak(session: Any, member_id: str, command: Any, context: Any) -> Any:
        if "\u202e" in (getattr(command, "note", None) or ""):
            raise RuntimeError("a weak spot")
        return decide_command(session, member_id, command, context)

    _put(deciding, "_command", weak)


def dies() -> None:
    """A callback without a signature ends the process."""
    check = CallbackSignatures.check

    def weak(self: CallbackSignatures, body: bytes, headers: Mapping[str, str]) -> None:
        if "webhook-signature" not in {name.lower() for name in headers}:
            os._exit(3)
        check(self, body, headers)

    _put(CallbackSignatures, "check", weak)


def leaks() -> None:
    """Something of each bad message stays in memory."""
    bad = MemberConnection._bad
    kept: list[bytes] = []

    def weak(self: MemberConnection, sentence: str, request_id: str | None) -> None:
        kept.append(b"x" * KEPT_BYTES)
        bad(self, sentence, request_id)

    _put(MemberConnection, "_bad", weak)


def believes_anybody() -> None:
    """A callback's signature is not looked at: anybody may say what became of an order."""
    _put(CallbackSignatures, "check", lambda self, body, headers: None)


def opens_to_anybody() -> None:
    """A member's token counts whoever has signed it."""

    def weak(self: MemberTokens, token: str) -> MemberPass:
        try:
            _, said = self._serializer.loads_unsafe(token)
            restaurant_id, pid, member_id = said
        except (itsdangerous.BadData, ValueError, TypeError) as error:
            raise BadToken("The token is not valid") from error
        return MemberPass(SessionKey(restaurant_id, pid), member_id)

    _put(MemberTokens, "read", weak)


WEAK: Mapping[str, Callable[[], None]] = {
    "five-hundreds": five_hundreds,
    "crashes": crashes,
    "dies": dies,
    "leaks": leaks,
    "believes-anybody": believes_anybody,
    "opens-to-anybody": opens_to_anybody,
    "wrong-carts": broken.stale_snapshots,
    "two-orders": broken.two_orders,
}


def _put(where: object, name: str, what: object) -> None:
    """Replace `name`, which must be there: a fault that breaks nothing would prove nothing."""
    getattr(where, name)
    setattr(where, name, what)


if __name__ == "__main__":
    WEAK[sys.argv.pop(1)]()
    main()
