"""What every POS behind the port does: one suite, run against each of them."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from comanda.actors.domain.order import Accepted, Order, Pending, PosOutcome, Rejected, Unknown

from .kitchens import IMPLEMENTATIONS, Implementation, Kitchen, hash_of
from .simulator.helpers import an_order as body_of
from .test_dummy import an_order

PATIENCE_SECONDS = 30
"""Far above what anything here takes; only a fault makes it pass."""

BOOKKEEPERS = [one for one in IMPLEMENTATIONS if one.keeps_books]

Open = Callable[..., Any]


def order_number(number: int) -> Order:
    order = an_order(number)
    return replace(order, payload=body_of(order.order_id))


ORDER, OTHER = order_number(42), order_number(43)


@pytest.fixture(params=IMPLEMENTATIONS, ids=lambda one: one.name)
def implementation(request: pytest.FixtureRequest) -> Implementation:
    chosen: Implementation = request.param
    return chosen


@pytest.fixture
def clock(implementation: Implementation) -> MockClock | None:
    return MockClock(autojump_threshold=0) if implementation.virtual_time else None


@pytest.fixture
def opened(implementation: Implementation, tmp_path: Path) -> Open:
    return partial(implementation.open, tmp_path)


keeping_books = pytest.mark.parametrize(
    "implementation", BOOKKEEPERS, indirect=True, ids=lambda one: one.name
)


async def final(
    call: Callable[[Order], Awaitable[PosOutcome | None]], order: Order = ORDER
) -> PosOutcome | None:
    """What a call is answered once the POS does not say `Pending` any more."""
    with trio.fail_after(PATIENCE_SECONDS):
        while isinstance(answer := await call(order), Pending):  # noqa: ASYNC110  # it tells nobody
            await trio.sleep(0.01)
    return answer


async def leave_while_at_work(kitchen: Kitchen, order: Order = ORDER) -> None:
    """Submit, and give the call up once the POS has the order."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(kitchen.pos.submit, order)
            await kitchen.until_at_work(order)
            nursery.cancel_scope.cancel()


def is_voided(answer: PosOutcome | None) -> bool:
    return isinstance(answer, Rejected) and answer.code == "voided" and not answer.retryable


# --- Submitting -----------------------------------------------------------------------------------


