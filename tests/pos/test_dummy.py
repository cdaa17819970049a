"""The dummy POS of the specification: slow, repeatable, and told what to do by words."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from comanda.actors.domain.order import Accepted, Order, PosOutcome, Rejected
from comanda.pos.dummy import MAX_DELAY_SECONDS, DummyPos, Wishes, read_wishes
from tests.actors.domain.helpers import NOW


def an_order(number: int = 1, words: str = "") -> Order:
    return Order(
        order_id=f"ORD-7-{number}",
        restaurant_id=7,
        order_number=number,
        session_pid="s",
        table_label="T1",
        state="sent",
        placed_by="m",
        placed_by_name="Ana",
        placed_at=NOW,
        lock_ends_at=NOW,
        lines=(),
        total_minor=0,
        currency="INR",
        minor_digits=2,
        special_instructions=words,
        payload=b"{}",
    )


async def asked(pos: DummyPos, order: Order, for_seconds: float = 10) -> PosOutcome | None:
    with trio.move_on_after(for_seconds):
        return await pos.submit(order)
    return None


async def test_it_answers_after_its_delay(autojump_clock: MockClock) -> None:
    await asked(DummyPos(delay_seconds=3), an_order())
    assert trio.current_time() == pytest.approx(3)


async def test_a_refusal_is_the_specifications_and_may_be_tried_again(
    autojump_clock: MockClock,
) -> None:
    outcome = await asked(DummyPos(success_rate=0), an_order())
    assert outcome == Rejected("unavailable", "POS system unavailable", retryable=True)


async def test_nine_in_ten_are_accepted_and_the_seed_says_which(autojump_clock: MockClock) -> None:
    async def outcomes(seed: int) -> list[bool]:
        pos = DummyPos(delay_seconds=0, seed=seed)
        return [isinstance(await pos.submit(an_order(n)), Accepted) for n in range(1000)]

    first = await outcomes(1)
    assert 860 <= sum(first) <= 940
    assert first == await outcomes(1)
    assert first != await outcomes(2)


async def test_the_same_key_gets_the_same_answer_when_the_first_would_have_been_ready(
    autojump_clock: MockClock,
) -> None:
    pos = DummyPos()
    order = an_order(words="pos:accept,pos:delay=14")
    assert await asked(pos, order) is None
    await trio.sleep(2)
    assert await asked(pos, order) == Accepted("POS-1")
    assert trio.current_time() == pytest.approx(14)
    assert await pos.look_up(order) == Accepted("POS-1")
    assert trio.current_time() == pytest.approx(14)


async def test_a_look_up_knows_nothing_of_a_key_that_never_came(autojump_clock: MockClock) -> None:
    assert await DummyPos().look_up(an_order()) is None


async def test_a_lost_answer_is_found_by_the_look_up_and_by_the_same_key(
    autojump_clock: MockClock,
) -> None:
    pos = DummyPos(success_rate=0)
    order = an_order(words="pos:lost")
    assert await asked(pos, order, 600) is None
    assert await pos.look_up(order) == Accepted("POS-1")
    assert await asked(pos, order) == Accepted("POS-1")


async def test_a_hanging_pos_answers_nothing_to_anybody(autojump_clock: MockClock) -> None:
    pos = DummyPos()
    order = an_order(words="pos:hang")
    assert await asked(pos, order, 3600) is None
    with trio.move_on_after(3600) as scope:
        await pos.look_up(order)
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    ("words", "wishes"),
    [
        ("", Wishes()),
        ("pos:accept", Wishes(accept=True)),
        ("pos:reject Table by the window", Wishes(accept=False)),
        ("  pos:reject, pos:delay=14, no onions", Wishes(accept=False, delay_seconds=14.0)),
        ("pos:delay=0.5,pos:lost", Wishes(lost=True, delay_seconds=0.5)),
        ("pos:hang", Wishes(hang=True)),
        ("no onions, pos:reject", Wishes()),
        ("pos:rejection", Wishes()),
        ("pos:delay=", Wishes()),
        ("pos:delay=999999", Wishes(delay_seconds=MAX_DELAY_SECONDS)),
        ("POS:ACCEPT", Wishes()),
    ],
)
def test_only_the_known_words_at_the_start_choose_the_outcome(words: str, wishes: Wishes) -> None:
    assert read_wishes(words) == wishes


@given(st.text(max_size=100))
def test_no_instructions_confuse_it(words: str) -> None:
    wishes = read_wishes(words)
    assert wishes.delay_seconds is None or 0 <= wishes.delay_seconds <= MAX_DELAY_SECONDS


async def test_an_order_taken_back_is_refused_whoever_asks(autojump_clock: MockClock) -> None:
    pos, order = DummyPos(), an_order(1, "pos:accept")
    assert await pos.submit(order) == Accepted("POS-1")
    assert await pos.void(order) is True
    assert await pos.void(order) is True
    for answer in (await pos.submit(order), await pos.look_up(order)):
        assert answer == Rejected("voided", "The order was taken back", retryable=False)


async def test_an_order_taken_back_while_at_work_or_before_it_came_is_never_accepted(
    autojump_clock: MockClock,
) -> None:
    pos, late = DummyPos(), an_order(2, "pos:accept")
    answers: list[PosOutcome | None] = []

    async def ask() -> None:
        answers.append(await asked(pos, an_order(1, "pos:accept")))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await trio.sleep(1)
        await pos.void(an_order(1))
    await pos.void(late)
    answers.append(await asked(pos, late))
    assert answers == [Rejected("voided", "The order was taken back", retryable=False)] * 2
