"""What the house and its front count, in Prometheus' text format."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from comanda.actors.house import House
from comanda.actors.ports import SessionKey, Standing
from comanda.actors.sayings import Message
from comanda.runtime import Registry

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _HouseCollector(Collector):
    """Asks the registry when it is asked itself; what storage holds was counted at the last sweep."""

    def __init__(
        self, registry: Registry[SessionKey, Message], standing: Callable[[], Standing]
    ) -> None:
        self._registry = registry
        self._standing = standing

    def collect(self) -> Iterator[Metric]:
        seen = self._registry.statistics()
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
            value=sum(child.mailbox.depth for child in seen.children),
        )
        yield CounterMetricFamily(
            "comanda_activations", "Sessions activated", value=seen.activations_total
        )
        waits = self._standing()
        yield GaugeMetricFamily(
            "comanda_orders_needing_staff",
            "Orders that wait for the staff",
            value=waits.needs_staff,
        )
        yield GaugeMetricFamily(
            "comanda_incidents_standing", "Incidents that nobody has closed", value=waits.incidents
        )
        yield GaugeMetricFamily(
            "comanda_voids_due", "Orders that the POS must still take back", value=waits.voids
        )


class Metrics:
    """The front's counters, and the house's gauges where a house is given."""

    def __init__(self, house: House | None = None) -> None:
        self._prometheus = CollectorRegistry()
        if house is not None:
            collector = _HouseCollector(house.registry, lambda: house.reconciliation.standing)
            self._prometheus.register(collector)
        self._commands = Counter(
            "comanda_commands",
            "Commands by type and by what became of them",
            ("type", "result"),
            registry=self._prometheus,
        )
        self._commands_by_labels: dict[tuple[str, str], Counter] = {}
        self.joins = Counter("comanda_joins", "Members who sat down", registry=self._prometheus)
        self.connections = Counter(
            "comanda_connections", "Websockets accepted", registry=self._prometheus
        )
        self.callbacks = Counter(
            "comanda_pos_callbacks",
            "Signed callbacks by what they said and whether the order is known here",
            ("status", "order"),
            registry=self._prometheus,
        )
        self.requests = Counter(
            "comanda_http_requests",
            "Requests by route and status",
            ("route", "status"),
            registry=self._prometheus,
        )

    def count_command(self, command: str, result: str) -> None:
        """Count a command of this type by what became of it.

        A counter is found once for its labels: they are few, and to look for it costs more than to count.
        """
        labels = (command, result)
        counter = self._commands_by_labels.get(labels)
        if counter is None:
            counter = self._commands_by_labels[labels] = self._commands.labels(*labels)
        counter.inc()

    def text(self) -> bytes:
        """All of it in the exposition format."""
        return generate_latest(self._prometheus)
