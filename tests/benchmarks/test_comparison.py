"""The part of the benchmarks that judges: medians, ranges, ratios, the table."""

import pytest

from benchmarks.comparison import (
    Aim,
    Column,
    Run,
    cpu,
    edits,
    failed_run,
    markdown,
    ratio,
    rows,
    run_of,
    spread,
    verdict,
)
from comanda.load import Figures
from comanda.load.figures import Cost, latency_of


def run(
    service: str, number: int, *, edits: float = 100.0, micros: float = 10.0, troubles: int = 0
) -> Run:
    return Run(
        service=service,
        round=number,
        edits_a_second=edits,
        delivery_micros=micros,
        server_cores=0.5,
        driver_cores=0.25,
        p99_ms=20.0,
        troubles=("a member missed an event",) * troubles,
    )


def test_a_spread_is_the_median_and_the_range() -> None:
    assert spread([3.0, 1000.0, 7.0]).text() == "7 (3 to 1,000)"


def test_a_spread_of_figures_that_look_the_same_has_no_range() -> None:
    assert spread([7.01, 7.02]).text(".1f") == "7.0"


def test_a_ratio_is_taken_within_each_round() -> None:
    runs = [
        run("ours", 1, edits=200),
        run("theirs", 1, edits=100),
        run("ours", 2, edits=30),  # the machine was busy with something else
        run("theirs", 2, edits=10),
    ]
    found = ratio(runs, "ours", "theirs", edits)
    assert found is not None
    assert (found.low, found.median, found.high) == (2.0, 2.5, 3.0)


def test_a_ratio_leaves_out_a_round_in_which_one_of_both_went_wrong() -> None:
    runs = [
        run("ours", 1, edits=900),
        run("theirs", 1, edits=100, troubles=1),
        run("ours", 2, edits=900, troubles=1),
        run("theirs", 2, edits=100),
        run("ours", 3, edits=200),
        run("theirs", 3, edits=100),
    ]
    found = ratio(runs, "ours", "theirs", edits)
    assert found is not None
    assert (found.low, found.high) == (2.0, 2.0)


def test_there_is_no_ratio_to_a_service_that_did_not_run() -> None:
    assert ratio([run("ours", 1)], "ours", "node", edits) is None


def test_the_table_has_a_row_for_each_service_and_the_ratios_beside() -> None:
    runs = [run("ours", 1, micros=20), run("theirs", 1, micros=40)]
    heading, ours, theirs = rows(runs, [Column("CPU, of theirs", "theirs", cpu)])
    assert heading[-1] == "CPU, of theirs"
    assert ours == ["ours", "100", "20.0", "20", "0.50", "0.25", "0.50"]
    assert theirs[-1] == "–"  # its ratio to itself says nothing


def test_a_service_that_only_went_wrong_shows_no_figures() -> None:
    table = rows([run("ours", 1, troubles=1)], [])
    assert table[1][:3] == ["ours", "went wrong", "–"]


def test_a_run_that_did_not_come_about_takes_its_round_out_of_the_ratios() -> None:
    runs = [run("ours", 1), failed_run("theirs", 1, "it did not start")]
    assert ratio(runs, "ours", "theirs", edits) is None


def test_the_table_is_markdown_whose_columns_stand_below_each_other() -> None:
    assert markdown([["a", "long"], ["longer", "b"]]).splitlines() == [
        "| a      | long |",
        "| ------ | ---- |",
        "| longer | b    |",
    ]


@pytest.mark.parametrize(
    ("micros", "at_most", "said"),
    [(20.0, True, "met"), (60.0, True, "missed"), (60.0, False, "met"), (20.0, False, "missed")],
)
def test_a_verdict_says_what_was_seen_and_whether_that_is_enough(
    micros: float, at_most: bool, said: str
) -> None:
    runs = [run("ours", 1, micros=micros), run("theirs", 1, micros=40)]
    aim = Aim("CPU", "theirs", cpu, 1.0, at_most)
    assert verdict(runs, "ours", aim) == f"CPU: {micros / 40:.2f}, {said}"


def test_an_aim_whose_peer_did_not_run_is_neither_met_nor_missed() -> None:
    aim = Aim("edits/s, of node's", "node", edits, 1.0, False)
    assert verdict([run("ours", 1)], "ours", aim) == "edits/s, of node's: not measured"


def driven(**changed: object) -> Figures:
    figures = Figures(tables=2, seated=2, seconds=2.0, edits=300, deliveries=1200)
    figures.server = Cost(0.06, 0.03, 50.0, 1)
    figures.latencies["last_member"] = latency_of({7000: 10})
    for name, value in changed.items():
        setattr(figures, name, value)
    return figures


def test_a_run_that_went_well_has_its_figures_and_no_troubles() -> None:
    found = run_of("ours", 3, driven())
    assert (found.edits_a_second, found.delivery_micros, found.round) == (150.0, 50.0, 3)
    assert found.p99_ms == pytest.approx(7.0, rel=0.01)
    assert found.troubles == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"wrongs": ["table 1: an event is missing"]},
        {"errors": {"connection lost": 3}},
        {"seated": 1},
        {"server": None},
    ],
)
def test_a_run_with_anything_wrong_in_it_is_no_proof(changed: dict[str, object]) -> None:
    assert len(run_of("ours", 1, driven(**changed)).troubles) == 1
