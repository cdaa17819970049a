"""Random tables: whatever is said in whatever order, what must always hold holds."""

import copy
import json
from collections import Counter
from typing import Any, Literal

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from comanda.actors.domain.changes import AttemptEnded, AttemptStarted, Changes
from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import (
    Admit,
    ByMember,
    CallAnswered,
    CallStarting,
    CloseSession,
    Context,
    Decision,
    FollowMenu,
    Input,
    Interrupted,
    LockEnded,
    OutcomeHeard,
    Refusal,
    StaffResolved,
)
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartCommand,
    ClearCart,
    OrderConfirmed,
    OrderFailed,
    PlaceOrder,
    RemoveItem,
    ResolveNow,
    SeenItem,
    UpdateItem,
)
from comanda.actors.domain.order import (
    UNSETTLED,
    Accepted,
    NotSent,
    Order,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)

from .helpers import KULFI, LASSI, MARGHERITA, NOW, ATable, place
from .phone import Phone, shown
from .rows import Rows

members = st.sampled_from(["member_1", "member_2", "member_3"])
request_ids = st.none() | st.sampled_from([f"r-{n}" for n in range(20)])
dishes = st.sampled_from([MARGHERITA, LASSI, KULFI, 999])
quantities = st.integers(1, 99)
notes = st.sampled_from(["", "hot", "n" * 280, "🎉" * 280])
public_ids = st.sampled_from(["x", "y", "item_1", "item_2", "item_3", "item_4"])
edits: st.SearchStrategy[CartCommand] = st.one_of(
    st.builds(AddItem, dishes, quantities, notes, st.none() | public_ids),
    st.builds(UpdateItem, public_ids, quantities, notes),
    st.builds(UpdateItem, public_ids, quantities),
    st.builds(RemoveItem, public_ids),
    st.builds(ClearCart),
)
wrong_orders = st.builds(
    PlaceOrder,
    st.sampled_from([(), (SeenItem("item_1", MARGHERITA, 1),)]),
    st.floats(0, 1e12),
)
outcomes: st.SearchStrategy[PosOutcome] = st.sampled_from(
    [
        Accepted("K-1"),
        Accepted("K-2"),
        Rejected("unavailable", "POS system unavailable", True),
        Rejected("closed", "The kitchen is closed", False),
        NotSent("connection refused"),
        Unknown("no answer within 10 s"),
        Pending("K-1", NOW),
        Pending(None, None),
    ]
)


decided: st.SearchStrategy[Literal["confirmed", "rejected"]] = st.sampled_from(
    ["confirmed", "rejected"]
)


