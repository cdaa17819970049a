"""I13: what goes wrong at one table, one restaurant or one phone touches no other. Judged as `invariants`."""

from collections.abc import Iterator

from .witness import Evidence

CLOSE_FAILED = 1011

RESTORED_SECONDS = 75.0
"""So long a session's own failure may be felt: restarts with their backoff, then a quarantine of 60 s."""

ORDER_SECONDS = 8.0
"""An order that nothing disturbs is settled within it: the POS decides within 3 s."""


def crashes_touch_no_other_session(evidence: Evidence) -> Iterator[str]:
    """A connection closed 1011 has a cause: its own session's failure, or trouble of the whole house."""
    for closed in evidence.closed:
        if closed.code != CLOSE_FAILED:
            continue
        own = any(at <= closed.at <= at + RESTORED_SECONDS for at in evidence.failures)
        if not own and not _is_disturbed(evidence, closed.at, closed.at):
            yield (
                f"connection {closed.connection} was closed {closed.code} at {closed.at:.1f} s, "
                "and nothing of its own had failed"
            )


def orders_that_nothing_disturbs_are_settled_soon(evidence: Evidence) -> Iterator[str]:
    """Another session's crash and another restaurant's dead POS are no excuse."""
    placed: dict[str, float] = {}
    settled: set[str] = set()
    for sample in evidence.samples:
        for order_id, order in sample.orders.items():
            began = placed.setdefault(order_id, sample.at)
            if order_id in settled or order.state not in ("confirmed", "rejected"):
                continue
            settled.add(order_id)
            took = sample.at - began
            if (
                order_id in evidence.plain_orders
                and took > ORDER_SECONDS
                and not _is_disturbed(evidence, began, sample.at)
                and not any(began - RESTORED_SECONDS <= at <= sample.at for at in evidence.failures)
            ):
                yield f"{order_id} took {took:.1f} s to be settled, and nothing was wrong"


def everybody_is_told_at_once(evidence: Evidence) -> Iterator[str]:
    """An event leaves for all connections at the same moment, whoever reads slowly."""
    told_at: dict[tuple[str, int], float] = {}
    for told in evidence.tellings:
        if told.kind in ("ack", "cart_snapshot"):
            continue
        at = told_at.setdefault((told.kind, told.seq), told.at)
        if told.at != at:
            yield (
                f"connection {told.connection} was told {told.kind} {told.seq} {told.at - at:.1f} s "
                "after another"
            )


def _is_disturbed(evidence: Evidence, begin: float, end: float) -> bool:
    return any(
        since <= end and begin <= until
        for since, until in (*evidence.disturbances, *evidence.pos_dead)
    )
