"""A table's life in words: facts, then what happened in the order of time. Nothing in them is an escape."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
from rich.table import Table
from rich.text import Text

from comanda.actors.domain.incident import SENTENCES
from comanda.actors.domain.money import to_major
from comanda.storage.life import AttemptLife, OrderLife, SessionLife

from .phone import clean

COLUMNS = ("when", "who", "order", "what")


class Happened(NamedTuple):
    """One thing that happened. `who` is a member's name, `POS`, `staff`, or nobody."""

    at: datetime
    who: str
    order: str
    what: str

    def cells(self) -> tuple[str, str, str, str]:
        """As columns, each one printable line."""
        who, order, what = (clean(text) or "-" for text in self[1:])
        return _moment(self.at), who, order, what


def as_document(life: SessionLife) -> bytes:
    """The life as one JSON document. What went to the POS is in the order's lines; the bytes are left out."""
    whole = msgspec.to_builtins(life)
    for one in whole["orders"]:
        del one["order"]["payload"]
    return msgspec.json.encode(whole)


def facts_of(life: SessionLife) -> Iterator[str]:
    """What stands above the events."""
    state = "open" if life.closed_reason is None else f"closed: {clean(life.closed_reason)}"
    place = f"table {clean(life.table)} of {clean(life.restaurant)} ({life.restaurant_id})"
    yield f"Session {clean(life.session_pid)}, {place}, {state}"
    if life.forgotten_at is not None:
        yield f"Its guests were forgotten {_moment(life.forgotten_at)}: no names, no notes"
    changed = _moment(life.updated_at)
    yield f"Last changed {changed}; {life.seq} events, activated {life.activations} times"
    names = _names(life)
    yield "Members: " + (
        ", ".join(f"{clean(one.name)} ({clean(one.member_id)})" for one in life.members) or "nobody"
    )
    for line in life.cart:
        note = f", “{clean(line.note)}”" if line.note else ""
        amount = _amount(line.price_minor * line.qty, life)
        who = clean(names.get(line.added_by, line.added_by))
        yield f"In the cart: {line.qty} × {clean(line.name)}{note}, {amount}, {line.state}, by {who}"
    if life.lines_removed:
        yield f"Taken out of the cart: {life.lines_removed} lines; storage keeps not by whom, nor when"


def table_of(life: SessionLife) -> Table:
    """The events for a terminal."""
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for event in events_of(life):
        table.add_row(*(Text(cell) for cell in event.cells()))
    return table


def events_of(life: SessionLife) -> list[Happened]:
    """All that storage has a time for, the earliest first."""
    names = _names(life)
    events = [Happened(life.opened_at, "", "", "session opened")]
    events += [Happened(one.joined_at, one.name, "", "sat down") for one in life.members]
    if life.closed_at is not None:
        events.append(Happened(life.closed_at, "", "", f"closed: {life.closed_reason}"))
    if life.forgotten_at is not None:
        events.append(Happened(life.forgotten_at, "", "", "its guests were forgotten"))
    for one in life.orders:
        events += _order(one, names, life)
    return sorted(events, key=lambda event: event.at)


def _order(life: OrderLife, names: dict[str, str], session: SessionLife) -> Iterator[Happened]:
    order = life.order
    lines = ", ".join(f"{line.qty} × {line.name}" for line in order.lines)
    placed_by = names.get(order.placed_by, order.placed_by_name)
    what = f"placed: {lines}, {_amount(order.total_minor, session)}"
    yield Happened(order.placed_at, placed_by, order.order_id, what)
    for call in life.attempts:
        number = f"call {call.attempt}"
        yield Happened(call.started_at, "", order.order_id, f"{number} to the POS begun")
        if call.ended_at is not None:
            took = (call.ended_at - call.started_at).total_seconds()
            said = f"{number}: {_answer(call)}, after {took:.1f} s"
            yield Happened(call.ended_at, "POS", order.order_id, said)
    for incident in life.incidents:
        said = f"incident: {SENTENCES[incident.kind]}: {incident.detail}"
        yield Happened(incident.opened_at, "", order.order_id, said)
        if incident.closed_at is not None:
            closed = f"incident closed as {incident.closed_outcome}: {incident.closed_reason}"
            who = f"staff ({incident.closed_by})"
            yield Happened(incident.closed_at, who, order.order_id, closed)
    if life.void is not None:
        tries = f"{life.void.tries} tries" + (", going on" if life.void.due else "")
        wanted = f"to be taken back: {life.void.why} ({tries})"
        yield Happened(life.void.wanted_at, "", order.order_id, wanted)
        if life.void.voided_at is not None:
            yield Happened(life.void.voided_at, "POS", order.order_id, "promised not to cook it")
    if order.settled_at is not None:
        yield Happened(order.settled_at, _settler(life), order.order_id, _ending(life))
    else:
        held = (
            f"{order.state}; its lock ends" if order.state != "needs_staff" else "left to the staff"
        )
        yield Happened(order.lock_ends_at, "", order.order_id, held)


def _answer(call: AttemptLife) -> str:
    """What a call brought: its outcome, and the POS's words where they say more."""
    outcome, said = call.outcome or "", call.said or ""
    return said if said.startswith(outcome) else f"{outcome}, {said}"


def _settler(life: OrderLife) -> str:
    order = life.order
    if order.decided_by is not None:
        return f"staff ({order.decided_by})"
    return "POS" if order.heard_by is not None else ""


def _ending(life: OrderLife) -> str:
    order = life.order
    words: list[str] = [order.state]
    if order.pos_reference is not None:
        words.append(f"the POS's {order.pos_reference}")
    if order.heard_by is not None:
        words.append(f"heard by {order.heard_by}")
    if order.error is not None:
        words.append(order.error)
    if order.decided_reason is not None:
        words.append(order.decided_reason)
    return ", ".join(words)


def _names(life: SessionLife) -> dict[str, str]:
    return {one.member_id: one.name for one in life.members}


def _amount(minor: int, life: SessionLife) -> str:
    return f"{to_major(minor, life.minor_digits)} {life.currency}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}Z"
