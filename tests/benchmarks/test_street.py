"""What the street's benchmark asks of a run, and how it says so."""

from benchmarks.street import HEADING, row, verdicts
from comanda.load import Figures
from comanda.load.figures import Cost, latency_of


def street(
    *, micros: float, cores: float = 0.5, kilobytes: float = 30.0, milliseconds: int = 40
) -> Figures:
    figures = Figures(tables=2500, members=4, seated=2500, seconds=10.0, edits=8000)
    figures.server = Cost(5.0, cores, micros, 1, kilobytes * 1024)
    figures.latencies["last_member"] = latency_of({milliseconds * 1000: 100})
    return figures


def met(sentences: list[str]) -> list[bool]:
    return [sentence.endswith(", met") for sentence in sentences]


def test_a_street_within_all_bounds_has_met_them() -> None:
    said = verdicts(street(micros=60), street(micros=300), street(micros=50))
    assert met(said) == [True] * 5


def test_a_street_that_costs_over_a_fifth_more_a_delivery_has_missed_that() -> None:
    said = verdicts(street(micros=61), street(micros=300), street(micros=50))
    assert met(said) == [True, True, True, True, False]
    assert ": 1.22," in said[4]
    said = verdicts(street(micros=61), street(micros=50), street(micros=300))
    assert met(said) == [True, True, True, False, True]


def test_a_street_over_the_other_bounds_has_missed_them() -> None:
    large = street(micros=50, cores=1.1, kilobytes=49, milliseconds=120)
    said = verdicts(large, street(micros=50), street(micros=50))
    assert met(said) == [False, False, False, True, True]


def test_a_streets_row_fits_its_heading() -> None:
    assert len(row(street(micros=50))) == len(HEADING)
