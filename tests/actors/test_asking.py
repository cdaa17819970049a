"""What the house makes of an adapter's answer before it uses it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from trio.testing import MockClock

from comanda.actors.asking import MAX_POS_TEXT_CHARACTERS, sound
from comanda.actors.domain.order import Accepted, NotSent, Pending, PosOutcome, Rejected, Unknown
from tests.actors.table import ScriptedPos, hang, open_house, say, sit_down

LONG = "x" * (MAX_POS_TEXT_CHARACTERS + 1)
CUT = LONG[:-1]


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (Accepted(LONG), Accepted(CUT)),
        (Pending(LONG, None), Pending(CUT, None)),
        (Rejected(LONG, LONG, retryable=True), Rejected(CUT, CUT, retryable=True)),
        (NotSent(LONG, 2.0), NotSent(CUT, 2.0)),
        (Unknown(LONG), Unknown(CUT)),
        (Unknown(LONG, key_reused=True), Unknown(CUT, key_reused=True)),
    ],
)
def test_no_text_of_an_adapter_is_kept_beyond_the_bound(said: PosOutcome, kept: PosOutcome) -> None:
    assert sound(said) == kept


def test_what_is_no_outcome_is_unknown() -> None:
    assert isinstance(sound("accepted"), Unknown)  # type: ignore[arg-type]
    assert sound(None) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (Accepted("A\x00-1\x1b[2J"), Accepted("A-1[2J")),
        (Pending("half an emoji \ud83d", None), Pending("half an emoji ?", None)),
        (Rejected("c", "two\nlines", retryable=True), Rejected("c", "two\nlines", retryable=True)),
    ],
)
def test_the_words_of_a_pos_are_plain_text_that_can_be_kept(
    said: PosOutcome, kept: PosOutcome
) -> None:
    assert sound(said) == kept


EAST, WEST = timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))
NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)
BEYOND_THE_CALENDAR = datetime.max.replace(tzinfo=WEST)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (NOON.astimezone(EAST), NOON),
        (NOON.replace(tzinfo=None), None),
        (BEYOND_THE_CALENDAR, None),
        (datetime.min.replace(tzinfo=EAST), None),
    ],
)
def test_a_time_is_kept_in_utc_or_not_at_all(said: datetime, kept: datetime | None) -> None:
    assert sound(Pending("A-1", said)) == Pending("A-1", kept)


async def test_a_pos_that_will_decide_beyond_the_calendar_keeps_no_table_locked(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(Pending("A-1", BEYOND_THE_CALENDAR)), *[hang] * 20)
    async with open_house(pos) as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        await ana.order()
        await ana.sees("cart_unlocked")
        (order,) = await house.store.waiting_for_staff(10)
        assert (order.state, order.pos_reference) == ("needs_staff", "A-1")
