from __future__ import annotations

from itertools import count

import pytest
import trio
import trio.testing

from comanda.runtime import ActorStopped, Envelope, Mailbox, MailboxFull, Quarantined
from tests.runtime.helpers import Slot


def filled(mailbox: Mailbox[int], *messages: int) -> None:
    for message in messages:
        mailbox.put(Envelope(message))


def messages(batch: list[Envelope[int]]) -> list[int]:
    return [envelope.message for envelope in batch]


async def test_a_batch_comes_out_in_order_of_arrival() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1, 2, 3)
    assert messages(await mailbox.receive_batch(10)) == [1, 2, 3]


async def test_a_batch_is_bounded_and_the_rest_stays_in_order() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, *range(7))
    assert messages(await mailbox.receive_batch(3)) == [0, 1, 2]
    assert messages(await mailbox.receive_batch(3)) == [3, 4, 5]
    assert messages(await mailbox.receive_batch(3)) == [6]


async def test_the_own_lane_comes_first() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1, 2)
    mailbox.put_own(Envelope(100))
    mailbox.put_own(Envelope(101))
    assert messages(await mailbox.receive_batch(3)) == [100, 101, 1]
    assert messages(await mailbox.receive_batch(3)) == [2]


async def test_a_full_lane_refuses_at_once_and_does_not_fill_the_other() -> None:
    mailbox = Mailbox[int](2, 1)
    filled(mailbox, 1, 2)
    with pytest.raises(MailboxFull):
        mailbox.put(Envelope(3))
    mailbox.put_own(Envelope(100))
    with pytest.raises(MailboxFull):
        mailbox.put_own(Envelope(101))
    assert messages(await mailbox.receive_batch(10)) == [100, 1, 2]
    filled(mailbox, 4)
    assert mailbox.statistics().refused_total == 2


def test_a_mailbox_without_room_is_not_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Mailbox[int](0, 1)
    with pytest.raises(ValueError, match="at least one"):
        Mailbox[int](1, 0)


async def test_receiving_is_always_a_checkpoint() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1)
    with trio.testing.assert_checkpoints():
        await mailbox.receive_batch(1)
    mailbox.halt()
    with trio.testing.assert_checkpoints():
        assert await mailbox.receive_batch(1) == []


async def test_the_consumer_waits_until_something_is_put() -> None:
    mailbox = Mailbox[int](10, 10)
    taken: list[int] = []

    async def consume() -> None:
        taken.extend(messages(await mailbox.receive_batch(10)))

    for put in (mailbox.put, mailbox.put_own):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(consume)
            await trio.testing.wait_all_tasks_blocked()
            idle = [mailbox.idle]
            put(Envelope(1))
            idle.append(mailbox.idle)
            assert idle == [True, False]
            mailbox.put(Envelope(2))
    assert taken == [1, 2, 1, 2]


async def test_a_cancelled_receive_loses_nothing() -> None:
    mailbox = Mailbox[int](10, 10)
    with trio.CancelScope() as scope:
        scope.cancel()
        filled(mailbox, 1)
        await mailbox.receive_batch(10)
    assert scope.cancelled_caught
    assert messages(mailbox.take_all()) == [1]


async def test_a_receive_cancelled_while_it_waits_leaves_the_mailbox_sound() -> None:
    mailbox = Mailbox[int](10, 10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive_batch, 10)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not mailbox.idle
    filled(mailbox, 1)
    assert messages(await mailbox.receive_batch(10)) == [1]


async def test_what_is_put_in_the_moment_of_cancelling_is_taken_or_stays() -> None:
    mailbox = Mailbox[int](10, 10)
    taken: list[int] = []
    async with trio.open_nursery() as nursery:

        async def consume() -> None:
            taken.extend(messages(await mailbox.receive_batch(10)))
            await trio.sleep_forever()

        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        filled(mailbox, 1)
        nursery.cancel_scope.cancel()
    assert taken + messages(mailbox.take_all()) == [1]


