"""Whatever a party does: what was committed is loaded again, equal to what the actor has in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from outcome import Value
from sqlalchemy import Connection, insert

from comanda.actors.domain.inputs import (
    Admit,
    ByMember,
    CallAnswered,
    CallStarting,
    CloseSession,
    FollowMenu,
    Input,
    Interrupted,
    LockEnded,
    StaffResolved,
)
from comanda.actors.domain.menu import Table
from comanda.actors.domain.messages import (
    AddItem,
    ClearCart,
    RemoveItem,
    ResolveNow,
    UpdateItem,
)
from comanda.actors.domain.order import Accepted, NotSent, Pending, Rejected, Unknown
from comanda.storage import menus, sessions
from comanda.storage.engines import sync_engine
from comanda.storage.groups import Call, Commit, settle
from comanda.storage.history import confirmed_orders
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import make_ready
from comanda.storage.tables import tables
from comanda.storage.units import reserve_numbers

from .house import NOW, Party, restaurant

Step = tuple[int, int, int, str]
EXAMPLES = 150
_tables = count(1)


@contextmanager
def house() -> Iterator[Connection]:
    """One database in memory for all examples; each takes a table of its own."""
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.connect() as connection:
        make_ready(connection)
        done(connection, partial(menus.install, given=[restaurant(tables=0)], digest="m"))
        yield connection
    engine.dispose()


def done(connection: Connection, function: Any) -> Any:
    return settle(connection, [Call(function)])[0].unwrap()


def names() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


STEPS = st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99), names())
"""Which of the inputs that make sense at the moment, and what with."""

IN_FLIGHT = ("call", "call", "answer", "answer", "answer", "lock ends", "restart", "edit")
AT_REST = (
    *("add", "add", "update", "remove", "order", "order", "order"),
    *("late answer", "staff", "others"),
)

OUTCOMES = (
    Accepted("POS-1"),
    Rejected("closed", "Kitchen closed", True),
    Unknown("reset"),
    NotSent("no route"),
    Pending("POS-2", NOW + timedelta(minutes=5)),
    Pending(None, None),
)


def said(party: Party, step: Step, request_id: str | None) -> Input:
    """The step as an input, out of those that make sense in the party's present state."""
    which, some, qty, name = step
    session = party.session
    if not session.members:
        return Admit(name)
    order = session.pending
    kinds = AT_REST if order is None else IN_FLIGHT
    kind = kinds[which % len(kinds)]
    if order is not None:
        match kind:
            case "call":
                return CallStarting(order.order_id)
            case "answer":
                return CallAnswered(order.order_id, order.attempt, OUTCOMES[some % len(OUTCOMES)])
            case "lock ends":
                party.now = max(party.now, order.lock_ends_at)
                return LockEnded(order.order_id)
            case "restart":
                return Interrupted()
    members = list(session.members)
    by = partial(ByMember, members[some % len(members)])
    lines = list(session.lines)
    if kind == "late answer" and session.in_doubt:
        doubts = list(session.in_doubt)
        late = session.in_doubt[doubts[some % len(doubts)]]
        return CallAnswered(late.order_id, late.attempt, OUTCOMES[qty % len(OUTCOMES)])
    if kind == "staff" and session.in_doubt:
        doubts = list(session.in_doubt)
        outcome: Literal["confirmed", "rejected"] = "confirmed" if qty % 2 else "rejected"
        return StaffResolved(doubts[some % len(doubts)], outcome, None, name, "staff")
    if kind == "others":
        return (
            Admit(name),
            by(ClearCart(request_id)),
            by(ResolveNow(request_id)),
            _other_menu(party, some, qty),
        )[some % 4]
    if kind == "order" and lines:
        return by(replace(party.place_order(), request_id=request_id))
    if kind == "update" and lines:
        return by(UpdateItem(lines[some % len(lines)], qty, name, request_id=request_id))
    if kind == "remove" and lines:
        return by(RemoveItem(lines[some % len(lines)], request_id=request_id))
    dishes = list(party.menu.items)
    return by(AddItem(dishes[some % len(dishes)], qty, name, request_id=request_id))


def _other_menu(party: Party, some: int, qty: int) -> Input:
    item = list(party.menu.items.values())[some % len(party.menu.items)]
    item = replace(item, available=qty % 5 > 0, price_minor=qty * 1001)
    party.menu = party.menu.with_item(item)
    return FollowMenu()


BATCHES = st.lists(st.lists(STEPS, min_size=1, max_size=4), min_size=8, max_size=30)


def test_every_history_is_loaded_again_equal() -> None:
    with house() as connection:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(batches=BATCHES, requests=st.booleans(), closes_in=st.integers(0, 60))
        def play(batches: list[list[Step]], requests: bool, closes_in: int) -> None:
            _play(connection, batches, requests, closes_in)

        play()


def _play(
    connection: Connection, batches: list[list[Step]], requests: bool, closes_in: int
) -> None:
    number = next(_tables)
    table = Table(f"T{number}", "Garden", 7)
    done(connection, partial(_put_up, table=table))
    key = done(connection, partial(sessions.open_session, table=table, pid=f"S{number}", now=NOW))
    party = Party(done(connection, partial(sessions.activate, key=key)))
    asked = count()
    confirmed = 0
    for batch_number, batch in enumerate(batches):
        before, first = party.session, party.epoch
        unit = None
        for step in batch:
            request_id = f"r{next(asked)}" if requests else None
            command = said(party, step, request_id)
            part = party.decided(command, order_number=done(connection, _next_number))
            if unit is None:
                unit = part
            else:
                unit.changes.add(part.changes)
                unit = replace(unit, after=part.after)
        assert unit is not None
        if batch_number == closes_in:
            part = party.decided(CloseSession("staff"))
            unit.changes.add(part.changes)
            unit = replace(unit, after=part.after)
        assert (unit.before, unit.epoch) == (before, first)
        (outcome,) = settle(connection, [Commit(unit)])
        if not isinstance(outcome, Value):
            outcome.unwrap()
        loaded = done(connection, partial(sessions.activate, key=key))
        assert loaded.session == party.session
        assert list(loaded.session.lines) == list(party.session.lines)
        assert list(loaded.session.members) == list(party.session.members)
        assert {m: list(r.by_id) for m, r in loaded.session.requests.items()} == {
            m: list(r.by_id) for m, r in party.session.requests.items()
        }
        party.epoch = loaded.epoch
        confirmed += sum(order.state == "confirmed" for order in unit.changes.orders.values())
    assert len(done(connection, partial(confirmed_orders, pid=key.pid))) == confirmed


def _put_up(connection: Connection, table: Table) -> None:
    row = {"code": table.code, "restaurant_id": 7, "label": table.label}
    connection.execute(insert(tables).values(**row, position=0, listed=True))


def _next_number(connection: Connection) -> int:
    (number,) = reserve_numbers(connection, [7])
    assert number is not None
    return number
