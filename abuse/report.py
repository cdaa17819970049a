"""The evening in words: a line while it lasts, a table at its end."""

from collections.abc import Iterable

from .evening import Evening
from .words import Counts

MEGABYTE = 1024 * 1024
CLOSES_SHOWN = 6


def progress(evening: Evening) -> str:
    """How far it is, in one line."""
    total, seconds = evening.total, evening.seconds or 1.0
    honest = evening.honest
    edits, orders, wrongs = 0, 0, 0
    if honest is not None:
        edits, orders, wrongs = honest.total.edits, honest.total.orders, len(honest.figures.wrongs)
    frames, requests = sum(total.frames.values()), sum(total.requests.values())
    most = sorted(total.closes.items(), key=lambda one: -one[1])[:CLOSES_SHOWN]
    closes = ", ".join(f"{code} {count:,}" for code, count in most) or "none"
    return (
        f"{seconds:>5.0f} s  {total.hostile:>9,} hostile ({total.hostile / seconds:,.0f}/s): "
        f"{frames:,} frames, {requests:,} requests | 5xx {fivehundreds(total.statuses)}"
        f" | closes {closes} | {evening.memory_now / MEGABYTE:.0f} MB | "
        f"honest: {edits:,} edits, {orders:,} orders, {wrongs} wrong | "
        f"{len(evening.violations) + len(total.violations)} violations"
    )


def fivehundreds(statuses: Counts) -> int:
    """Answers from 500 on."""
    return sum(count for status, count in statuses.items() if status >= "500")


def table(evening: Evening) -> str:
    """Everything that was counted, at the end."""
    lines: list[str] = []
    for title, rows in (
        ("Sent", _sent(evening)),
        ("Came back", _came_back(evening)),
        ("The server", _server(evening)),
        ("The honest tables", _honest(evening)),
    ):
        lines += ["", title, *(f"  {name:<44}{value:>14}" for name, value in rows)]
    lines += ["", f"Violations: {len(evening.violations)}"]
    return "\n".join(lines)


def _rows(counts: Counts, prefix: str) -> Iterable[tuple[str, str]]:
    for name, count in sorted(counts.items()):
        yield f"{prefix}{name}", f"{count:,}"


def _sent(evening: Evening) -> Iterable[tuple[str, str]]:
    total = evening.total
    seconds = evening.seconds or 1.0
    yield "hostile frames and requests", f"{total.hostile:,}"
    yield "  a second", f"{total.hostile / seconds:,.0f}"
    yield "  in seconds", f"{seconds:,.0f}"
    yield "frames", f"{sum(total.frames.values()):,}"
    yield from _rows(total.frames, "  ")
    yield "requests", f"{sum(total.requests.values()):,}"
    yield from _rows(total.requests, "  ")
    yield "connections", f"{total.connections:,}"
    yield "attacks", f"{sum(total.attacks.values()):,}"
    yield from _rows(total.attacks, "  ")


def _came_back(evening: Evening) -> Iterable[tuple[str, str]]:
    total = evening.total
    busy = sum(total.busy.values())
    yield "answers", f"{sum(total.statuses.values()):,}"
    yield from _rows(total.statuses, "  ")
    yield "5xx that are faults", f"{fivehundreds(total.statuses) - busy:,}"
    yield "503 by a limit, with Retry-After", f"{busy:,}"
    yield from _rows(total.busy, "  ")
    yield "websockets closed by the server", f"{sum(total.closes.values()):,}"
    yield from _rows(total.closes, "  ")
    yield "ended with neither answer nor close frame", f"{total.unheard:,}"


def _server(evening: Evening) -> Iterable[tuple[str, str]]:
    memory = evening.memory
    yield "commands that it answered or refused", f"{evening.answered:,}"
    yield "memory after the warm-up", f"{memory.first / MEGABYTE:,.1f} MB"
    yield "memory at the end", f"{memory.last / MEGABYTE:,.1f} MB"
    yield "  growth", f"{memory.growth / MEGABYTE:+,.1f} MB"
    yield "  the most", f"{memory.most / MEGABYTE:,.1f} MB"
    yield "descriptors before and after", "{} and {}".format(*evening.descriptors)
    if evening.honest is not None and evening.honest.figures.server is not None:
        yield "cores used while it was measured", f"{evening.honest.figures.server.cores:.2f}"


def _honest(evening: Evening) -> Iterable[tuple[str, str]]:
    honest = evening.honest
    if honest is None:
        yield "they never sat down", ""
        return
    figures, total = honest.figures, honest.total
    yield "tables that sat down", f"{figures.seated} of {figures.tables}"
    yield "edits", f"{total.edits:,}"
    yield "orders", f"{total.orders:,}"
    yield "pages loaded anew, connections lost", f"{total.refreshes:,}, {total.drops:,}"
    for name in ("last_member", "outcome"):
        latency = figures.latencies.get(name)
        if latency is not None and latency.count:
            words = {"last_member": "edit seen by all", "outcome": "order settled"}[name]
            yield f"{words}, p50 and p99", f"{latency.p50:,.0f} and {latency.p99:,.0f} ms"
    yield from _rows(total.errors, "  saw: ")
    yield "wrong carts, orders lost or doubled", f"{len(figures.wrongs):,}"
