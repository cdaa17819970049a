"""What a run has brought: counts, latencies in HDR histograms, what it cost the server and the driver."""

from hdrh.histogram import HdrHistogram
from msgspec import Struct, field

from .tally import Counts

LOWEST_MICROS = 1
HIGHEST_MICROS = 3_600_000_000
"""An hour: no run waits longer for anything."""

SIGNIFICANT_DIGITS = 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)

NAMES = {
    "own_echo": "edit → own echo",
    "last_member": "edit → last member",
    "locked": "place → locked",
    "outcome": "place → outcome",
}
"""The latencies, as people read them."""


class Latency(Struct, frozen=True):
    """Percentiles in milliseconds. `histogram` is the HDR histogram's own encoding, values in µs."""

    count: int
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float
    histogram: str


class Moment(Struct, frozen=True):
    """One report's stretch of time, ending `at` seconds after the measuring began."""

    at: float
    edits_a_second: float
    deliveries_a_second: float
    p50: float
    p99: float
    errors: int
    server_cpu: float | None = None
    server_bytes: int | None = None


class Cost(Struct, frozen=True):
    """What the server's process took while it was measured; `delivery_micros` of CPU an event delivered.

    `connection_bytes`: how much more memory it held at the end than before the first member sat down, a
    connection; the tables' own state is in it.
    """

    cpu_seconds: float
    cores: float
    delivery_micros: float | None
    resident_bytes: int
    connection_bytes: float | None = None


class Figures(Struct):
    """One run. `seconds` is what was measured, without ramp and settling; all counts are of that time.

    `latencies` are by name, corrected for coordinated omission; `raw_latencies` are not. `wrongs` are
    sentences about what must not be; `unsettled` counts tables that were not quiet at the end.
    """

    tables: int = 0
    members: int = 0
    seated: int = 0
    given_up: int = 0
    seconds: float = 0.0
    edits: int = 0
    orders: int = 0
    deliveries: int = 0
    refreshes: int = 0
    drops: int = 0
    latencies: dict[str, Latency] = field(default_factory=dict)
    raw_latencies: dict[str, Latency] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    server: Cost | None = None
    driver_cores: float = 0.0
    driver_processes: int = 0
    interrupted: bool = False
    unsettled: int = 0
    wrongs: list[str] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    @property
    def edits_a_second(self) -> float:
        """Edits that their sender has heard of."""
        return self.edits / self.seconds if self.seconds else 0.0

    @property
    def deliveries_a_second(self) -> float:
        """Events that a member was sent, each member counted."""
        return self.deliveries / self.seconds if self.seconds else 0.0


def latency_of(counts: Counts, expected_micros: int = 0) -> Latency:
    """Percentiles of what was counted.

    Args:
        expected_micros: how often there should have been one, where the next waited for the last: what a
            long answer kept from being asked is put in. 0: each was counted from the moment at which it was
            due.
    """
    histogram = HdrHistogram(LOWEST_MICROS, HIGHEST_MICROS, SIGNIFICANT_DIGITS)
    for micros, count in counts.items():
        value = min(micros, HIGHEST_MICROS)
        histogram.record_value(value, count)
        # As HdrHistogram itself does it; the Python package also puts in what is under the interval.
        while expected_micros and (value := value - expected_micros) >= expected_micros:
            histogram.record_value(value, count)
    if not counts:
        return Latency(0, 0, 0, 0, 0, 0, "")
    p50, p90, p99, p99_9 = (histogram.get_value_at_percentile(one) / 1000 for one in PERCENTILES)
    return Latency(
        count=histogram.get_total_count(),
        p50=p50,
        p90=p90,
        p99=p99,
        p99_9=p99_9,
        max=histogram.get_max_value() / 1000,
        histogram=histogram.encode().decode(),
    )


def percentile(counts: Counts, share: float) -> float:
    """A percentile in milliseconds, of few counts and without a histogram; 0 of none."""
    wanted = sum(counts.values()) * share
    for micros in sorted(counts):
        wanted -= counts[micros]
        if wanted <= 0:
            return micros / 1000
    return 0.0
