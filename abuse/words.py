"""What the evening and its hostile processes tell each other: one JSON object a line, over pipes."""

from msgspec import Struct, field, json

MOST_LINE_BYTES = 16 * 1024 * 1024
"""The longest line: a report in which everything went wrong."""

VIOLATIONS_KEPT = 20
"""Of a process: more of the same help nobody."""

Counts = dict[str, int]


class Job(Struct, frozen=True, kw_only=True):
    """What a process is to do. `number` is its own, of `processes`; times are in seconds."""

    port: int
    seed: int
    number: int
    processes: int
    rate: float
    only: tuple[str, ...]
    tables: tuple[str, ...]
    restaurant_id: int
    staff_token: str
    pos_secret: str


class Neighbours(Struct, frozen=True):
    """The sessions of the honest tables, as a thief might know them."""

    sessions: tuple[str, ...]


class Tally(Struct):
    """What was counted since the last report, by kind of attack, status and close code.

    `busy` are answers 503 with Retry-After: a limit's, by their problem's code. `refused` connections were
    not taken at all; `unheard` ended with neither answer nor close frame.
    """

    frames: Counts = field(default_factory=dict)
    requests: Counts = field(default_factory=dict)
    statuses: Counts = field(default_factory=dict)
    closes: Counts = field(default_factory=dict)
    busy: Counts = field(default_factory=dict)
    attacks: Counts = field(default_factory=dict)
    connections: int = 0
    refused: int = 0
    unheard: int = 0
    violations: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add another's counts."""
        for name in ("frames", "requests", "statuses", "closes", "busy", "attacks"):
            into, more = getattr(self, name), getattr(other, name)
            for key, count in more.items():
                into[key] = into.get(key, 0) + count
        self.connections += other.connections
        self.refused += other.refused
        self.unheard += other.unheard
        self.violations += other.violations

    @property
    def hostile(self) -> int:
        """Frames and requests together."""
        return sum(self.frames.values()) + sum(self.requests.values())


encode = json.Encoder().encode
decode_job = json.Decoder(Job).decode
decode_neighbours = json.Decoder(Neighbours).decode
decode_tally = json.Decoder(Tally).decode


def count(into: Counts, key: str, more: int = 1) -> None:
    """Count `more` under `key`."""
    into[key] = into.get(key, 0) + more
