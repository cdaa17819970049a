"""The output gate, the lock, and who is told what, on virtual time and the real schema."""

import pytest
import trio
from trio.testing import MockClock

from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartSnapshot,
    CartUpdated,
    ClearCart,
    OrderConfirmed,
    OrderFailed,
    PlaceOrder,
    RemoveItem,
    UpdateItem,
)
from comanda.actors.domain.order import Rejected
from comanda.runtime import Envelope
from tests.actors.table import (
    MARGHERITA,
    Phone,
    ScriptedPos,
    accept,
    code_of,
    open_house,
    say,
    sit_down,
)


async def test_an_edit_of_one_is_seen_by_all_and_acknowledged_to_its_sender_alone(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        answer = await ana.add(qty=2, request_id="r1")
        assert answer == (Ack("r1", 3),)
        for phone in (ana, ben):
            event = await phone.sees("cart_updated")
            assert isinstance(event, CartUpdated)
            assert (event.by_member, event.items[0].qty, str(event.total)) == (
                ana.member_id,
                2,
                "1250.00",
            )
        assert not ben.all("ack")


async def test_joining_gives_the_snapshot_first_and_only_what_is_newer_after_it(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        (ben,) = await sit_down(house, "Ben")
        await ana.add()
        await ben.sees("cart_updated")
        snapshot = ben.told[0]
        assert isinstance(snapshot, CartSnapshot)
        assert len(snapshot.items) == 1
        assert ben.seqs() == list(range(snapshot.seq, snapshot.seq + len(ben.seqs())))


class ToldInOrder:
    """A reply slot that puts the answer where the phone's events go, as a connection does."""

    def __init__(self, phone: Phone) -> None:
        self._phone = phone

    def resolve(self, value: object) -> None:
        assert isinstance(value, tuple)
        self._phone.told += value

    def fail(self, error: Exception) -> None:
        raise error


async def test_no_event_of_a_batch_follows_a_snapshot_that_holds_it(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        await ana.add()
        stale = ana.order_command(await ana.snapshot())
        await ana.add()
        for command in (
            stale,
            AddItem(MARGHERITA, 3),
        ):  # one batch: nothing lets the actor in between
            ana.ref.send(Envelope(ByMember(ana.member_id, command), ToldInOrder(ana)))
        await ana.sees("cart_updated", at_least=3)
        await ana.sees("cart_snapshot", at_least=2)
        assert ana.seqs() == sorted(ana.seqs())
        last = ana.told[-1]
        assert isinstance(last, CartSnapshot)
        assert len(last.items) == 3


async def test_an_order_locks_the_cart_for_everybody_until_the_pos_has_confirmed_it(
    autojump_clock: MockClock,
) -> None:
    async with open_house(ScriptedPos(accept(3))) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        (line,) = (await ana.add(qty=2), (await ana.snapshot()).items)[1]
        started = trio.current_time()
        await ana.order(request_id="o1")
        for command in (
            UpdateItem(line.public_id, qty=3),
            RemoveItem(line.public_id),
            ClearCart(),
            ben.order_command(await ben.snapshot()),
        ):
            (refusal,) = await ben.ask(command)
            assert (refusal.code, refusal.message) == (  # type: ignore[union-attr]
                "cart_locked",
                "Order already being processed",
            )
        locked = await ben.snapshot()
        assert locked.cart_locked
        assert locked.locked_by_name == "Ana"
        assert [one.state for one in locked.items] == ["locked"]
        confirmed = await ben.sees("order_confirmed")
        assert isinstance(confirmed, OrderConfirmed)
        assert confirmed.order_id == "ORD-7-1"
        assert trio.current_time() - started == pytest.approx(3)
        after = await ben.snapshot()
        assert (after.items, after.cart_locked, after.order_processing_status) == (
            (),
            False,
            "confirmed",
        )
        await ben.add()
        assert (await ben.snapshot()).order_processing_status == "idle"


async def test_a_refused_order_gives_the_lines_back_and_allows_a_retry(
    autojump_clock: MockClock,
) -> None:
    pos = ScriptedPos(say(Rejected("x", "POS system unavailable", True)), accept(1))
    async with open_house(pos) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        await ana.order()
        failed = await ben.sees("order_failed")
        assert isinstance(failed, OrderFailed)
        assert (failed.error, failed.allow_retry) == ("POS system unavailable", True)
        assert [one.state for one in (await ben.snapshot()).items] == ["pending"]
        await ana.order()
        confirmed = await ben.sees("order_confirmed")
        assert confirmed.order_id == "ORD-7-2"  # type: ignore[union-attr]


async def test_two_orders_at_the_same_moment_make_one_order(autojump_clock: MockClock) -> None:
    pos = ScriptedPos(accept(3))
    async with open_house(pos) as house:
        ana, ben = await sit_down(house, "Ana", "Ben")
        await ana.add()
        seen = await ana.snapshot()
        answers: list[object] = []

        async def place(phone: object, request_id: str) -> None:
            answers.append(await phone.ask(phone.order_command(seen, request_id=request_id)))  # type: ignore[attr-defined]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(place, ana, "a")
            nursery.start_soon(place, ben, "b")
        kinds = sorted(type(answer[0]).__name__ for answer in answers)  # type: ignore[index]
        assert kinds == ["Ack", "Error"]
        await ana.sees("order_confirmed")
        assert [call[0] for call in pos.calls] == ["submit"]


async def test_the_same_request_id_gives_the_same_reply_also_in_the_next_activation(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        first = await ana.add(request_id="r1")
        assert await ana.add(request_id="r1") == first
        ana.seat.leave()
        await house.registry.passivate(ana.key)
        assert await ana.add(request_id="r1") == first
        assert len((await ana.snapshot()).items) == 1
        assert code_of(await ana.add(qty=9, request_id="r1")) == "request_id_reused"


async def test_closing_the_session_ends_membership_and_the_next_join_opens_another(
    autojump_clock: MockClock,
) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        await house.close_session(ana.key, "bye")
        assert ana.all("session_closed")
        assert ana.closed == (4410, "bye")
        assert code_of(await ana.add()) == "session_closed"
        (ben,) = await sit_down(house, "Ben")
        assert ben.key != ana.key


async def test_a_fifth_connection_of_a_member_finds_no_seat(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        for _ in range(3):
            await ana.sit()
        _, refused = await house.sit(ana.key, ana.member_id, ana)
        assert refused.code == "rate_limited"  # type: ignore[union-attr]


async def test_a_place_order_burns_no_number_while_it_is_refused(autojump_clock: MockClock) -> None:
    async with open_house() as house:
        (ana,) = await sit_down(house, "Ana")
        for _ in range(3):
            assert code_of(await ana.ask(PlaceOrder((), 0.0))) == "cart_empty"
        await ana.add()
        await ana.order()
        assert (await ana.sees("cart_locked")).order_id == "ORD-7-1"  # type: ignore[union-attr]
