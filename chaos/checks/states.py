"""I2, I6, I8, I9, I10: what members were told, against one another and against storage."""

from collections import defaultdict
from collections.abc import Iterator

from comanda.actors.domain.messages import Ack, CartSnapshot, OrderConfirmed, OrderFailed

from ..evidence import Evidence, Violation
from ..samples import Sample
from .seqs import seq_of

LINE_MOVES = {
    "pending": {"pending", "locked", "ordered"},
    "locked": {"locked", "ordered", "pending"},
    "ordered": {"ordered"},
}
"""Where a line's state can have come from one sample to the next."""

ORDER_MOVES = {
    "prepared": {"prepared", "sent", "unknown", "needs_staff", "confirmed", "rejected"},
    "sent": {"sent", "unknown", "needs_staff", "confirmed", "rejected"},
    "unknown": {"unknown", "needs_staff", "confirmed", "rejected"},
    "needs_staff": {"needs_staff", "confirmed", "rejected"},
    "confirmed": {"confirmed"},
    "rejected": {"rejected"},
}
"""Where an order's state can have come from one sample to the next."""


def nothing_newer_than_durable(evidence: Evidence) -> Iterator[Violation]:
    """I2: all that a life of the server told is in storage when it is dead, as it was told."""
    for heard in evidence.heard:
        sample = evidence.sample_after(heard.on.life)
        row = sample.sessions.get(heard.on.session)
        told = heard.told
        seq = told.seq if isinstance(told, Ack) else seq_of(told)
        if seq is not None and (row is None or seq > row.seq):
            durable = "no session" if row is None else f"seq {row.seq}"
            yield Violation(
                "I2",
                f"life {heard.on.life} told seq {seq} of {heard.on.session}; storage has {durable}",
            )
        if isinstance(told, OrderConfirmed | OrderFailed):
            order = sample.orders.get(told.order_id)
            state = "confirmed" if isinstance(told, OrderConfirmed) else "rejected"
            if order is None or order.state != state:
                found = "nothing" if order is None else order.state
                yield Violation("I2", f"{told.order_id} was told {state}; storage has {found}")


def epochs_rise(evidence: Evidence) -> Iterator[Violation]:
    """I6: neither a session's epoch nor its `seq` goes back."""
    for before, after in _pairs(evidence):
        for pid, was in before.sessions.items():
            now = after.sessions.get(pid)
            if now is None or now.epoch < was.epoch or now.seq < was.seq:
                found = "gone" if now is None else f"at epoch {now.epoch}, seq {now.seq}"
                yield Violation(
                    "I6", f"session {pid} was at epoch {was.epoch}, seq {was.seq}, now {found}"
                )


def legal_moves(evidence: Evidence) -> Iterator[Violation]:
    """I8: lines and orders move as their tables say, and what was there stays."""
    for before, after in _pairs(evidence):
        for key, was in before.lines.items():
            now = after.lines.get(key)
            found = "gone" if now is None else now.state
            if found not in LINE_MOVES[was.state] or (now and was.removed and not now.removed):
                yield Violation("I8", f"line {key[1]} of {key[0]} went from {was.state} to {found}")
        for order_id, order in before.orders.items():
            later = after.orders.get(order_id)
            found = "gone" if later is None else later.state
            if found not in ORDER_MOVES[order.state]:
                yield Violation("I8", f"{order_id} went from {order.state} to {found}")


def no_gaps(evidence: Evidence) -> Iterator[Violation]:
    """I9: on a connection `seq` rises by one, unless a snapshot stands before."""
    last: dict[int, int] = {}
    for heard in evidence.heard:
        seq = seq_of(heard.told)
        if seq is None:
            continue
        was = last.get(heard.on.connection)
        last[heard.on.connection] = seq
        if isinstance(heard.told, CartSnapshot):
            fits = was is None or seq >= was
        else:
            fits = was is not None and seq == was + 1
        if not fits:
            yield Violation(
                "I9", f"connection {heard.on.connection} heard seq {seq} after {was or 'nothing'}"
            )


def equal_seq_equal_state(evidence: Evidence) -> Iterator[Violation]:
    """I10: at the same `seq` every member and storage have the same state."""
    states: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
    carts: dict[tuple[str, int], str] = {}
    for heard in evidence.heard:
        seq = seq_of(heard.told)
        if seq is not None and heard.state is not None and heard.cart is not None:
            states[heard.on.session, seq].setdefault(heard.state, heard.on.connection)
            carts[heard.on.session, seq] = heard.cart
    for (session, seq), seen in states.items():
        if len(seen) > 1:
            yield Violation(
                "I10",
                f"at seq {seq} of {session} members have {len(seen)} states, "
                f"first on connections {sorted(seen.values())}",
            )
    for sample in evidence.samples:
        for pid, row in sample.sessions.items():
            if carts.get((pid, row.seq), row.cart) != row.cart:
                yield Violation(
                    "I10", f"at seq {row.seq} of {pid} members have another cart than storage"
                )


def _pairs(evidence: Evidence) -> Iterator[tuple[Sample, Sample]]:
    return zip(evidence.samples, evidence.samples[1:], strict=False)
