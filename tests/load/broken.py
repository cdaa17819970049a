"""`python -m tests.load.broken FAULT …`: `comanda`, the server that it starts broken in one way on purpose.

The load tester must find each of these; one that finds nothing has checked nothing.
"""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping

from msgspec.structs import replace

import comanda.actors.domain.decide as deciding
from comanda.actors.audience import Audience, Seat
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.editing import EditCommand, edit
from comanda.actors.domain.inputs import Context, Decision, Refusal
from comanda.actors.domain.messages import AddItem, CartCommand
from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.domain.session import Session
from comanda.cli import load_server, main
from comanda.pos.webhook import WebhookPos

EVERY = 5
"""A fault that shows now and then shows every so often."""


def _now(counting: Iterator[int]) -> bool:
    return next(counting) % EVERY == 0


def no_lock() -> None:
    """Edits are taken while an order is being processed."""
    decide_command = deciding._command

    def broken(
        session: Session, member_id: str, command: CartCommand, context: Context
    ) -> Decision | Refusal:
        if session.pending is not None and isinstance(command, AddItem):
            return edit(session, member_id, command, context)
        return decide_command(session, member_id, command, context)

    _put(deciding, "_command", broken)


def deaf_member() -> None:
    """Now and then an event does not go to one of the members."""
    counting = itertools.count(1)

    def broken(self: Audience, frame: bytes, *, besides: Seat | None = None) -> None:
        seats = list(self._seats)
        if len(seats) > 1 and _now(counting):
            seats.pop()
        for seat in seats:
            if seat is not besides:
                seat.outlet.send(frame)

    _put(Audience, "send", broken)


def empty_acks() -> None:
    """Now and then an edit is acknowledged and not made."""
    decide_command = deciding._command
    counting = itertools.count(1)

    def broken(
        session: Session, member_id: str, command: CartCommand, context: Context
    ) -> Decision | Refusal:
        decision = decide_command(session, member_id, command, context)
        made = isinstance(command, EditCommand) and isinstance(decision, Decision)
        return Decision(session, (), Changes()) if made and _now(counting) else decision

    _put(deciding, "_command", broken)


def two_orders() -> None:
    """Each order goes to the POS a second time, under a key of its own."""
    submit = WebhookPos.submit

    async def broken(self: WebhookPos, order: Order) -> PosOutcome:
        key = f"{order.order_id}0000"
        payload = order.payload.replace(order.order_id.encode(), key.encode())
        await submit(self, replace(order, order_id=key, payload=payload))
        return await submit(self, order)

    _put(WebhookPos, "submit", broken)


def stale_snapshots() -> None:
    """Who comes back is greeted with a cart that has lost its last line."""
    snapshot = Session.snapshot

    def broken(self: Session, online: frozenset[str]) -> object:
        whole = snapshot(self, online)
        return replace(whole, items=whole.items[:-1])

    _put(Session, "snapshot", broken)


BROKEN: Mapping[str, Callable[[], None]] = {
    "no-lock": no_lock,
    "deaf-member": deaf_member,
    "empty-acks": empty_acks,
    "two-orders": two_orders,
    "stale-snapshots": stale_snapshots,
}


def _put(where: object, name: str, what: object) -> None:
    """Replace `name`, which must be there: a fault that breaks nothing would prove nothing."""
    getattr(where, name)
    setattr(where, name, what)


if __name__ == "__main__":
    fault = sys.argv.pop(1)
    if sys.argv[1] == "serve":
        BROKEN[fault]()
    load_server.COMANDA[:] = [sys.executable, "-m", "tests.load.broken", fault]
    main()