class Table(RuleBasedStateMachine):
    """One table, two phones, and two stores: one commits every decision, one commits batches."""

    def __init__(self) -> None:
        super().__init__()
        self.table = ATable("Ana", "Ben", "Cem")
        self.singly, self.batched = Rows(), Rows()
        self.batch = Changes()
        for rows in (self.singly, self.batched):
            rows.members += self.table.session.members.values()
        self.phones = [self._a_phone()]
        self.ids_ever: dict[str, int] = {}
        self.order_ids: list[str] = []
        self.settled: Counter[str] = Counter()
        self.accepted: dict[tuple[str, str], tuple[CartCommand, object]] = {}

    def _a_phone(self) -> Phone:
        return Phone(self.table.session.snapshot(frozenset()))

    def a_look(self) -> Context:
        """The context of the next decision, with ids of its own so that looking uses none up."""
        return replace(self.table.context(), ids=copy.deepcopy(self.table.ids))

    # --- One input, and what must hold of every decision ------------------------------------------

    def attempt_of(self, order_id: str) -> int:
        """The number of the order's last call; 1 where it is not one of those that are unsettled."""
        session = self.table.session
        order = session.pending
        if order is None or order.order_id != order_id:
            order = session.in_doubt.get(order_id)
        return 1 if order is None else max(order.attempt, 1)

    def hear(self, said: Input) -> None:
        before = self.table.session
        look = self.a_look()
        encoded = msgspec.msgpack.encode(before)
        outcome = self.table.decide(said)
        assert msgspec.msgpack.encode(before) == encoded, "decide has changed its input"
        again = decide(before, said, look)
        assert self.facts(again) == self.facts(outcome), "decide is no function of its arguments"
        if isinstance(said, ByMember):
            self.check_request(said, outcome)
        if isinstance(outcome, Refusal):
            assert self.table.session is before
            return
        after = outcome.session
        assert after.seq == before.seq + len(outcome.events)
        assert [event.seq for event in outcome.events] == [*range(before.seq + 1, after.seq + 1)]
        if after is before and not isinstance(said, CallAnswered):
            assert not outcome.changes  # a call's end is kept, whoever has settled its order
        if before.pending is not None and isinstance(said, ByMember | FollowMenu | Admit):
            assert after.lines == before.lines
            assert after.pending == before.pending
        if before.closed_reason is not None:
            assert after.closed_reason == before.closed_reason
            assert list(after.members) == list(before.members)
        self.check_orders(outcome)
        self.singly.apply(outcome.changes)
        self.batch.add(outcome.changes)
        for phone in self.phones:
            for event in outcome.events:
                phone.hears(event)

    @staticmethod
    def facts(outcome: Decision | Refusal) -> object:
        """The outcome as a value; `Changes` alone has no equality of its own."""
        if isinstance(outcome, Refusal):
            return outcome
        facts = {name: getattr(outcome, name) for name in outcome.__struct_fields__}
        changes = facts.pop("changes")
        return facts, {name: getattr(changes, name) for name in Changes.__slots__}

    def check_request(self, said: ByMember, outcome: Decision | Refusal) -> None:
        """I11: the same request of an accepted command, the same reply, and nothing else."""
        request_id = said.command.request_id
        if request_id is None:
            assert isinstance(outcome, Refusal) or outcome.reply is None
            return
        key = said.member_id, request_id
        known = self.accepted.get(key)
        if known is None:
            if isinstance(outcome, Decision):
                assert outcome.reply == Ack(request_id, outcome.session.seq)
                self.accepted[key] = said.command, outcome.reply
        elif known[0] == said.command:
            assert isinstance(outcome, Decision)
            assert outcome.reply == known[1]
            assert not outcome.events
            assert not outcome.changes
            assert outcome.start is None
            assert not outcome.ask_now
        else:
            assert isinstance(outcome, Refusal)
            assert outcome.rejection.code == "request_id_reused"

    def check_orders(self, outcome: Decision) -> None:
        """I12, numbers that are not used again, and one outcome an order."""
        if outcome.start is not None:
            order = outcome.start
            assert order.order_id not in self.order_ids
            assert order == outcome.session.pending
            self.order_ids.append(order.order_id)
            assert order.lines
        for order in outcome.changes.orders.values():
            assert order.total_minor == sum(line.price_minor * line.qty for line in order.lines)
            body: dict[str, Any] = json.loads(order.payload)
            assert round(body["total"] * 100) == order.total_minor
        for event in outcome.events:
            if isinstance(event, OrderConfirmed | OrderFailed):
                self.settled[event.order_id] += 1
                assert event.order_id in outcome.changes.orders
        for attempt in outcome.changes.attempts:
            if isinstance(attempt, AttemptEnded) and attempt.order_id not in outcome.changes.orders:
                continue  # of an order that was settled before its call ended
            order = outcome.changes.orders[attempt.order_id]
            assert isinstance(attempt, AttemptStarted | AttemptEnded)
            assert 1 <= attempt.attempt == order.attempt

    # --- What is said -----------------------------------------------------------------------------

    def speak(self, member: str, command: CartCommand) -> None:
        """I7 and the precedence of refusals: nobody edits or orders where the cart is locked."""
        session = self.table.session
        if (member, command.request_id) not in self.accepted:
            outcome = decide(session, ByMember(member, command), self.a_look())
            if session.closed_reason is not None:
                assert isinstance(outcome, Refusal)
                assert outcome.rejection.code == "session_closed"
            elif session.pending is not None and not isinstance(command, ResolveNow):
                assert isinstance(outcome, Refusal)
                assert outcome.rejection.code == "cart_locked"
        self.hear(ByMember(member, command))

    @initialize(qty=quantities)
    def the_first_line(self, qty: int) -> None:
        self.hear(ByMember("member_1", AddItem(MARGHERITA, qty)))

    @rule(member=members, command=edits, request_id=request_ids)
    def edit(self, member: str, command: CartCommand, request_id: str | None) -> None:
        self.speak(member, replace(command, request_id=request_id))

    @rule(member=members, dish=st.sampled_from([MARGHERITA, LASSI, KULFI]), qty=quantities)
    def add(self, member: str, dish: int, qty: int) -> None:
        self.speak(member, AddItem(dish, qty))

    @rule(member=members, request_id=request_ids)
    def order(self, member: str, request_id: str | None) -> None:
        self.speak(member, place(self.table.session, request_id=request_id))

    @precondition(lambda self: self.table.session.pending is None)
    @rule(member=members, qty=quantities)
    def fill_the_cart_and_order(self, member: str, qty: int) -> None:
        self.hear(FollowMenu())
        self.speak(member, AddItem(LASSI, qty))
        self.speak(member, place(self.table.session))

    @rule(member=members, command=wrong_orders, request_id=request_ids)
    def order_what_is_not_there(
        self, member: str, command: PlaceOrder, request_id: str | None
    ) -> None:
        true = place(self.table.session)
        items = command.cart_items or true.cart_items
        self.speak(member, replace(command, cart_items=items, request_id=request_id))

    @rule(member=members, request_id=request_ids)
    def resolve_now(self, member: str, request_id: str | None) -> None:
        self.speak(member, ResolveNow(request_id))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def say_it_again(self, data: st.DataObject) -> None:
        member, request_id = data.draw(st.sampled_from(sorted(self.accepted)))
        command, _reply = self.accepted[member, request_id]
        self.speak(member, command)

    @precondition(lambda self: len(self.table.session.members) < 6)
    @rule(name=st.sampled_from(["Dia", "Ana"]))
    def sit_down(self, name: str) -> None:
        self.hear(Admit(name))

    @rule(
        dish=st.sampled_from([MARGHERITA, LASSI, KULFI]),
        price_minor=st.integers(0, 100_000),
        available=st.booleans(),
        told=st.booleans(),
    )
    def the_menu_changes(self, dish: int, price_minor: int, available: bool, told: bool) -> None:
        self.table.alters_menu(dish, price_minor=price_minor, available=available)
        if told:
            self.hear(FollowMenu())

    @precondition(lambda self: self.table.session.pending is not None)
    @rule()
    def the_call_starts(self) -> None:
        self.hear(CallStarting(self.table.order.order_id))

    @precondition(lambda self: self.table.session.pending is not None)
    @rule(outcome=outcomes)
    def the_call_is_answered(self, outcome: PosOutcome) -> None:
        order = self.table.order
        self.hear(CallAnswered(order.order_id, max(order.attempt, 1), outcome))

    @precondition(lambda self: self.table.session.pending is not None)
    @rule()
    def the_lock_ends(self) -> None:
        order = self.table.order
        self.table.now = max(self.table.now, order.lock_ends_at)
        self.hear(LockEnded(order.order_id))

    @precondition(lambda self: self.table.session.pending is not None)
    @rule(outcome=outcomes)
    def a_whole_call(self, outcome: PosOutcome) -> None:
        order_id = self.table.order.order_id
        self.hear(CallStarting(order_id))
        self.hear(CallAnswered(order_id, self.attempt_of(order_id), outcome))

    @precondition(lambda self: self.table.session.in_doubt)
    @rule(outcome=outcomes)
    def an_answer_comes_after_the_lock(self, outcome: PosOutcome) -> None:
        order_id = next(iter(self.table.session.in_doubt))
        self.hear(CallAnswered(order_id, self.attempt_of(order_id), outcome))

    @rule(data=st.data(), outcome=outcomes)
    def the_pos_says_something_unasked(self, data: st.DataObject, outcome: PosOutcome) -> None:
        order_id = data.draw(st.sampled_from([*self.order_ids, "ORD-7-1"]))
        self.hear(OutcomeHeard(order_id, outcome, "callback evt_1"))

    @precondition(lambda self: self.table.session.in_doubt)
    @rule(outcome=decided, reference=st.none() | st.just("A-1"))
    def the_staff_settle_an_order(
        self, outcome: Literal["confirmed", "rejected"], reference: str | None
    ) -> None:
        before = self.table.session
        order_id = next(iter(before.in_doubt))
        self.hear(StaffResolved(order_id, outcome, reference, "Asked the kitchen", "the staff"))
        after = self.table.session
        assert order_id not in after.in_doubt
        assert (after.lines, after.pending) == (before.lines, before.pending)
        assert after.last_order == before.last_order

    @rule(data=st.data(), outcome=decided)
    def the_staff_settle_any_order(
        self, data: st.DataObject, outcome: Literal["confirmed", "rejected"]
    ) -> None:
        order_id = data.draw(st.sampled_from([*self.order_ids, "ORD-7-1"]))
        waits = order_id in self.table.session.in_doubt
        before = self.table.session
        self.hear(StaffResolved(order_id, outcome, None, "Asked the kitchen", "the staff"))
        assert waits == (self.table.session is not before)

    @rule(
        data=st.data(),
        about=st.sampled_from([CallStarting, LockEnded, CallAnswered]),
        outcome=outcomes,
    )
    def something_about_any_order(
        self,
        data: st.DataObject,
        about: type[CallStarting | LockEnded | CallAnswered],
        outcome: PosOutcome,
    ) -> None:
        order_id = data.draw(st.sampled_from([*self.order_ids, "ORD-7-1"]))
        if about is CallAnswered:
            self.hear(CallAnswered(order_id, self.attempt_of(order_id), outcome))
        elif about is LockEnded:
            self.hear(LockEnded(order_id))
        else:
            self.hear(CallStarting(order_id))

    @rule()
    def a_new_activation_takes_over(self) -> None:
        self.hear(Interrupted())

    @precondition(lambda self: self.table.session.seq > 60)
    @rule()
    def the_party_leaves(self) -> None:
        self.hear(CloseSession("The party has left"))

    @rule(seconds=st.sampled_from([0.5, 10, 61]))
    def time_passes(self, seconds: float) -> None:
        self.table.passes(seconds)

    @precondition(lambda self: len(self.phones) < 3)
    @rule()
    def another_phone_joins(self) -> None:
        self.phones.append(self._a_phone())

    @rule()
    def the_batch_is_committed(self) -> None:
        self.batched.apply(self.batch)
        self.batch = Changes()
        session = self.table.session
        assert self.batched.restored(session) == session

    # --- What must hold between inputs ------------------------------------------------------------

    @invariant()
    def the_rows_are_the_state(self) -> None:
        session = self.table.session
        restored = self.singly.restored(session)
        assert restored == session
        assert list(restored.lines) == list(session.lines)
        for member_id, memory in restored.requests.items():
            assert list(memory.by_id) == list(session.requests[member_id].by_id)

    @invariant()
    def every_phone_knows_what_a_snapshot_shows(self) -> None:
        truth = shown(self.table.session.snapshot(frozenset()))
        for phone in self.phones:
            assert phone.knows == truth

    @invariant()
    def the_lock_the_lines_and_the_order_agree(self) -> None:
        session = self.table.session
        states = {line.state for line in session.lines.values()}
        if session.pending is None:
            assert states <= {"pending"}
        else:
            assert states == {"locked"}
            assert session.pending.state in ("prepared", "sent", "unknown")
            assert [line.public_id for line in session.pending.lines] == list(session.lines)
            assert session.pending.total_minor == session.total_minor
        assert {order.state for order in session.in_doubt.values()} <= {"needs_staff"}
        assert type(session.total_minor) is int

    @invariant()
    def a_public_id_names_one_line_for_good(self) -> None:
        session = self.table.session
        assert not session.retired & set(session.lines)
        for public_id, line in session.lines.items():
            assert public_id == line.public_id
            assert self.ids_ever.setdefault(public_id, line.position) == line.position
        assert self.ids_ever.keys() == session.retired | set(session.lines)
        assert len(set(self.ids_ever.values())) == len(self.ids_ever) == session.next_position

    @invariant()
    def every_order_has_one_outcome_or_waits_for_it(self) -> None:
        session = self.table.session
        waiting = set(session.in_doubt)
        if session.pending is not None:
            waiting.add(session.pending.order_id)
        stored: dict[str, Order] = self.singly.orders
        assert set(stored) == set(self.order_ids)
        for order_id, order in stored.items():
            assert (order.state in UNSETTLED) == (order_id in waiting)
            assert self.settled[order_id] == (order_id not in waiting)
            if order.state == "confirmed":
                assert not session.lines.keys() & {line.public_id for line in order.lines}

    def teardown(self) -> None:
        self.the_batch_is_committed()


Table.TestCase.settings = settings(
    max_examples=250,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestWhatMustAlwaysHold = Table.TestCase
