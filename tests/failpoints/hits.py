"""What the tests of this folder know of a table's first order."""

T1_AMONG_COMMITS = 7
"""The menu, the session, its activation, the member, the line, the order's number, then T1."""

PATIENCE_SECONDS = 30
"""Far above what an order takes, a restart of the server included."""


def hit_of_order(place: str) -> int:
    """The hit of `place` at which the first order comes by; at `commit` its T1."""
    return T1_AMONG_COMMITS if place.startswith("commit") else 1
