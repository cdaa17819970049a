"""`/metrics` counts what happens: orders, calls to the POS, closes, crashes, commits, latencies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from comanda.actors import dining_session
from comanda.actors.domain.order import Rejected
from comanda.actors.tally import Histogram
from comanda.http import attending
from comanda.http.metrics import Metrics

from .server import MARGHERITA, Server, TestPos, serving, until

SOLD_OUT = Rejected("sold_out", "Sold out", False)


async def samples(server: Server) -> dict[str, float]:
    """What `/metrics` says, by name and labels."""
    text = (await server.call("GET", "/metrics")).text
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_orders_and_calls_are_counted_by_what_came_of_them(tmp_path: Path) -> None:
    async with serving(tmp_path, TestPos(SOLD_OUT)) as server:
        ana = await server.join()
        async with server.phone(ana) as phone:
            await phone.add(MARGHERITA)
            await phone.order()
            await phone.until("order_failed")
            await phone.order()
            await phone.until("order_confirmed")
        seen = await samples(server)
    expected = {
        "comanda_orders_total state=prepared": 2,
        "comanda_orders_total state=sent": 2,
        "comanda_orders_total state=rejected": 1,
        "comanda_orders_total state=confirmed": 1,
        "comanda_pos_calls_total call=submit outcome=rejected": 1,
        "comanda_pos_calls_total call=submit outcome=accepted": 1,
        "comanda_pos_call_seconds_count call=submit": 2,
        "comanda_order_outcome_seconds_count outcome=confirmed": 1,
        "comanda_order_outcome_seconds_count outcome=rejected": 1,
        "comanda_order_outcome_seconds_count outcome=needs_staff": 0,
        "comanda_command_seconds_count type=place_order": 2,
    }
    assert {name: seen[name] for name in expected} == expected
    commits = seen["comanda_storage_group_works_count"]
    assert 0 < commits <= seen["comanda_storage_group_works_sum"]
    assert seen["comanda_storage_group_works_bucket le=+Inf"] == commits
    assert seen["comanda_storage_busy_seconds_total"] > 0


async def test_members_online_are_counted_once_however_many_connections_they_have(
    server: Server,
) -> None:
    ana, ben = await server.join(), await server.join(name="Ben")
    async with server.phone(ana), server.phone(ana), server.phone(ben):
        assert (await samples(server))["comanda_members_connected"] == 2

    async def nobody() -> bool:
        return (await samples(server))["comanda_members_connected"] == 0

    await until(nobody)


async def test_a_phone_that_reads_too_slowly_is_counted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await server.join()
    seated = attending._sit

    async def sit(front: Any, member: Any, socket: Any) -> Any:
        found = await seated(front, member, socket)
        socket.close(1013, "too slow a reader")
        return found

    monkeypatch.setattr(attending, "_sit", sit)
    async with server.socket(ana) as phone:
        await phone.say("join", token=ana.token)
        assert (await phone.closed())[0] == 1013

    async def counted() -> bool:
        return (await samples(server))["comanda_websocket_closes_total code=1013"] == 1

    await until(counted)


@contextmanager
def a_bug() -> Iterator[None]:
    """No command can be decided upon."""

    def decide(*_: object) -> None:
        raise ArithmeticError("a bug")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dining_session, "decide", decide)
        yield


@pytest.fixture
def complaints() -> None:
    """Here errors are in the log on purpose."""


async def test_a_crash_and_a_quarantine_are_counted(server: Server) -> None:
    ana = await server.join()
    before = await samples(server)
    assert before["comanda_restarts_total"] == before["comanda_quarantines_total"] == 0
    async with server.phone(ana) as phone:
        with a_bug():
            await phone.say("clear_cart", request_id="r")

            async def quarantined() -> bool:
                return (await samples(server))["comanda_quarantines_total"] == 1

            await until(quarantined)
    after = await samples(server)
    assert after["comanda_restarts_total"] >= 1
    assert after["comanda_sessions_quarantined"] == 1
    assert after["comanda_commands_total result=bad_message type=clear_cart"] == 1


def test_a_histogram_counts_each_in_its_place() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)
    assert histogram.counts == [2, 1, 1]
    assert histogram.seconds_total == pytest.approx(7.65)


def test_the_text_has_a_histograms_buckets_as_prometheus_wants_them() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.004, 99.0):
        metrics.count_command("add_item", "accepted", seconds)
    text = metrics.text().decode()
    buckets = {
        sample.labels["le"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "comanda_command_seconds_bucket"
    }
    assert buckets["0.001"] == 1
    assert buckets["0.0025"] == 1
    assert buckets["0.005"] == 2
    assert buckets["10.0"] == 2
    assert buckets["+Inf"] == 3


def test_a_peer_cannot_make_a_time_series_of_each_close_code() -> None:
    metrics = Metrics()
    for code in (*range(3000, 5000), None):
        metrics.count_close(code)
    lines = [line for line in metrics.text().decode().splitlines() if "_closes_total{" in line]
    assert sorted(lines) == [
        'comanda_websocket_closes_total{code="1006"} 1.0',
        'comanda_websocket_closes_total{code="1013"} 0.0',
        'comanda_websocket_closes_total{code="4401"} 1.0',
        'comanda_websocket_closes_total{code="4404"} 1.0',
        'comanda_websocket_closes_total{code="4410"} 1.0',
        'comanda_websocket_closes_total{code="other"} 1997.0',
    ]
