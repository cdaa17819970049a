"""Two readings of `/metrics` held against each other: rates, latencies, and what is slow. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Samples = Mapping[str, Mapping[Labels, float]]

SLOW_COMMAND_SECONDS = 0.25
SLOW_POS_SECONDS = 5.0
BUSY_STORAGE = 0.8
DEEP_MAILBOX = 32
"""From these on a figure is named as a slow spot: a guest begins to feel it."""


class Latency(Struct, frozen=True):
    """What happened so often a second, and how long half of it and all but a hundredth took, in seconds."""

    name: str
    rate: float
    p50: float | None
    p99: float | None


class Figures(Struct, frozen=True):
    """A server between two readings. Rates are a second's, shares are of one core or of the time."""

    sessions: float
    members: float
    quarantined: float
    cpu: float
    memory_bytes: float
    commands: tuple[Latency, ...]
    refused: Mapping[str, float]
    commits: float
    works_a_commit: float | None
    storage_busy: float
    storage_waiting: float
    pos: tuple[Latency, ...]
    pos_outcomes: Mapping[str, float]
    unsettled: Mapping[str, float]
    outcomes: tuple[Latency, ...]
    waiting: float
    waiting_max: float
    slow: tuple[str, ...]


def read_samples(text: str) -> Samples:
    """A reading of `/metrics`. Raises `ValueError` for what is none."""
    samples: dict[str, dict[Labels, float]] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name][frozenset(sample.labels.items())] = sample.value
    if "comanda_sessions_live" not in samples:
        raise ValueError("these are not the metrics of a Comanda server")
    return samples


def figures_between(before: Samples, after: Samples, seconds: float) -> Figures:
    """What happened in the `seconds` between two readings, and how it stands at the second."""
    change = _Change(before, after, seconds)
    groups = change.rate("comanda_storage_group_works_count")
    works = change.rate("comanda_storage_group_works_sum")
    figures = Figures(
        sessions=change.now("comanda_sessions_live"),
        members=change.now("comanda_members_connected"),
        quarantined=change.now("comanda_sessions_quarantined"),
        cpu=change.rate("process_cpu_seconds_total"),
        memory_bytes=change.now("process_resident_memory_bytes"),
        commands=change.latencies("comanda_command_seconds", "type"),
        refused=change.rates("comanda_commands_total", "result", without=("accepted",)),
        commits=groups,
        works_a_commit=works / groups if groups else None,
        storage_busy=change.rate("comanda_storage_busy_seconds_total"),
        storage_waiting=change.now("comanda_storage_waiting"),
        pos=change.latencies("comanda_pos_call_seconds", "call"),
        pos_outcomes=change.rates("comanda_pos_calls_total", "outcome"),
        unsettled=change.standing("comanda_orders_unsettled", "state"),
        outcomes=change.latencies("comanda_order_outcome_seconds", "outcome"),
        waiting=change.now("comanda_mailbox_depth"),
        waiting_max=change.now("comanda_mailbox_depth_max"),
        slow=(),
    )
    return replace(figures, slow=tuple(_slow_spots(figures, change)))


class _Change:
    """The difference of two readings. A counter that has gone down began anew with its server."""

    def __init__(self, before: Samples, after: Samples, seconds: float) -> None:
        self._before = before
        self._after = after
        self._seconds = max(seconds, 1e-3)

    def now(self, name: str) -> float:
        return sum(self._after.get(name, {}).values())

    def standing(self, name: str, label: str) -> dict[str, float]:
        return _by_label(self._after.get(name, {}), label)

    def grown(self, name: str) -> dict[Labels, float]:
        before = self._before.get(name, {})
        grown = {}
        for labels, value in self._after.get(name, {}).items():
            was = before.get(labels, 0.0)
            grown[labels] = value - was if value >= was else value
        return grown

    def rate(self, name: str) -> float:
        return sum(self.grown(name).values()) / self._seconds

    def rates(self, name: str, label: str, without: Iterable[str] = ()) -> dict[str, float]:
        grown = _by_label(self.grown(name), label)
        return {
            value: count / self._seconds
            for value, count in grown.items()
            if count and value not in without
        }

    def latencies(self, name: str, label: str) -> tuple[Latency, ...]:
        """Of each value of `label` that has happened, the most frequent first."""
        buckets: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for labels, count in self.grown(f"{name}_bucket").items():
            known = dict(labels)
            buckets[known[label]].append((float(known["le"]), count))
        found = []
        for value, counts in buckets.items():
            counts.sort()
            if counts[-1][1]:
                rate = counts[-1][1] / self._seconds
                found.append(Latency(value, rate, quantile(0.5, counts), quantile(0.99, counts)))
        return tuple(sorted(found, key=lambda one: (-one.rate, one.name)))


def quantile(share: float, buckets: list[tuple[float, float]]) -> float | None:
    """The value below which `share` of all lie, from buckets of (bound, how many up to it).

    Inside its bucket it is taken for even, as Prometheus' `histogram_quantile` does; above the last
    finite bound that bound is the answer. None where nothing was counted.
    """
    whole = buckets[-1][1]
    if not whole:
        return None
    wanted = share * whole
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (wanted - below) / max(count - below, 1e-9)
        low, below = bound, count
    return low


def _by_label(samples: Mapping[Labels, float], label: str) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for labels, value in samples.items():
        found[dict(labels).get(label, "")] += value
    return dict(found)


def _slow_spots(figures: Figures, change: _Change) -> Iterable[str]:
    """What an operator should look at, the worst first."""
    if change.now("comanda_storage_outage"):
        yield "storage does not answer; no session can be activated"
    for name, sentence in (
        ("comanda_quarantines_total", "sessions were put into quarantine"),
        ("comanda_restarts_total", "sessions crashed and were restarted"),
    ):
        count = sum(change.grown(name).values())
        if count:
            yield f"{count:g} {sentence}"
    if figures.unsettled.get("needs_staff"):
        yield f"{figures.unsettled['needs_staff']:g} orders wait for the staff: comanda orders"
    incidents = change.now("comanda_incidents_standing")
    if incidents:
        yield f"{incidents:g} incidents stand: comanda orders --incidents"
    if figures.storage_busy >= BUSY_STORAGE:
        yield f"storage writes {figures.storage_busy:.0%} of the time"
    for one in figures.commands:
        if one.p99 is not None and one.p99 >= SLOW_COMMAND_SECONDS:
            yield f"{one.name} takes {one.p99:.2g} s at p99"
    if figures.waiting_max >= DEEP_MAILBOX:
        yield f"{figures.waiting_max:g} commands wait for one table"
    for one in figures.pos:
        if one.p50 is not None and one.p50 >= SLOW_POS_SECONDS:
            yield f"the POS takes {one.p50:.2g} s for a {one.name}"
    unheard = figures.pos_outcomes.get("unanswered", 0) + figures.pos_outcomes.get("failed", 0)
    if unheard:
        yield f"{unheard:.2g} calls a second to the POS bring no answer"
    slow_readers = change.grown("comanda_websocket_closes_total").get(frozenset({("code", "1013")}))
    if slow_readers:
        yield f"{slow_readers:g} phones read too slowly and were closed"