async def test_a_second_consumer_is_an_error() -> None:
    mailbox = Mailbox[int](10, 10)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(mailbox.receive_batch, 1)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="one consumer"):
            await mailbox.receive_batch(1)
        nursery.cancel_scope.cancel()


async def test_a_draining_mailbox_gives_what_waits_and_then_the_end() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1, 2)
    mailbox.drain(lambda: ActorStopped("Over."))
    with pytest.raises(ActorStopped):
        mailbox.put(Envelope(3))
    mailbox.put_own(Envelope(100))
    assert messages(await mailbox.receive_batch(2)) == [100, 1]
    assert messages(await mailbox.receive_batch(2)) == [2]
    assert await mailbox.receive_batch(2) == []


async def test_a_halted_mailbox_gives_nothing_and_keeps_what_comes() -> None:
    mailbox = Mailbox[int](10, 10)
    mailbox.halt()
    filled(mailbox, 1)
    assert await mailbox.receive_batch(2) == []
    mailbox.reopen()
    assert messages(await mailbox.receive_batch(2)) == [1]


@pytest.mark.parametrize("end", ["halt", "drain", "close"])
async def test_a_waiting_consumer_hears_of_the_end(end: str) -> None:
    mailbox = Mailbox[int](10, 10)
    taken: list[list[Envelope[int]]] = []

    async def consume() -> None:
        taken.append(await mailbox.receive_batch(1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(consume)
        await trio.testing.wait_all_tasks_blocked()
        if end == "drain":
            mailbox.drain(lambda: ActorStopped("Over."))
        else:
            getattr(mailbox, end)()
    assert taken == [[]]


async def test_a_closed_mailbox_refuses_both_lanes_and_can_be_reopened() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1)
    mailbox.close()
    with pytest.raises(ActorStopped):
        mailbox.put(Envelope(2))
    with pytest.raises(ActorStopped):
        mailbox.put_own(Envelope(2))
    assert messages(mailbox.take_all()) == [1]
    mailbox.reopen()
    filled(mailbox, 3)
    mailbox.put_own(Envelope(4))
    assert messages(mailbox.take_all()) == [4, 3]


def test_a_closed_mailbox_says_why_anew_to_each_sender() -> None:
    mailbox = Mailbox[int](10, 10)
    seconds = count(10, -1)
    mailbox.close(lambda: Quarantined(next(seconds)))
    for left in (10, 9):
        with pytest.raises(Quarantined) as refusal:
            mailbox.put(Envelope(1))
        assert refusal.value.seconds_left == left


def test_the_own_lane_can_be_taken_alone() -> None:
    mailbox = Mailbox[int](10, 10)
    filled(mailbox, 1)
    assert mailbox.take_own() == []
    mailbox.put_own(Envelope(100))
    mailbox.put_own(Envelope(101))
    assert messages(mailbox.take_own()) == [100, 101]
    assert messages(mailbox.take_all()) == [1]


async def test_statistics_tell_depths_totals_and_the_high_water_mark() -> None:
    mailbox = Mailbox[int](5, 3)
    filled(mailbox, 1, 2, 3)
    await mailbox.receive_batch(2)
    mailbox.put_own(Envelope(100))
    statistics = mailbox.statistics()
    assert (statistics.depth, statistics.own_depth) == (1, 1)
    assert (statistics.capacity, statistics.own_capacity) == (5, 3)
    assert statistics.accepted_total == 4
    assert statistics.high_water == 3
    filled(mailbox, 4, 5, 6)
    assert mailbox.statistics().high_water == 4
    assert mailbox.depth == 4


def test_the_first_answer_wins() -> None:
    slot = Slot()
    envelope = Envelope("hello", slot)
    assert "open" in repr(envelope)
    envelope.resolve(1)
    envelope.resolve(2)
    envelope.fail(ValueError())
    assert slot.answers == [1]
    assert envelope.answered
    assert "answered" in repr(envelope)
    failed, other = Envelope("hello", slot := Slot()), Envelope("nobody wants to know")
    failed.fail(ValueError())
    failed.resolve(1)
    assert slot.kind is ValueError
    other.resolve()
    assert other.answered
