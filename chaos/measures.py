"""What is measured beside the invariants, and how it is printed."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from comanda.actors.domain.messages import (
    Ack,
    CartLocked,
    CartSnapshot,
    CartUnlocked,
    OrderConfirmed,
    OrderFailed,
)

from .evidence import Evidence
from .journal import ENDED

RELEASES = OrderConfirmed | OrderFailed | CartUnlocked


@dataclass
class Measures:
    """Of one evening, or of several together. Times are in seconds."""

    kills: int = 0
    orders: int = 0
    confirmed: int = 0
    needed_staff: int = 0
    commands: int = 0
    effects: int = 0
    recoveries: list[float] = field(default_factory=list)
    """From each kill of the server to the first acknowledgement after it."""
    longest_lock: float = 0.0

    def add(self, other: "Measures") -> None:
        """Put another evening's to these."""
        self.kills += other.kills
        self.orders += other.orders
        self.confirmed += other.confirmed
        self.needed_staff += other.needed_staff
        self.commands += other.commands
        self.effects += other.effects
        self.recoveries += other.recoveries
        self.longest_lock = max(self.longest_lock, other.longest_lock)


def measure(evidence: Evidence, kills: int) -> Measures:
    """All figures of one evening."""
    orders = evidence.at_rest.orders.values()
    return Measures(
        kills=kills,
        orders=len(orders),
        confirmed=sum(order.state == "confirmed" for order in orders),
        needed_staff=sum(order.decided_by is not None for order in orders),
        commands=sum(bool(asked.acks) for asked in evidence.asked.values()),
        effects=len(evidence.effects),
        recoveries=list(_recoveries(evidence)),
        longest_lock=max(_locks(evidence), default=0.0),
    )


def _recoveries(evidence: Evidence) -> Iterable[float]:
    """From each kill; a life that was itself killed before it had acknowledged anything has none.

    A graceful end is no kill: its grace would be in the figure.
    """
    first_acks: dict[int, float] = {}
    for heard in evidence.heard:
        if isinstance(heard.told, Ack):
            first_acks.setdefault(heard.on.life, heard.at)
    for done in evidence.done:
        after = first_acks.get(done.life + 1)
        if done.what == "gone" and done.detail != ENDED and after is not None:
            yield after - done.at


def _locks(evidence: Evidence) -> Iterable[float]:
    """Each lock as members saw it: from the first who heard of it to the first who heard of its end."""
    since: dict[str, float] = {}
    ended: dict[str, float] = {}
    for heard in evidence.heard:
        told = heard.told
        if isinstance(told, CartLocked):
            since.setdefault(told.order_id, heard.at)
        elif isinstance(told, CartSnapshot):
            if told.pending_order_id is not None:
                since.setdefault(told.pending_order_id, heard.at)
            for doubt in told.orders_in_doubt:
                ended.setdefault(doubt.order_id, heard.at)
        elif isinstance(told, RELEASES):
            ended.setdefault(told.order_id, heard.at)
    return [ended[order_id] - at for order_id, at in since.items() if order_id in ended]


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed; not a number where there are none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def table(cycles: int, violations: int, measures: Measures) -> str:
    """The figures as they are printed at the end."""
    recoveries = measures.recoveries
    rows = [
        ("cycles", f"{cycles:,}"),
        ("kills of the server", f"{measures.kills:,}"),
        ("commands acknowledged", f"{measures.commands:,}"),
        ("orders", f"{measures.orders:,}"),
        ("  confirmed", f"{measures.confirmed:,}"),
        ("  settled by staff", f"{measures.needed_staff:,}"),
        ("effects at the POS", f"{measures.effects:,}"),
        ("kill to first acknowledgement, p50", f"{quantile(recoveries, 0.5):.2f} s"),
        ("kill to first acknowledgement, p99", f"{quantile(recoveries, 0.99):.2f} s"),
        ("longest lock that members saw", f"{measures.longest_lock:.2f} s"),
        ("violations", f"{violations:,}"),
    ]
    return "\n".join(f"{name:<38}{value:>12}" for name, value in rows)
