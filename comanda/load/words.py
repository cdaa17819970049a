"""What the driver and its workers tell each other: one JSON object a line, over the worker's pipes."""

from typing import Annotated

from msgspec import Meta, Struct, field, json

from .tally import Tally

MOST_LINE_BYTES = 64 * 1024 * 1024
"""The longest line: the last report of many tables with everything wrong."""


class Say(Struct, frozen=True, tag_field="say"):
    """What a worker is told: `measure` (all are seated), `stop`, `end`."""

    word: Annotated[str, Meta(pattern="^(measure|stop|end)$")]


class OrderEnd(Struct, frozen=True):
    """An order that was told, and its last word."""

    order_id: str
    stage: str


class Report(Struct):
    """What a worker tells: what was counted since its last report, and how far it is.

    `seated` tables have all their members, `given_up` never will. `settled` is said once, when all is
    quiet after `stop` or the time for that is over; `wrongs` and `orders` come with the last, `ended`.
    """

    tally: Tally
    seated: int = 0
    given_up: int = 0
    connections: int = 0
    settled: bool = False
    ended: bool = False
    cpu_seconds: float = 0.0
    unquiet: int = 0
    wrongs: list[str] = field(default_factory=list)
    orders: list[OrderEnd] = field(default_factory=list)
    broken: str = ""
    """A sentence, where the worker itself could not go on."""


encode = json.Encoder().encode
decode_report = json.Decoder(Report).decode
decode_say = json.Decoder(Say).decode
