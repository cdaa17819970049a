"""A strict model of what a store has to hold of one session: rows, fed with changes alone.

It refuses what the database's own constraints refuse: an illegal move of a line or an order, a change of
a line that is locked or ordered, a second order in `prepared` or `sent`.
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from comanda.actors.domain.cart import LINE_TRANSITIONS, CartLine
from comanda.actors.domain.changes import Changes, LineMove, Member
from comanda.actors.domain.messages import LineState, OrderStateName
from comanda.actors.domain.order import ORDER_TRANSITIONS, UNSETTLED, Order
from comanda.actors.domain.session import NO_REQUESTS, RequestMemory, Session


@dataclass
class Row:
    """One row of `cart_items`. `content` is the line as it was last written, while pending."""

    content: CartLine
    state: LineState = "pending"
    order_id: str | None = None
    removed: bool = False


@dataclass
class Rows:
    """The rows of one session."""

    lines: dict[str, Row] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    requests: dict[str, RequestMemory] = field(default_factory=dict)

    def apply(self, changes: Changes) -> None:
        """Write in the order that `Changes` documents: orders, freeing moves, lines, moves, removed."""
        for order in changes.orders.values():
            self._write_order(order)
        going = [order for order in self.orders.values() if order.state in ("prepared", "sent")]
        assert len(going) <= 1, going
        moves = list(changes.moves)
        for public_id, line in changes.lines.items():
            row = self.lines.get(public_id)
            if row is not None and row.state == "locked":
                freeing = next(move for move in moves if move.public_id == public_id)
                moves.remove(freeing)
                self._move(freeing)
            self._write_line(line)
        for move in moves:
            self._move(move)
        for public_id in changes.removed:
            row = self.lines[public_id]
            assert row.state == "pending", row
            assert not row.removed, row
            row.removed = True
        self.members += changes.members
        for remembered in changes.requests:
            memory = self.requests.get(remembered.member_id, NO_REQUESTS)
            self.requests[remembered.member_id] = memory.with_one(remembered)

    def _write_line(self, line: CartLine) -> None:
        assert line.state == "pending", line
        row = self.lines.setdefault(line.public_id, Row(line))
        assert row.state == "pending", row
        assert not row.removed, row
        row.content = line

    def _move(self, move: LineMove) -> None:
        row = self.lines[move.public_id]
        assert not row.removed, row
        assert move.state in LINE_TRANSITIONS[row.state], (row, move)
        if move.state == "pending":
            assert row.order_id is not None
            assert self.orders[row.order_id].state == "rejected"
            assert move.order_id is None
        else:
            assert move.order_id is not None
            assert row.order_id in (None, move.order_id), (row, move)
            if move.state == "ordered":
                assert self.orders[move.order_id].state == "confirmed"
        row.state, row.order_id = move.state, move.order_id

    def _write_order(self, order: Order) -> None:
        before = self.orders.get(order.order_id)
        if before is not None:
            frozen = ("order_id", "order_number", "lines", "total_minor", "payload", "placed_at")
            for name in (*frozen, "lock_ends_at"):
                assert getattr(order, name) == getattr(before, name), name
            assert order.attempt >= before.attempt
            assert before.state in UNSETTLED, before
            assert order.state in reachable(before.state), (before.state, order.state)
        self.orders[order.order_id] = order

    def restored(self, session: Session) -> Session:
        """The session with everything that rows hold taken from them: what a new activation reads."""
        pending = None
        in_doubt = {}
        for order in self.orders.values():
            if order.state == "needs_staff":
                in_doubt[order.order_id] = order
            elif order.state in UNSETTLED:
                assert pending is None
                pending = order
        held = None if pending is None else pending.order_id
        cart = {
            public_id: replace(row.content, state=row.state)
            for public_id, row in sorted(
                self.lines.items(), key=lambda item: item[1].content.position
            )
            if is_free(row) or (row.state == "locked" and row.order_id == held)
        }
        return replace(
            session,
            members={member.member_id: member for member in self.members},
            lines=cart,
            retired=frozenset(self.lines) - set(cart),
            next_position=len(self.lines),
            pending=pending,
            in_doubt=in_doubt,
            requests=dict(self.requests),
        )


def is_free(row: Row) -> bool:
    """Whether the row is a pending line of the cart."""
    return row.state == "pending" and not row.removed


def reachable(state: OrderStateName) -> set[OrderStateName]:
    """The states that lead on from `state` in any number of moves, itself among them."""
    found = {state}
    for after in ORDER_TRANSITIONS[state]:
        found |= reachable(after)
    return found
