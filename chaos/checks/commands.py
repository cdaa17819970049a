"""I1 and I11: what was acknowledged has its effect once, and the same reply for ever."""

from collections import defaultdict
from collections.abc import Iterator

from msgspec import UNSET

from comanda.actors.domain.messages import AddItem, ClearCart, PlaceOrder, RemoveItem, UpdateItem

from ..commands import tag_of
from ..evidence import Asked, Evidence, Violation
from ..samples import LineRow, OrderRow

NEVER_DECIDED = frozenset({"too_busy", "storage_unavailable", "rate_limited"})
"""Refusals for the moment: they say nothing of the command, and may come for a known one too."""


def acked_once(evidence: Evidence) -> Iterator[Violation]:
    """I1: an acknowledged command has its effect exactly once; any other at most once."""
    rows: dict[tuple[str, str], list[LineRow]] = defaultdict(list)
    orders: dict[tuple[str, str], list[OrderRow]] = defaultdict(list)
    for row in evidence.at_rest.lines.values():
        rows[row.session, tag_of(row.note)].append(row)
    for order in evidence.at_rest.orders.values():
        orders[order.session, order.instructions].append(order)
    for asked in evidence.asked.values():
        key = (asked.session, asked.request_id)
        if isinstance(asked.command, AddItem):
            yield from _as_often_as_acked(asked, "line", len(rows[key]))
        elif isinstance(asked.command, PlaceOrder):
            yield from _as_often_as_acked(asked, "order", len(orders[key]))
    yield from _contents_are_last_acked(evidence)
    yield from _removed_stays_away(evidence, orders)


def _as_often_as_acked(asked: Asked, what: str, found: int) -> Iterator[Violation]:
    least = 1 if asked.acks else 0
    most = 1 if asked.acks or asked.may_have_effect else 0
    if not least <= found <= most:
        told = "acknowledged" if asked.acks else "refused" if asked.refusals else "not answered"
        yield Violation("I1", f"the {what} of {asked.request_id}, {told}, is there {found} times")


def _contents_are_last_acked(evidence: Evidence) -> Iterator[Violation]:
    """Quantity and note of each line are those of its last acknowledged change, or of an open one."""
    by_tag = {
        (row.session, tag_of(row.note)): row.public_id for row in evidence.at_rest.lines.values()
    }
    acked: dict[tuple[str, str], list[tuple[int, int | None, str | None]]] = defaultdict(list)
    maybe: dict[tuple[str, str], list[tuple[int | None, str | None]]] = defaultdict(list)
    for asked in evidence.asked.values():
        command = asked.command
        qty: int | None
        note: str | None
        if isinstance(command, AddItem):
            public_id = by_tag.get((asked.session, asked.request_id), "")
            qty, note = command.qty, command.note
        elif isinstance(command, UpdateItem):
            public_id = command.public_id
            qty = None if command.qty is UNSET else command.qty
            note = None if command.note is UNSET else command.note
        else:
            continue
        if asked.acked_at is not None:
            acked[asked.session, public_id].append((asked.acked_at, qty, note))
        elif asked.may_have_effect:
            maybe[asked.session, public_id].append((qty, note))
    for key, changes in acked.items():
        row = evidence.at_rest.lines.get(key)
        if row is None:
            continue  # a lost line is told of above
        changes.sort(key=lambda change: change[0])
        quantities = [qty for _, qty, _ in changes if qty is not None][-1:]
        notes = [note for _, _, note in changes if note is not None][-1:]
        quantities += [qty for qty, _ in maybe[key] if qty is not None]
        notes += [note for _, note in maybe[key] if note is not None]
        if row.qty not in quantities or row.note not in notes:
            yield Violation(
                "I1",
                f"line {key[1]} of {key[0]} has {row.qty} × {row.note!r}, "
                f"acknowledged or possible are {quantities} × {notes}",
            )


def _removed_stays_away(
    evidence: Evidence, orders: dict[tuple[str, str], list[OrderRow]]
) -> Iterator[Violation]:
    """An acknowledged removal has taken its lines out: they are in no cart and in no later order."""
    ordered_at = {
        order.order_id: asked.acked_at
        for asked in evidence.asked.values()
        if asked.acked_at is not None
        for order in orders.get((asked.session, asked.request_id), ())
    }
    of_session: dict[str, list[LineRow]] = defaultdict(list)
    for row in evidence.at_rest.lines.values():
        of_session[row.session].append(row)
    added_at = {
        (asked.session, asked.request_id): asked.acked_at
        for asked in evidence.asked.values()
        if isinstance(asked.command, AddItem)
    }
    for asked in evidence.asked.values():
        seq, command = asked.acked_at, asked.command
        if seq is None:
            continue
        if isinstance(command, RemoveItem):
            found = evidence.at_rest.lines.get((asked.session, command.public_id))
            gone = [] if found is None else [found]
        elif isinstance(command, ClearCart):
            gone = [
                row
                for row in of_session[asked.session]
                if (added_at.get((row.session, tag_of(row.note))) or seq) < seq
            ]
        else:
            continue
        for row in gone:
            if row.removed:
                continue
            ordered = ordered_at.get(row.order_id or "", seq if row.order_id else None)
            if ordered is None or ordered > seq:
                yield Violation(
                    "I1", f"line {row.public_id} is back after {asked.request_id} had removed it"
                )


def same_reply(evidence: Evidence) -> Iterator[Violation]:
    """I11: the `request_id` of an accepted command gets the same reply each time."""
    for asked in evidence.asked.values():
        seqs = sorted({ack.seq for _, ack in asked.acks})
        if len(seqs) > 1:
            yield Violation("I11", f"{asked.request_id} was acknowledged with seq {seqs}")
        for on, error in asked.refusals:
            if error.code in NEVER_DECIDED or not asked.acks:
                continue
            if on.connection > asked.acks[0][0].connection:
                yield Violation(
                    "I11", f"{asked.request_id} was accepted, and later refused: {error.code}"
                )
