"""The report is one file that needs no other, and shows what was measured."""

import re
from html.parser import HTMLParser

from comanda.load import Figures, Moment, Plan
from comanda.load.charts import Line, line_chart
from comanda.load.figures import Cost, latency_of
from comanda.load.report import html_report

PLAN = Plan(server="http://127.0.0.1:8080", tables=2)
VOID = {"meta", "line", "polyline"}


def figures(**more: object) -> Figures:
    """Of a short run."""
    found = Figures(
        tables=2,
        members=4,
        seated=2,
        seconds=3.0,
        edits=3_000,
        deliveries=12_000,
        latencies={"own_echo": latency_of({2_000: 10, 5_000: 1})},
        refused={"cart_locked": 3},
        server=Cost(0.6, 0.2, 50.0, 100 * 2**20, 40_000.0),
        moments=[
            Moment(1.0, 900, 3_600, 2.0, 5.0, 0, 0.2, 100 * 2**20),
            Moment(2.0, 1_100, 4_400, 2.1, 6.0, 0, 0.2, 100 * 2**20),
        ],
    )
    for name, value in more.items():
        setattr(found, name, value)
    return found


class Reader(HTMLParser):
    """Collects text and what is referred to; fails on a tag that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.references: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(page: str) -> Reader:
    """A page, read to its end."""
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_report_needs_no_other_file_and_no_script() -> None:
    page = html_report(PLAN, figures())
    assert read(page).references == []
    assert not re.search(r"<script|@import|url\(|https?://(?!127\.0\.0\.1)", page)
    assert "prefers-color-scheme: dark" in page


def test_the_report_shows_what_was_measured() -> None:
    text = read(html_report(PLAN, figures())).text
    for shown in ("1,000", "4,000", "50.0 µs", "edit → own echo", "cart_locked", "40.0 kB"):
        assert shown in text, shown
    assert "Right: every member was told the same" in text


def test_the_report_of_a_wrong_server_says_what_is_wrong_first() -> None:
    text = read(html_report(PLAN, figures(wrongs=["table 1: <b>it</b> is wrong"]))).text
    assert "Wrong: 1 things" in text
    assert text.index("table 1: <b>it</b> is wrong") < text.index("Latencies")


def test_a_run_in_which_nothing_was_measured_has_a_report_too() -> None:
    text = read(html_report(PLAN, Figures(interrupted=True))).text
    assert "ended early" in text
    assert "Nothing was measured." in text


def test_a_chart_keeps_its_lines_within_its_frame() -> None:
    chart = line_chart("Far", "x", "y", [Line("one", "s1", [(0, 0), (7, 1234.5), (13, 3)])])
    (points,) = re.findall(r'points="([^"]+)"', chart)
    for pair in points.split():
        x, y = map(float, pair.split(","))
        assert 64 <= x <= 690
        assert 12 <= y <= 220
