"""What a worker counts while it drives: latencies in small buckets, refusals, deliveries."""

from typing import TypeVar

from msgspec import Struct, field

Key = TypeVar("Key")

SIGNIFICANT_BITS = 11
"""Of a latency in µs: buckets are at most 1/1024 of their value wide, three decimal digits."""

LATENCIES = ("own_echo", "last_member", "locked", "outcome")
"""edit → own echo, edit → last member, place → locked, place → outcome."""

Counts = dict[int, int]
"""How often each bucket of µs was met."""


def bucket(seconds: float) -> int:
    """The latency in µs, its low bits cut off."""
    micros = int(seconds * 1e6)
    low = micros.bit_length() - SIGNIFICANT_BITS
    if low <= 0:
        return max(micros, 1)
    return micros >> low << low


class Tally(Struct):
    """What was counted since the last report. `latencies` are by the names of `LATENCIES`."""

    edits: int = 0
    orders: int = 0
    deliveries: int = 0
    latencies: dict[str, Counts] = field(default_factory=lambda: {name: {} for name in LATENCIES})
    refused: dict[str, int] = field(default_factory=dict)
    """The server's legitimate noes, by code."""
    errors: dict[str, int] = field(default_factory=dict)
    """Connections lost, joins that failed, commands without an answer."""
    refreshes: int = 0
    drops: int = 0

    def record(self, name: str, seconds: float) -> None:
        """Count a latency."""
        counts = self.latencies[name]
        key = bucket(seconds)
        counts[key] = counts.get(key, 0) + 1

    def refuse(self, code: str) -> None:
        """Count a refusal."""
        self.refused[code] = self.refused.get(code, 0) + 1

    def fail(self, code: str) -> None:
        """Count an error."""
        self.errors[code] = self.errors.get(code, 0) + 1

    def add(self, other: "Tally") -> None:
        """Add another's counts."""
        self.edits += other.edits
        self.orders += other.orders
        self.deliveries += other.deliveries
        self.refreshes += other.refreshes
        self.drops += other.drops
        for name, counts in other.latencies.items():
            merge(self.latencies[name], counts)
        merge(self.refused, other.refused)
        merge(self.errors, other.errors)


def merge(into: dict[Key, int], counts: dict[Key, int]) -> None:
    """Add `counts` up."""
    for key, count in counts.items():
        into[key] = into.get(key, 0) + count
