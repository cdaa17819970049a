"""What is asked of the house and of storage when `/metrics` is read, and what the house has counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from comanda.actors.domain.order import IN_FLIGHT
from comanda.actors.house import House
from comanda.actors.sayings import View
from comanda.actors.tally import Histogram, StorageFigures


def add_histogram(family: HistogramMetricFamily, labels: list[str], seen: Histogram) -> None:
    """Put a histogram of ours into a family of Prometheus', whose buckets count what is below, too."""
    family.add_metric(labels, _buckets(seen.bounds, seen.counts), seen.seconds_total)


def _buckets(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, int]]:
    return list(zip((*map(str, bounds), "+Inf"), accumulate(counts), strict=True))


class HouseCollector(Collector):
    """Asks the house when it is asked itself; what storage holds was counted at the last sweep."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        yield from self._sessions()
        yield from self._orders()
        yield from self._pos()
        yield from self._troubles()

    def _sessions(self) -> Iterator[Metric]:
        seen = self._house.registry.statistics(each=False)
        yield GaugeMetricFamily("comanda_sessions_live", "Sessions in memory", value=seen.live)
        yield GaugeMetricFamily(
            "comanda_sessions_quarantined", "Sessions in quarantine", value=seen.quarantined
        )
        yield GaugeMetricFamily(
            "comanda_storage_outage", "1 while storage does not answer", value=int(seen.outage)
        )
        yield GaugeMetricFamily(
            "comanda_mailbox_depth",
            "Commands that wait, all sessions together",
            value=seen.depth_total,
        )
        yield GaugeMetricFamily(
            "comanda_mailbox_depth_max",
            "Commands that wait for the session with the most",
            value=seen.depth_max,
        )
        yield CounterMetricFamily(
            "comanda_activations", "Sessions activated", value=seen.activations_total
        )

    def _orders(self) -> Iterator[Metric]:
        online = 0
        pending: Counter[str] = Counter()
        for ref in self._house.registry.refs():
            view = ref.view
            if isinstance(view, View):
                online += len(view.online)
                if view.session.pending is not None:
                    pending[view.session.pending.state] += 1
        yield GaugeMetricFamily("comanda_members_connected", "Members online", value=online)
        waits = self._house.reconciliation.standing
        unsettled = GaugeMetricFamily(
            "comanda_orders_unsettled", "Orders without an outcome, by state", labels=["state"]
        )
        for state in sorted(IN_FLIGHT):
            unsettled.add_metric([state], pending[state])
        unsettled.add_metric(["needs_staff"], waits.needs_staff)
        yield unsettled
        yield GaugeMetricFamily(
            "comanda_incidents_standing", "Incidents that nobody has closed", value=waits.incidents
        )
        yield GaugeMetricFamily(
            "comanda_voids_due", "Orders that the POS must still take back", value=waits.voids
        )
        tally = self._house.tally
        states = CounterMetricFamily(
            "comanda_orders", "Orders that came into a state", labels=["state"]
        )
        for state, count in sorted(tally.order_states.items()):
            states.add_metric([state], count)
        yield states
        settled = HistogramMetricFamily(
            "comanda_order_outcome_seconds",
            "From placing an order to what the table hears of it",
            labels=["outcome"],
        )
        for outcome, seen in tally.order_seconds.items():
            add_histogram(settled, [outcome], seen)
        yield settled

    def _pos(self) -> Iterator[Metric]:
        tally = self._house.tally
        calls = CounterMetricFamily(
            "comanda_pos_calls", "Calls to the POS by outcome", labels=["call", "outcome"]
        )
        for (call, outcome), count in sorted(tally.pos_calls.items()):
            calls.add_metric([call, outcome], count)
        yield calls
        took = HistogramMetricFamily(
            "comanda_pos_call_seconds", "How long calls to the POS took", labels=["call"]
        )
        for call, seen in tally.pos_seconds.items():
            add_histogram(took, [call], seen)
        yield took

    def _troubles(self) -> Iterator[Metric]:
        tally = self._house.tally
        yield CounterMetricFamily(
            "comanda_restarts", "Sessions restarted after a crash", value=tally.restarts
        )
        yield CounterMetricFamily(
            "comanda_quarantines", "Sessions put into quarantine", value=tally.quarantines
        )
        yield CounterMetricFamily(
            "comanda_storage_outages", "Times that storage stopped answering", value=tally.outages
        )


class StorageCollector(Collector):
    """Asks storage what it has counted."""

    def __init__(self, figures: Callable[[], StorageFigures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        seen = self._figures()
        groups = HistogramMetricFamily(
            "comanda_storage_group_works", "Works that share one commit; the count is of commits"
        )
        bounds = [float(2**exponent - 1) for exponent in range(len(seen.group_sizes))]
        groups.add_metric([], _buckets(bounds, (*seen.group_sizes, 0)), seen.works_total)
        yield groups
        yield CounterMetricFamily(
            "comanda_storage_busy_seconds",
            "Time spent writing groups",
            value=seen.busy_seconds_total,
        )
        yield GaugeMetricFamily(
            "comanda_storage_waiting", "Works that wait for storage", value=seen.waiting
        )
