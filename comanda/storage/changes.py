"""What units change, as rows, and the statements that write them: all units of a group at once.

Written once, synchronously; nothing here knows of threads.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from msgspec.structs import replace
from sqlalchemy import Connection

from comanda.actors.domain.cart import CartLine
from comanda.actors.domain.changes import AttemptStarted, LineMove
from comanda.actors.domain.messages import OrderStateName
from comanda.actors.domain.order import ORDER_TRANSITIONS, Order
from comanda.actors.domain.session import MAX_REQUESTS_KEPT
from comanda.actors.ports import Unit

from . import bulk
from .incidents import add_incidents, add_voids, void_row
from .rows import (
    ORDER_FIXED,
    ORDER_MOVING,
    incident_row,
    micros,
    order_progress,
    order_row,
    outcome_text,
)
from .tables import (
    cart_items,
    dining_sessions,
    members,
    order_journal,
    order_lines,
    orders,
    pos_attempts,
    requests,
)

Row = tuple[object, ...]

_close = bulk.update(dining_sessions, ("pid",), ("closed_reason", "closed_at", "join_pin"))
_add_members = bulk.insert(members, ("session_pid", "member_id", "number", "name", "joined_at"))
_add_orders = bulk.insert(order_journal, (*ORDER_FIXED, *ORDER_MOVING))
_move_orders = bulk.update(order_journal, ("order_id",), ORDER_MOVING)
_start_attempts = bulk.insert(pos_attempts, ("order_id", "attempt", "started_at"))
_end_attempts = bulk.update(pos_attempts, ("order_id", "attempt"), ("ended_at", "outcome"))
_put_lines = bulk.upsert(
    cart_items,
    (
        "session_pid",
        "public_id",
        "position",
        "menu_item_id",
        "name",
        "price_minor",
        "qty",
        "note",
        "available",
        "added_by",
        "state",
        "removed",
    ),
    ("name", "price_minor", "qty", "note", "available"),
)
_change_lines = bulk.update(
    cart_items, ("session_pid", "public_id"), ("name", "price_minor", "qty", "note", "available")
)
_move_lines = bulk.update(cart_items, ("session_pid", "public_id"), ("state", "order_id"))
_remove_lines = bulk.update(cart_items, ("session_pid", "public_id"), ("removed",))
_remember = bulk.upsert(
    requests,
    ("session_pid", "member_id", "slot", "number", "request_id", "fingerprint", "seq"),
    ("number", "request_id", "fingerprint", "seq"),
)
_add_order_lines = bulk.insert(
    order_lines,
    (
        "order_id",
        "number",
        "public_id",
        "menu_item_id",
        "name",
        "qty",
        "price_minor",
        "note",
        "added_by",
        "added_by_name",
    ),
)
_add_to_history = bulk.insert(
    orders,
    (
        "order_id",
        "restaurant_id",
        "order_number",
        "session_pid",
        "table_label",
        "placed_by",
        "placed_by_name",
        "placed_at",
        "confirmed_at",
        "total_minor",
        "currency",
        "minor_digits",
        "special_instructions",
        "pos_reference",
    ),
)


class UnitRows:
    """What the units of one wave write, statement by statement."""

    def __init__(self) -> None:
        self.members: list[Row] = []
        self.order_steps: list[tuple[list[Row], list[Row]]] = []
        self.attempts_started: list[Row] = []
        self.attempts_ended: list[Row] = []
        self.freed: list[Row] = []
        self.lines: list[Row] = []
        self.changed: list[Row] = []
        self.moves: list[list[Row]] = []
        self.removed: list[Row] = []
        self.order_lines: list[Row] = []
        self.history: list[Row] = []
        self.incidents: list[Row] = []
        self.voids: list[Row] = []
        self.requests: list[Row] = []
        self.closed: list[Row] = []

    def write(self, connection: Connection) -> None:
        """Write it all, each statement's ground before it.

        An order stands in its state before its lines move by it; a line is freed before its content
        changes, and changed before it is locked or removed.
        """
        for statement, rows in self._statements():
            if rows:
                statement.run(connection, rows)

    def _statements(self) -> Iterator[tuple[bulk.Bulk, list[Row]]]:
        yield _add_members, self.members
        for added, moved in self.order_steps:
            yield _add_orders, added
            yield _move_orders, moved
        yield _start_attempts, self.attempts_started
        yield _end_attempts, self.attempts_ended
        yield _move_lines, self.freed
        yield _put_lines, self.lines
        yield _change_lines, self.changed
        for moves in self.moves:
            yield _move_lines, moves
        yield _remove_lines, self.removed
        yield _add_order_lines, self.order_lines
        yield _add_to_history, self.history
        yield add_incidents, self.incidents
        yield add_voids, self.voids
        yield _remember, self.requests
        yield _close, self.closed

    def collect(self, unit: Unit) -> None:
        """Put a unit's changes to the others'."""
        pid, changes = unit.after.pid, unit.changes
        if changes.members:
            numbers = {member_id: n for n, member_id in enumerate(unit.after.members)}
            for member in changes.members:
                self.members.append(
                    (
                        pid,
                        member.member_id,
                        numbers[member.member_id],
                        member.name,
                        micros(member.joined_at),
                    )
                )
        if changes.orders:
            self._collect_orders(unit)
        if changes.attempts:
            self._collect_attempts(unit)
        there = unit.before.lines
        for line in changes.lines.values():
            if line.public_id in there:
                self.changed.append(_content_row(pid, line))
            else:
                self.lines.append(_line_row(pid, line))
        if changes.moves:
            self._collect_moves(pid, changes.moves)
        for public_id in changes.removed:
            self.removed.append((pid, public_id, True))
        for incident in changes.incidents:
            self.incidents.append(incident_row(incident))
        for void in changes.voids:
            self.voids.append(void_row(void))
        if changes.requests:
            slots: dict[tuple[str, int], Row] = {}
            for kept in changes.requests:
                slot = kept.number % MAX_REQUESTS_KEPT
                slots[kept.member_id, slot] = (
                    pid,
                    kept.member_id,
                    slot,
                    kept.number,
                    kept.request_id,
                    kept.fingerprint,
                    kept.seq,
                )
            self.requests += slots.values()
        if unit.after.closed_reason is not None and unit.before.closed_reason is None:
            closed_at = micros(unit.after.updated_at)
            self.closed.append((pid, unit.after.closed_reason, closed_at, unit.after.join_pin))

    def _collect_orders(self, unit: Unit) -> None:
        """One session's orders go one after another: an earlier one ends before a later one begins."""
        steps: list[tuple[Row | None, Row | None]] = []
        before = dict(unit.before.in_doubt)
        if unit.before.pending is not None:
            before[unit.before.pending.order_id] = unit.before.pending
        for order in unit.changes.orders.values():
            was = before.get(order.order_id)
            if was is None:
                first = order if order.state == "prepared" else _at(order, "prepared")
                steps.append((order_row(first), None))
            for state in order_path("prepared" if was is None else was.state, order.state):
                step = order if state == order.state else _at(order, state)
                steps.append((None, (order.order_id, *order_progress(step))))
            if was is not None and was.state == order.state:
                steps.append((None, (order.order_id, *order_progress(order))))
            if order.state == "confirmed":
                self._collect_history(order)
        for number, (added, moved) in enumerate(steps):
            if number == len(self.order_steps):
                self.order_steps.append(([], []))
            if added is not None:
                self.order_steps[number][0].append(added)
            if moved is not None:
                self.order_steps[number][1].append(moved)

    def _collect_history(self, order: Order) -> None:
        assert order.settled_at is not None
        for number, line in enumerate(order.lines):
            self.order_lines.append(
                (
                    order.order_id,
                    number,
                    line.public_id,
                    line.menu_item_id,
                    line.name,
                    line.qty,
                    line.price_minor,
                    line.note,
                    line.added_by,
                    line.added_by_name,
                )
            )
        self.history.append(
            (
                order.order_id,
                order.restaurant_id,
                order.order_number,
                order.session_pid,
                order.table_label,
                order.placed_by,
                order.placed_by_name,
                micros(order.placed_at),
                micros(order.settled_at),
                order.total_minor,
                order.currency,
                order.minor_digits,
                order.special_instructions,
                order.pos_reference,
            )
        )

    def _collect_attempts(self, unit: Unit) -> None:
        ended: dict[tuple[str, int], Row] = {}
        for attempt in unit.changes.attempts:
            key = (attempt.order_id, attempt.attempt)
            if isinstance(attempt, AttemptStarted):
                self.attempts_started.append((*key, micros(attempt.at)))
            else:
                ended[key] = (*key, micros(attempt.at), outcome_text(attempt.outcome))
        self.attempts_ended += ended.values()

    def _collect_moves(self, pid: str, moves: Sequence[LineMove]) -> None:
        by_line: dict[str, list[LineMove]] = {}
        for move in moves:
            by_line.setdefault(move.public_id, []).append(move)
        for line_moves in by_line.values():
            if line_moves[0].state == "pending":
                self.freed.append(_move_row(pid, line_moves.pop(0)))
        for number, together in enumerate(zip_longest(*by_line.values())):
            if number == len(self.moves):
                self.moves.append([])
            self.moves[number] += [_move_row(pid, move) for move in together if move is not None]


