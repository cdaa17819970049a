"""`comanda top`: pictures of a real server, in a pipe and on a terminal; and what it makes of readings."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from comanda.actors.domain.messages import PartyInfo, PresentMember, UnsettledOrder
from comanda.actors.domain.money import to_major
from comanda.actors.tally import StorageFigures
from comanda.cli.top_figures import Figures, Samples, figures_between, quantile, read_samples
from comanda.cli.top_screen import OpenTable, Picture, by_urgency, drawn, plain
from comanda.http.metrics import Metrics

from .helpers import STAFF_TOKEN, Server, on_a_terminal, run

NOW = datetime(2024, 1, 15, 22, 0, tzinfo=UTC)
EVIL = "T\x1b]0;owned\x07\x1b[2J[red]9"
TOKEN = {"COMANDA_STAFF_TOKEN": STAFF_TOKEN}


def reading(metrics: Metrics) -> Samples:
    return read_samples(metrics.text().decode() + "comanda_sessions_live 3\n")


def figures_of(metrics: Metrics) -> Figures:
    return figures_between(reading(Metrics()), reading(metrics), 10.0)


def test_rates_and_latencies_are_of_the_time_between_two_readings() -> None:
    metrics = Metrics()
    metrics.count_command("add_item", "accepted", 30.0)
    before = reading(metrics)
    for _ in range(20):
        metrics.count_command("add_item", "accepted", 0.004)
    metrics.count_refusal("rate_limited")
    figures = figures_between(before, reading(metrics), 10.0)
    (add,) = figures.commands
    assert (add.name, add.rate) == ("add_item", 2.0)
    assert add.p99 is not None
    assert 0.0025 < add.p99 <= 0.005
    assert figures.refused == {"rate_limited": 0.1}
    assert figures.sessions == 3
    assert figures.slow == ()


def test_a_counter_that_went_down_began_anew() -> None:
    before, after = Metrics(), Metrics()
    for _ in range(50):
        before.count_command("add_item", "accepted", 0.001)
    after.count_command("add_item", "accepted", 0.001)
    (add,) = figures_between(reading(before), reading(after), 1.0).commands
    assert add.rate == 1


def test_commits_and_their_size_come_from_storages_figures() -> None:
    busy = Metrics(storage=lambda: StorageFigures((0, 2, 0, 3), 20, 9.0, 1))
    figures = figures_between(reading(Metrics()), reading(busy), 10.0)
    assert (figures.commits, figures.works_a_commit) == (0.5, 4.0)
    assert figures.storage_busy == 0.9
    assert figures.slow == ("storage writes 90% of the time",)


def test_a_slow_command_and_a_slow_reader_are_named() -> None:
    metrics = Metrics()
    metrics.count_command("place_order", "accepted", 0.9)
    metrics.count_close(1013)
    slow = figures_of(metrics).slow
    assert slow[0].startswith("place_order takes ")
    assert slow[1] == "1 phones read too slowly and were closed"


def test_a_quantile_is_even_inside_its_bucket() -> None:
    buckets = [(1.0, 10.0), (2.0, 20.0), (float("inf"), 20.0)]
    assert quantile(0.5, buckets) == 1.0
    assert quantile(0.75, buckets) == 1.5
    assert quantile(0.99, [(1.0, 0.0), (float("inf"), 5.0)]) == 1.0
    assert quantile(0.5, [(1.0, 0.0), (float("inf"), 0.0)]) is None


def test_what_is_no_reading_of_a_comanda_server_is_refused() -> None:
    with pytest.raises(ValueError, match="not the metrics of a Comanda server"):
        read_samples("up 1\n")


def a_table(label: str, minutes: int, *, pending: bool = False, doubt: bool = False) -> OpenTable:
    order = UnsettledOrder("ORD-7-1", "sent", EVIL, NOW - timedelta(seconds=8), to_major(625, 2))
    members = (PresentMember("m1", EVIL, True), PresentMember("m2", "Ben", False))
    party = PartyInfo(
        session_pid="session_1",
        opened_at=NOW - timedelta(minutes=minutes),
        members=members,
        total=to_major(62500, 2),
        pending_order=order if pending else None,
        orders_in_doubt=(order,) if doubt else (),
    )
    return OpenTable(label, EVIL, "INR", party)


def test_tables_whose_orders_need_somebody_come_first() -> None:
    tables = [
        a_table("new", 1),
        a_table("old", 90),
        a_table("orders", 2, pending=True),
        a_table("doubt", 3, doubt=True),
    ]
    assert [one.label for one in by_urgency(tables)] == ["doubt", "orders", "old", "new"]


def test_in_a_pipe_every_table_has_a_heading_and_its_columns_stand_under_it() -> None:
    metrics = Metrics()
    metrics.count_command("add_item", "accepted", 0.9)
    picture = Picture("http://x", NOW, figures_of(metrics), (a_table("T1", 5),))
    rows = [line.split("\t") for line in plain(picture) if "\t" in line]
    assert [row[0] for row in rows] == ["took", "add_item", "table", "T1"]
    assert len(rows[0]) == len(rows[1])
    assert len(rows[2]) == len(rows[3])


def on_screen(picture: Picture, *, rows: int) -> str:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=rows, color_system=None)
    console.print(drawn(picture, console))
    return out.getvalue()


def test_no_escape_of_a_name_or_label_reaches_the_terminal() -> None:
    metrics = Metrics()
    metrics.count_command(EVIL, "accepted", 0.9)
    metrics.count_refusal(EVIL)
    picture = Picture(EVIL, NOW, figures_of(metrics), (a_table(EVIL, 5, pending=True),), EVIL)
    shown = on_screen(picture, rows=60)
    for text in (shown, "\n".join(plain(picture))):
        assert "T]0;owned[2J[red]9" in text
        assert "\x1b]" not in text
        assert "\x1b[2J" not in text
        assert "\x07" not in text


def test_of_the_tables_as_many_are_drawn_as_there_is_room_for() -> None:
    tables = tuple(a_table(f"T{n}", 5) for n in range(40))
    picture = Picture("http://x", NOW, figures_of(Metrics()), tables)
    for rows in (24, 30, 50):
        lines = on_screen(picture, rows=rows).splitlines()
        assert len(lines) <= rows
        assert any("more open tables" in line for line in lines)


def test_in_a_pipe_one_picture_is_plain_lines(server: Server) -> None:
    run("join", "demo-15", "--name", "Ana", "--server", server.url, typed="a 456 1\n")
    done = run("top", "--once", "--server", server.url, **TOKEN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith(server.url)
    assert any(line.startswith("T15\tTrattoria Comanda\t0/1\t625.00 INR\t-\t") for line in lines)


def test_without_the_staffs_token_it_says_why_there_are_no_tables(server: Server) -> None:
    done = run("top", "--once", "--server", server.url)
    assert done.returncode == 0
    assert "The tables need the staff's token" in done.stdout


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_on_a_terminal_q_or_ctrl_c_ends_it_and_leaves_the_terminal_as_it_was(
    server: Server, key: str
) -> None:
    with on_a_terminal("top", "--server", server.url) as terminal:
        terminal.wait_for("sessions ")
        terminal.type(key)
        assert terminal.wait_for_end() == 0
        assert "\x1b[?1049l" in terminal.seen  # the screen of before is back


def test_where_no_server_answers_it_says_so() -> None:
    done = run("top", "--once", "--server", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "no Comanda server answers here" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_token_is_told_as_one(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("wrong")
    done = run("top", "--once", "--server", server.url, "--staff-token-file", str(file))
    assert done.returncode == 2
    assert "the staff's token" in done.stderr
