"""When the server was away: dead, starting, or stopped."""

import math
from collections.abc import Iterable

from .journal import Done


def outages(done: Iterable[Done]) -> list[tuple[float, float]]:
    """From when to when, in order; the last one may be open."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for one in done:
        if one.what in ("gone", "stopped") and since is None:
            since = one.at
        elif one.what in ("ready", "continued") and since is not None:
            found.append((since, one.at))
            since = None
    if since is not None:
        found.append((since, math.inf))
    return found
