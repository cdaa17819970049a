"""docs/pos.md against the code: the body, the outcomes, the dummy's words, the port."""

import inspect
import json
import re
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_args

import msgspec
import pytest
import trio

from comanda.actors.asking import MAX_POS_TEXT_CHARACTERS
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import CallbackBody, IncidentKind, OrderProcessing
from comanda.actors.domain.order import (
    Accepted,
    NotSent,
    Order,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)
from comanda.actors.ports import Pos
from comanda.actors.pos_task import PosTimes
from comanda.actors.reconciliation import ReconciliationLimits
from comanda.config import Settings, make_settings
from comanda.http import house_metrics
from comanda.http.problems import STATUSES
from comanda.http.routes import ENDPOINTS
from comanda.pos import answers, dummy, webhook
from comanda.pos.dummy import DummyPos, Wishes, read_wishes
from comanda.webhooks import SECRET_PREFIX
from tests.actors.domain.helpers import MARGHERITA, NOW, ATable, place

from .pages import read_page

PAGE = read_page("docs/pos.md")
OUTCOMES: tuple[PosOutcome, ...] = (
    Accepted("POS-42"),
    Pending("POS-42", NOW + timedelta(seconds=20)),
    Rejected("closed", "The kitchen is closed", retryable=False),
    NotSent("connection refused"),
    Unknown("no answer within 10 s"),
)
ROWS = {row["outcome"].strip("`"): row for row in PAGE.section("Five outcomes").table}


def signature(kind: type[PosOutcome]) -> str:
    """An outcome's type as the page writes it."""
    names = ", ".join(field.name for field in msgspec.structs.fields(kind))
    return f"{kind.__name__}({names})"


def an_order() -> tuple[ATable, Order]:
    """A table whose order is that of the page."""
    table = ATable("Ana", "Ben")
    table.adds(MARGHERITA, 2, "Extra spicy", by="member_2")
    table.hears(ByMember("member_1", place(table.session, said="Table by the window")))
    return table, table.order


def test_the_body_is_what_such_an_order_sends() -> None:
    (example,) = PAGE.section("Submitting").json()
    sent: Any = json.loads(an_order()[1].payload)
    assert example == sent
    assert list(example) == list(sent)
    assert list(example["lines"][0]) == list(sent["lines"][0])


def test_the_outcomes_are_those_of_the_code() -> None:
    assert list(ROWS) == [signature(kind) for kind in get_args(PosOutcome)]
    assert [type(outcome) for outcome in OUTCOMES] == list(get_args(PosOutcome))


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_an_outcome_does_to_an_order_what_the_page_says(outcome: PosOutcome) -> None:
    table, _ = an_order()
    table.sends()
    decision = table.answers(outcome)
    order = decision.reply
    assert isinstance(order, Order)
    (event,) = decision.events
    said = f"`{event.__struct_config__.tag}`"
    if isinstance(event, OrderProcessing):
        said += f", stage `{event.stage}`"
    row = ROWS[signature(type(outcome))]
    assert (row["the order becomes"], row["the table hears"]) == (f"`{order.state}`", said)


def test_every_answer_of_the_http_contract_is_an_outcome() -> None:
    named = {row["outcome"].strip("`") for row in PAGE.section("Submitting").table}
    assert named == {kind.__name__ for kind in get_args(PosOutcome)}


def test_the_callback_on_the_page_is_one_that_the_server_takes() -> None:
    section = PAGE.section("Callbacks")
    (endpoint,) = (one for one in ENDPOINTS if one.access == "pos")
    assert f"`{endpoint.method} {endpoint.path}`" in section.prose
    (example,) = section.json()
    body = msgspec.json.decode(json.dumps(example), type=endpoint.body)
    assert json.loads(msgspec.json.encode(body)) == example


def test_a_callbacks_members_are_those_of_the_code() -> None:
    lines = [line.strip("| ") for line in PAGE.section("Callbacks").prose.splitlines()]
    rows = [re.split(r" *\| *", line) for line in lines if re.match(r"`[a-z_]+` +\|", line)]
    on_page = {row[0].strip("`"): row[1] == "yes" for row in rows}
    assert on_page == {field.name: field.required for field in msgspec.structs.fields(CallbackBody)}


def test_a_callbacks_answers_are_those_of_the_code() -> None:
    (endpoint,) = (one for one in ENDPOINTS if one.access == "pos")
    cells = re.findall(r"^\| ((?:\d{3}|or| )+) \|", PAGE.section("Callbacks").prose, re.MULTILINE)
    on_page = {int(status) for cell in cells for status in cell.split(" or ")}
    assert on_page == {endpoint.status, *(STATUSES[code] for code in endpoint.codes)}


def test_a_secret_is_as_the_page_says() -> None:
    prose = " ".join(PAGE.section("Callbacks").prose.split())
    assert f"`{SECRET_PREFIX}` and Base64" in prose


def test_the_incidents_are_those_of_the_code() -> None:
    assert PAGE.section("Incidents").column("incident") == list(get_args(IncidentKind))