def _line_row(pid: str, line: CartLine) -> Row:
    return (
        pid,
        line.public_id,
        line.position,
        line.menu_item_id,
        line.name,
        line.price_minor,
        line.qty,
        line.note,
        line.available,
        line.added_by,
        "pending",
        False,
    )


def _content_row(pid: str, line: CartLine) -> Row:
    return (pid, line.public_id, line.name, line.price_minor, line.qty, line.note, line.available)


def _move_row(pid: str, move: LineMove) -> Row:
    return (pid, move.public_id, move.state, move.order_id)


def order_path(was: OrderStateName, now: OrderStateName) -> tuple[OrderStateName, ...]:
    """The states after `was` up to `now`, the shortest way that the domain's table knows.

    A unit holds an order in its last form only, and several moves may lie between. The database
    knows single moves alone, so each is written. Where no way leads the answer is the one illegal
    step, for the database to refuse.
    """
    ways: list[tuple[OrderStateName, ...]] = [()]
    while was != now and ways:
        for way in ways:
            if way and way[-1] == now:
                return way
        ways = [
            (*way, then)
            for way in ways
            for then in sorted(ORDER_TRANSITIONS[way[-1] if way else was])
        ]
    return () if was == now else (now,)


def _at(order: Order, state: OrderStateName) -> Order:
    """The order as it was on its way, at `state`."""
    return replace(
        order, state=state, settled_at=None, heard_by=None, decided_by=None, decided_reason=None
    )
