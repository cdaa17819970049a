"""The attacks by their names: what each does, and how often it is chosen among its like."""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ..stock import Stock
from ..world import World
from . import calls, joining, people, shapes, slow, violations


class Attack(NamedTuple):
    """`run` makes one attack and returns; `weight` is how often it is chosen among its like."""

    run: Callable[[World, Stock, random.Random], Awaitable[None]]
    weight: int


TALKS: Mapping[str, Attack] = {
    "mutated-commands": Attack(people.mutated_commands, 26),
    "flood": Attack(people.flood, 8),
    "diner": Attack(people.diner, 6),
    "frame-violations": Attack(violations.frame_violations, 14),
    "early-bytes": Attack(violations.early_bytes, 6),
    "wrong-joins": Attack(joining.wrong_joins, 10),
    "wrong-handshakes": Attack(joining.wrong_handshakes, 6),
}
"""On websockets, and over at once: they make the numbers."""

CALLS: Mapping[str, Attack] = {
    "connect-and-drop": Attack(joining.connect_and_drop, 1),
    "mutated-requests": Attack(calls.mutated_requests, 14),
    "request-flood": Attack(calls.request_flood, 1),
    "callbacks": Attack(calls.callbacks, 4),
    "no-right": Attack(calls.no_right, 4),
    "smuggling": Attack(shapes.smuggling, 6),
    "cut-requests": Attack(shapes.cut_requests, 4),
}
"""Over HTTP, and over at once."""

SLOW: Mapping[str, Attack] = {
    "slow-heads": Attack(slow.slow_heads, 3),
    "slow-bodies": Attack(slow.slow_bodies, 2),
    "half-handshakes": Attack(slow.half_handshakes, 2),
    "silent-members": Attack(slow.silent_members, 2),
    "unfinished-fragments": Attack(slow.unfinished_fragments, 3),
    "slow-readers": Attack(slow.slow_readers, 3),
}
"""Those that hold a connection for seconds: they run beside the others, on lanes of their own."""

ATTACKS: Mapping[str, Attack] = {**TALKS, **CALLS, **SLOW}