async def test_the_same_key_again_has_the_same_answer(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        first = await kitchen.pos.submit(ORDER)
        assert isinstance(first, Accepted)
        assert [await kitchen.pos.submit(ORDER) for _ in range(3)] == [first] * 3


@keeping_books
async def test_the_same_key_again_has_one_effect_with_the_very_bytes(
    opened: Open, clock: Any
) -> None:
    async with opened() as kitchen:
        for _ in range(3):
            await kitchen.pos.submit(ORDER)
        assert kitchen.got(ORDER.order_id) == [hash_of(ORDER.payload)]
        assert kitchen.cooks(ORDER.order_id)


async def test_calls_with_one_key_at_once_hear_the_answer_or_that_it_is_to_come(
    opened: Open, clock: Any
) -> None:
    answers: list[PosOutcome] = []
    async with opened(slow=True) as kitchen:

        async def call() -> None:
            answers.append(await kitchen.pos.submit(ORDER))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(call)
        told = {answer for answer in answers if not isinstance(answer, Pending)}
        assert told == {await kitchen.pos.submit(ORDER)}
        assert isinstance(told.pop(), Accepted)


@keeping_books
async def test_calls_with_one_key_at_once_have_one_effect(opened: Open, clock: Any) -> None:
    async with opened(slow=True) as kitchen:
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(kitchen.pos.submit, ORDER)
        assert len(kitchen.got(ORDER.order_id)) == 1


@keeping_books
async def test_each_key_has_an_effect_of_its_own(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        for order in (ORDER, OTHER):
            assert isinstance(await kitchen.pos.submit(order), Accepted)
            assert kitchen.got(order.order_id) == [hash_of(order.payload)]


async def test_a_rejection_is_bound_to_its_key_for_good(opened: Open, clock: Any) -> None:
    async with opened(refuses=True) as kitchen:
        first = await kitchen.pos.submit(ORDER)
        assert isinstance(first, Rejected)
        assert [await kitchen.pos.submit(ORDER) for _ in range(3)] == [first] * 3
        found = await kitchen.pos.look_up(ORDER)
        assert isinstance(found, Rejected)
        assert (found.code, found.message) == (first.code, first.message)
        assert not kitchen.cooks(ORDER.order_id)


@keeping_books
async def test_the_same_key_with_other_bytes_is_told_and_has_no_effect(
    opened: Open, clock: Any
) -> None:
    async with opened() as kitchen:
        await kitchen.pos.submit(ORDER)
        stranger = replace(ORDER, payload=body_of(ORDER.order_id, table="T13"))
        answer = await kitchen.pos.submit(stranger)
        assert isinstance(answer, Unknown)
        assert answer.key_reused
        assert kitchen.got(ORDER.order_id) == [hash_of(ORDER.payload)]


# --- Looking up -----------------------------------------------------------------------------------


async def test_a_look_up_of_a_key_that_never_came_proves_nothing(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        assert await kitchen.pos.look_up(ORDER) is None
        assert isinstance(await kitchen.pos.submit(ORDER), Accepted)


async def test_an_accepted_order_is_found_as_it_was_answered(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        answer = await kitchen.pos.submit(ORDER)
        assert await kitchen.pos.look_up(ORDER) == answer
        assert await kitchen.pos.look_up(OTHER) is None


# --- Taking back ----------------------------------------------------------------------------------


async def test_a_void_is_promised_however_often_it_is_asked_for(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        await kitchen.pos.submit(ORDER)
        assert [await kitchen.pos.void(ORDER) for _ in range(3)] == [True] * 3
        assert is_voided(await kitchen.pos.submit(ORDER))
        assert is_voided(await kitchen.pos.look_up(ORDER))
        assert not kitchen.cooks(ORDER.order_id)


@keeping_books
async def test_a_voided_order_was_got_once_and_is_not_cooked(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        await kitchen.pos.submit(ORDER)
        assert kitchen.cooks(ORDER.order_id)
        await kitchen.pos.void(ORDER)
        await kitchen.pos.submit(ORDER)
        assert len(kitchen.got(ORDER.order_id)) == 1
        assert not kitchen.cooks(ORDER.order_id)


async def test_an_order_that_was_voided_before_it_came_is_refused(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        assert [await kitchen.pos.void(ORDER) for _ in range(2)] == [True] * 2
        assert is_voided(await kitchen.pos.submit(ORDER))
        assert is_voided(await kitchen.pos.look_up(ORDER))
        assert kitchen.got(ORDER.order_id) == []
        assert isinstance(await kitchen.pos.submit(OTHER), Accepted)


async def test_an_order_that_is_voided_while_at_work_is_never_cooked(
    opened: Open, clock: Any
) -> None:
    answers: list[PosOutcome] = []
    async with opened(slow=True) as kitchen:

        async def call() -> None:
            answers.append(await kitchen.pos.submit(ORDER))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await kitchen.until_at_work(ORDER)
            assert await kitchen.pos.void(ORDER)
        answers.append(await kitchen.pos.submit(ORDER))
        assert [is_voided(answer) for answer in answers] == [True, True]
        assert is_voided(await kitchen.pos.look_up(ORDER))
        assert kitchen.got(ORDER.order_id) == []


async def test_a_rejected_order_may_be_voided_too(opened: Open, clock: Any) -> None:
    async with opened(refuses=True) as kitchen:
        await kitchen.pos.submit(ORDER)
        assert await kitchen.pos.void(ORDER)
        assert isinstance(await kitchen.pos.submit(ORDER), Rejected)
        assert isinstance(await kitchen.pos.look_up(ORDER), Rejected)


# --- Callers who leave ----------------------------------------------------------------------------


async def test_an_order_whose_caller_leaves_has_the_answer_that_it_would_have_had(
    opened: Open, clock: Any
) -> None:
    async with opened(slow=True) as kitchen:
        await leave_while_at_work(kitchen)
        found = await final(kitchen.pos.look_up)
        assert isinstance(found, Accepted)
        assert await kitchen.pos.submit(ORDER) == found


@keeping_books
async def test_an_order_whose_caller_leaves_and_asks_again_has_one_effect(
    opened: Open, clock: Any
) -> None:
    async with opened(slow=True) as kitchen:
        await leave_while_at_work(kitchen)
        await leave_while_at_work(kitchen)
        assert isinstance(await final(kitchen.pos.submit), Accepted)
        assert kitchen.got(ORDER.order_id) == [hash_of(ORDER.payload)]


@pytest.mark.parametrize("refuses", [False, True], ids=["accepted", "rejected"])
async def test_a_cancelled_call_leaves_the_keys_answer_as_it_is(
    opened: Open, clock: Any, refuses: bool
) -> None:
    async with opened(refuses=refuses) as kitchen:
        answer = await kitchen.pos.submit(ORDER)
        for call in (kitchen.pos.submit, kitchen.pos.look_up):
            with trio.CancelScope() as scope:
                scope.cancel()
                await call(ORDER)
            assert scope.cancelled_caught
            assert await kitchen.pos.submit(ORDER) == answer


async def test_a_cancelled_void_can_be_asked_for_again(opened: Open, clock: Any) -> None:
    async with opened() as kitchen:
        await kitchen.pos.submit(ORDER)
        with trio.CancelScope() as scope:
            scope.cancel()
            await kitchen.pos.void(ORDER)
        assert scope.cancelled_caught
        assert await kitchen.pos.void(ORDER)
        assert is_voided(await kitchen.pos.submit(ORDER))
