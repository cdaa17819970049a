"""docs/operations.md and the Grafana dashboard against the code: metrics, types, labels, figures, events."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric

from comanda.actors.domain.order import Accepted
from comanda.actors.tally import StorageFigures
from comanda.http import front
from comanda.http.metrics import Metrics
from tests.actors.table import open_house

from .pages import ROOT, read_page

PAGE = read_page("docs/operations.md")
DASHBOARD = ROOT / "docs" / "grafana" / "comanda.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
OF_PROMETHEUS = {"le", "job"}
"""Labels that Prometheus or its client gives."""


@pytest.fixture
async def families() -> dict[str, Metric]:
    """Every metric of a server, by the name under which the page has it."""
    async with open_house() as house:
        house.tally.order_states["confirmed"] += 1
        house.tally.pos_calls["submit", str(Accepted.__struct_config__.tag)] += 1
        metrics = Metrics(house, lambda: StorageFigures((0, 1), 1, 0.1, 0))
        metrics.count_command("add_item", "accepted", 0.1)
        metrics.callbacks.labels("accepted", "known").inc()
        metrics.requests.labels("/healthz", "200").inc()
        found = {}
        for family in metrics.registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = family
    return found


def labels_of(family: Metric) -> set[str]:
    """The labels of a metric's samples, besides those of Prometheus' own."""
    return {label for sample in family.samples for label in sample.labels} - OF_PROMETHEUS


async def test_the_page_has_every_metric_with_its_type_and_labels(
    families: dict[str, Metric],
) -> None:
    told = {
        row["metric"].strip("`"): (row["type"], set(row["labels"].split(", ")) - {""})
        for row in PAGE.section("Metrics").table
    }
    assert told == {name: (one.type, labels_of(one)) for name, one in families.items()}


async def test_a_metrics_name_ends_with_its_unit(families: dict[str, Metric]) -> None:
    for name, family in families.items():
        if "seconds" in name:
            assert re.search(r"_seconds(_total)?$", name), name
        assert family.documentation


async def test_the_dashboard_asks_for_metrics_and_labels_that_there_are(
    families: dict[str, Metric],
) -> None:
    series = {
        name.removesuffix("_total") + suffix: family
        for name, family in families.items()
        for suffix in SUFFIXES[family.type]
    }
    for panel, expression in expressions():
        named = re.findall(r"\b((?:comanda|process)_\w+)(\{[^}]*\})?", expression)
        assert named, panel
        for name, selector in named:
            assert name in series, (panel, name)
            picked = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", selector))
            assert picked - OF_PROMETHEUS <= labels_of(series[name]), (panel, selector)
        grouped = {
            label.strip()
            for group in re.findall(r"by \(([^)]*)\)", expression)
            for label in group.split(",")
        }
        known = set[str]().union(*(labels_of(series[name]) for name, _ in named))
        assert grouped - OF_PROMETHEUS <= known, (panel, grouped)


async def test_every_metric_of_ours_is_on_the_dashboard(families: dict[str, Metric]) -> None:
    asked = " ".join(expression for _, expression in expressions())
    left_out = {"comanda_pos_callbacks_total"}
    for name in families:
        if name.startswith("comanda_") and name not in left_out:
            assert name in asked, name


def expressions() -> Iterator[tuple[str, str]]:
    """Each query of the dashboard, and its panel's title."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return found


def test_the_dashboards_panels_have_titles_sources_and_places_of_their_own() -> None:
    whole = dashboard()
    variables = {one["name"] for one in whole["templating"]["list"]}
    assert variables == {"source", "job"}
    panels = whole["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith(".")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${source}"}
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        for target in panel["targets"]:
            assert target["expr"].count("(") == target["expr"].count(")")
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= {"job", "__rate_interval"}


def test_the_page_says_how_storage_is_asked() -> None:
    prose = " ".join(PAGE.section("Is it alive, is it ready").prose.split())
    assert front.READY_SECONDS == 1
    assert "at most once a second" in prose
    assert f"after {front.PROBE_SECONDS:g} seconds" in prose


def test_every_event_on_the_page_is_logged_somewhere() -> None:
    said = set(logged(ROOT / "comanda"))
    rows = PAGE.section("Logs").table
    told = {name for row in rows for name in re.findall(r"`([^`]+)`", row["event"])}
    states = {name for name in told if name.startswith("order ")}
    assert {name.removeprefix("order ") for name in states} == {
        "prepared",
        "sent",
        "unknown",
        "needs_staff",
        "confirmed",
        "rejected",
    }
    assert told - states <= said


def logged(folder: Path) -> Iterator[str]:
    """The first words of every call to a log."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log")) | ast.Name(id="tell"),
                    args=[ast.Constant(value=str(event)), *_],
                ):
                    yield event