def test_the_times_of_reconciliation_are_those_of_the_code() -> None:
    limits = ReconciliationLimits()
    lock = " ".join(PAGE.section("Five outcomes").prose.split())
    assert limits.share_of_age == 0.25
    assert f"{limits.staff_orders_seconds:g} seconds after the lock ended" in lock
    assert f"more than {limits.most} orders wait" in lock
    assert f"every {limits.staff_orders_seconds:g} seconds so many are looked through" in lock
    least, most = limits.shortest_pause_seconds, limits.longest_pause_seconds
    assert f"at least {least:g} and at most {most:g} seconds" in lock
    voids = " ".join(PAGE.section("Orders that are taken back").prose.split())
    pause = limits.void_pause_seconds
    assert limits.voids_seconds == 1
    assert f"after {pause:g}, {2 * pause:g}, {4 * pause:g} … up to {most:g} seconds" in voids
    assert f"{limits.void_tries} tries to have" in PAGE.section("Incidents").prose


def test_the_gauges_on_the_page_are_those_of_the_code() -> None:
    source = inspect.getsource(house_metrics)
    named = re.findall(r"`(comanda_\w+)`", PAGE.text)
    assert len(named) == 3
    assert all(f'"{name}"' in source for name in named)


def test_serve_knows_the_dummy_and_a_base_url() -> None:
    prose = " ".join(PAGE.section("What this version speaks").prose.split())
    assert "knows `dummy` and one base URL" in prose
    for pos in ("dummy", "https://pos.example/api"):
        assert f"--pos {pos}`" in prose or pos == Settings.model_fields["pos"].default
        assert make_settings(pos=pos).pos == pos


def test_the_figures_of_the_adapter_over_http_are_those_of_the_code() -> None:
    prose = " ".join(PAGE.section("Submitting").prose.split())
    assert f"longer than {webhook.MAX_ANSWER_BYTES // 1024} KiB" in prose
    assert f"has {webhook.CALLS_PER_RESTAURANT} calls under way" in prose
    assert f"have {webhook.LATE_CALLS_PER_RESTAURANT} calls of their own" in prose
    assert Settings.model_fields["pos_calls_per_restaurant"].default == webhook.CALLS_PER_RESTAURANT
    assert (webhook.ANSWER_SHARE, webhook.CONNECT_SHARE) == (0.9, 0.3)
    assert f"longer than {MAX_POS_TEXT_CHARACTERS} characters is cut" in prose
    assert f"{answers.DEFAULT_RETRY_SECONDS:g} seconds where nothing is said" in PAGE.text
    assert f"({PosTimes().shortest_retry_seconds:g} seconds at the least)" in PAGE.text


def test_the_times_on_the_page_are_those_of_the_code() -> None:
    prose = " ".join(PAGE.section("Five outcomes").prose.split())
    times = PosTimes()
    assert (times.pause_seconds, times.longest_pause_seconds) == (2, 8)
    assert "pauses of 2, 4, 8, 8 … seconds" in prose
    assert f"each call ended after {times.call_timeout_seconds:g} seconds" in prose
    assert f"heeded up to {times.longest_wait_seconds:g} seconds" in prose
    settings = {name: field.default for name, field in Settings.model_fields.items()}
    assert settings["pos_timeout"] == times.call_timeout_seconds
    assert f"{settings['lock_limit']:g} seconds after the order was placed" in prose


def test_the_dummys_figures_are_those_of_the_code() -> None:
    prose = " ".join(PAGE.section("The dummy POS").prose.split())
    assert f"answers {DummyPos().delay_seconds:g} seconds after" in prose
    assert f"accepts {DummyPos().success_rate * 10:g} orders in 10" in prose
    for name in re.findall(r"`COMANDA_(\w+)`", PAGE.text):
        assert name.lower() in Settings.model_fields


def test_the_dummys_words_are_those_of_the_code() -> None:
    words = PAGE.section("The dummy POS").column("word")
    wished = [read_wishes(word) for word in words]
    assert all(wishes != Wishes() for wishes in wished)
    in_code = re.findall(r"[(|]([a-z]+)(?=[|=])", dummy._WORD.pattern)
    assert sorted(re.split(r"[:=]", word)[1] for word in words) == sorted(in_code)
    for field in fields(Wishes):
        assert any(getattr(wishes, field.name) != field.default for wishes in wished), field.name
    assert f"at most {dummy.MAX_DELAY_SECONDS:g}" in PAGE.section("The dummy POS").prose


def test_the_ports_methods_are_those_of_the_code() -> None:
    methods = {
        f"{name}({', '.join(list(inspect.signature(method).parameters)[1:])})"
        for name, method in vars(Pos).items()
        if not name.startswith("_")
    }
    assert set(PAGE.section("Writing an adapter").column("method")) == methods


async def test_the_adapter_on_the_page_works() -> None:
    (block,) = PAGE.section("Writing an adapter").blocks
    names: dict[str, Any] = {}
    exec(compile(block.text, "docs/pos.md", "exec"), names)
    printer: Pos = names["Printer"]()
    _, order = an_order()
    with trio.fail_after(5):
        assert await printer.look_up(order) is None
        assert await printer.submit(order) == Accepted("slip 42")
        assert await printer.submit(order) == Accepted("slip 42")
        assert await printer.look_up(order) == Accepted("slip 42")
        assert await printer.void(order) is False
