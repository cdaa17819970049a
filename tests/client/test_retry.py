"""The automatic retry as a decision: who, when, how often, and what ends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comanda.actors.domain.inputs import Admit
from comanda.actors.domain.messages import AddItem, LastOrder, RemoveItem
from comanda.actors.domain.order import Accepted, Rejected
from comanda.client import AutoRetry, CartStore, ClientSettings, RetryPlan, plan_retry

from ..actors.domain.helpers import LASSI, MARGHERITA, ATable

SETTINGS = ClientSettings()
NO = Rejected("closed", "The kitchen is closed", retryable=True)


def failed(tries: int = 1, *, allow_retry: bool = True, placed_by: str = "member_1") -> LastOrder:
    return LastOrder("ORD-7-42", "failed", "closed", allow_retry, placed_by, tries)


def plan(last_order: LastOrder | None, seconds_to_failure: float = 3.0) -> RetryPlan | None:
    return plan_retry(
        last_order,
        member_id="member_1",
        seconds_to_failure=seconds_to_failure,
        settings=SETTINGS,
    )


@pytest.mark.parametrize(("tries", "after_seconds"), [(1, 2.0), (2, 4.0), (3, 8.0)])
def test_retries_come_after_2_4_and_8_seconds(tries: int, after_seconds: float) -> None:
    assert plan(failed(tries)) == RetryPlan("ORD-7-42", after_seconds, tries)


def test_there_is_no_fourth_retry_whoever_made_the_first_three() -> None:
    assert plan(failed(4)) is None


def test_an_order_that_may_not_be_retried_is_not() -> None:
    assert plan(failed(allow_retry=False)) is None


def test_another_members_order_is_not_retried() -> None:
    assert plan(failed(placed_by="member_2")) is None


def test_a_failure_after_the_order_timeout_is_not_retried() -> None:
    assert plan(failed(), seconds_to_failure=10.0) is not None
    assert plan(failed(), seconds_to_failure=10.1) is None


def test_a_confirmed_order_or_none_is_not_retried() -> None:
    assert plan(None) is None
    assert plan(LastOrder("ORD-7-42", "confirmed", None, True, "member_1", 1)) is None


@given(
    tries=st.integers(0, 20),
    limit=st.integers(0, 10),
    delay=st.floats(0.1, 10),
    seconds=st.floats(0, 20),
)
def test_a_plan_is_within_the_limit_and_doubles(
    tries: int, limit: int, delay: float, seconds: float
) -> None:
    settings = ClientSettings(retry_limit=limit, retry_delay_seconds=delay)
    planned = plan_retry(
        failed(tries), member_id="member_1", seconds_to_failure=seconds, settings=settings
    )
    assert (planned is not None) == (1 <= tries <= limit and seconds <= 10)
    if planned is not None:
        assert planned.after_seconds == delay * 2 ** (tries - 1)


# --- What ends it -----------------------------------------------------------------------------------


def a_failed_order() -> tuple[ATable, CartStore, AutoRetry]:
    table = ATable()
    table.adds()
    table.places()
    table.sends()
    table.answers(NO)
    store = CartStore("member_1")
    store.load_snapshot(table.session.snapshot(frozenset()))
    retry = AutoRetry("member_1", SETTINGS)
    assert retry.order_failed(store, 3.0) is not None
    return table, store, retry


def test_an_unchanged_cart_is_ordered_again_once() -> None:
    _, store, retry = a_failed_order()
    assert not retry.after_change(store)
    assert retry.fire(store)
    assert not retry.fire(store)


@pytest.mark.parametrize("by", ["member_1", "member_2"])
def test_any_edit_by_anyone_ends_it(by: str) -> None:
    table, store, retry = a_failed_order()
    for event in table.says(AddItem(LASSI, 1), by=by).events:
        store.apply(event)
    assert retry.after_change(store)
    assert not retry.after_change(store)
    assert not retry.fire(store)


def test_an_edit_that_was_taken_back_ends_it_too() -> None:
    table, store, retry = a_failed_order()
    table.says(RemoveItem(table.adds(LASSI)))
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert retry.after_change(store)


def test_an_order_by_anyone_ends_it() -> None:
    table, store, retry = a_failed_order()
    table.places(by="member_2")
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert retry.after_change(store)


def test_an_order_that_came_and_went_ends_it() -> None:
    table, store, retry = a_failed_order()
    table.places(by="member_2")
    table.sends()
    table.answers(NO)
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert retry.after_change(store)


def test_a_menu_that_changes_the_cart_ends_it() -> None:
    table, store, retry = a_failed_order()
    for event in table.changes_menu(MARGHERITA, price_minor=70000).events:
        store.apply(event)
    assert store.order_processing_status == "failed"
    assert retry.after_change(store)


def test_a_tap_ends_it() -> None:
    _, store, retry = a_failed_order()
    assert retry.cancel()
    assert not retry.cancel()
    assert not retry.fire(store)


def test_a_member_who_joins_does_not_end_it() -> None:
    table, store, retry = a_failed_order()
    for event in table.hears(Admit("Cem")).events:
        store.apply(event)
    assert not retry.after_change(store)
    assert retry.fire(store)


def test_a_confirmed_order_gives_no_plan() -> None:
    table = ATable()
    table.adds()
    table.places()
    table.sends()
    table.answers(Accepted("pos-1"))
    store = CartStore("member_1")
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert AutoRetry("member_1", SETTINGS).order_failed(store, 1.0) is None
