"""What the street's benchmark asks of a run, and how it says so."""

from benchmarks.street import HEADING, row, verdicts
from comanda.load import Figures
from comanda.load.figures import Cost, latency_of


def street(*, micros: float, cores: float = 0.5, kilobytes: float = 30.0) -> Figures:
    figures = Figures(tables=2500, members=4, seated=2500, seconds=10.0, edits=8000)
    figures.server = Cost(5.0, cores, micros, 1, kilobytes * 1024)
    figures.latencies["last_member"] = latency_of({40_000: 100})
    return figures


def test_a_street_within_all_bounds_has_met_them() -> None:
    said = verdicts(street(micros=60), street(micros=50))
    assert [sentence.rpartition(", ")[2] for sentence in said] == ["met"] * 4


def test_a_street_that_costs_more_than_a_fifth_more_a_delivery_has_missed_that() -> None:
    said = verdicts(street(micros=61), street(micros=50))
    assert said[3] == "CPU a delivery, of the smaller street's, at most 1.2: 1.22, missed"


def test_a_street_that_needs_more_than_a_core_or_more_memory_has_missed_that() -> None:
    said = verdicts(street(micros=50, cores=1.1, kilobytes=49), street(micros=50))
    assert [sentence.rpartition(", ")[2] for sentence in said] == ["met", "missed", "missed", "met"]


def test_a_streets_row_fits_its_heading() -> None:
    assert len(row(street(micros=50))) == len(HEADING)
