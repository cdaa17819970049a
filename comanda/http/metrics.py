"""What the front counts, and `/metrics`: that, the house's figures and storage's in Prometheus' text format.

A command is counted in plain numbers of our own, which Prometheus' objects are made of when somebody asks.
"""

from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from comanda.actors.house import House
from comanda.actors.tally import Histogram, StorageFigures

from .house_metrics import HouseCollector, StorageCollector, add_histogram

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

NO_TYPE = "any"
"""The type of a command that was refused before anybody asked what it was."""


CLOSE_CODES = frozenset(
    {*range(1000, 1004), *range(1005, 1010), *range(1011, 1014), 4401, 4404, 4410}
)
"""Close codes that are counted each; 1005 is none. A peer may send two thousand others, each of which would
be a time series."""

OTHER_CODE = "other"


class _Commands(Collector):
    """Commands by type and by what became of them, and how long each type took."""

    def __init__(self) -> None:
        self.counts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.latencies: defaultdict[str, Histogram] = defaultdict(Histogram)

    def collect(self) -> Iterator[Metric]:
        counts = CounterMetricFamily(
            "comanda_commands",
            "Commands by type and by what became of them",
            labels=["type", "result"],
        )
        for (command, result), count in sorted(self.counts.items()):
            counts.add_metric([command, result], count)
        yield counts
        latencies = HistogramMetricFamily(
            "comanda_command_seconds",
            "From a command's frame to its answer, by type",
            labels=["type"],
        )
        for command, seen in sorted(self.latencies.items()):
            add_histogram(latencies, [command], seen)
        yield latencies


class _Closes(Collector):
    """Websockets that have ended, by their close code."""

    def __init__(self) -> None:
        self.counts: Counts[str] = Counts({"1013": 0})

    def collect(self) -> Iterator[Metric]:
        closes = CounterMetricFamily(
            "comanda_websocket_closes", "Websockets that ended, by close code", labels=["code"]
        )
        for code, count in sorted(self.counts.items()):
            closes.add_metric([code], count)
        yield closes


class Metrics:
    """The front's counters, with the house's and storage's where they are given."""

    def __init__(
        self, house: House | None = None, storage: Callable[[], StorageFigures] | None = None
    ) -> None:
        """Args:
        storage: what storage has counted until now.
        """
        self.registry = CollectorRegistry()
        if house is not None:
            self.registry.register(HouseCollector(house))
        if storage is not None:
            self.registry.register(StorageCollector(storage))
        self._commands = _Commands()
        self.registry.register(self._commands)
        self._closes = _Closes()
        self.registry.register(self._closes)
        ProcessCollector(registry=self.registry)
        self.joins = Counter("comanda_joins", "Members who sat down", registry=self.registry)
        self.connections = Counter(
            "comanda_connections", "Websockets accepted", registry=self.registry
        )
        self.callbacks = Counter(
            "comanda_pos_callbacks",
            "Signed callbacks by what they said and whether the order is known here",
            ("status", "order"),
            registry=self.registry,
        )
        self.requests = Counter(
            "comanda_http_requests",
            "Requests by route and status",
            ("route", "status"),
            registry=self.registry,
        )

    def count_command(self, command: str, result: str, seconds: float) -> None:
        """Count a command of this type, by what became of it so long after it came.

        It is called for every command and costs less than a microsecond.
        """
        self._commands.counts[command, result] += 1
        self._commands.latencies[command].observe(seconds)

    def count_refusal(self, code: str) -> None:
        """Count a command that was refused with this code before it reached its table."""
        self._commands.counts[NO_TYPE, code] += 1

    def count_close(self, code: int | None) -> None:
        """Count a websocket that has ended; None where it was cut off before anybody closed it."""
        code = code or 1006
        self._closes.counts[str(code) if code in CLOSE_CODES else OTHER_CODE] += 1

    def text(self) -> bytes:
        """All of it in the exposition format."""
        return generate_latest(self.registry)
