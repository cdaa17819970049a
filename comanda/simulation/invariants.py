"""What must always hold, each as a function that says in sentences where a run has broken it.

They judge what was written down while a run went on, and know nothing of how it was made.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise

from comanda.actors.domain.messages import AddItem, ClearCart, PlaceOrder, RemoveItem, UpdateItem
from comanda.runtime import BreakerPolicy

from .kitchen import (
    contradictions_are_on_record,
    nothing_is_cooked_twice,
    ordered_is_what_the_pos_has,
)
from .neighbours import (
    crashes_touch_no_other_session,
    everybody_is_told_at_once,
    orders_that_nothing_disturbs_are_settled_soon,
)
from .witness import Edit, Evidence, OrderSeen

IN_FLIGHT = ("prepared", "sent", "unknown")
LINE_MOVES = {
    ("pending", "locked"),
    ("locked", "ordered"),
    ("locked", "pending"),
}
WATCH_SECONDS = 5.0
"""So long after the lock limit, or after a house has begun, an order may still be in flight: the sweep's
interval, an activation and a commit."""

_PROBING = BreakerPolicy()
"""By it a house that storage has failed tries again: the next probe, then its sessions one after another."""

SAME_MOMENT_SECONDS = 0.001
"""Times of the wall clock are whole microseconds; two of one moment differ by less."""

CLOCK_SLACK_SECONDS = 5.0
"""By so much a clock may be put back before a lock that was just begun is ended for it."""

Invariant = Callable[[Evidence], Iterator[str]]


def acknowledged_commands_stand_once(evidence: Evidence) -> Iterator[str]:
    """I1: an acknowledged command appears exactly once after any recovery, a refused one never.

    One whose sender never heard of it again may appear once.
    """
    lines = evidence.rows["cart_items"]
    yield from _added_lines_stand_once(evidence)
    added = {
        done.command.note: done.seq for done in evidence.done if isinstance(done.command, AddItem)
    }
    removals = {command.public_id for command in _said(evidence) if isinstance(command, RemoveItem)}
    acked_removals = {
        done.command.public_id for done in evidence.done if isinstance(done.command, RemoveItem)
    }
    clearings = [done.seq for done in evidence.done if isinstance(done.command, ClearCart)]
    maybe_cleared = any(isinstance(command, ClearCart) for command in evidence.unanswered)
    late = {
        line["public_id"]
        for order in evidence.rows["order_journal"]
        if order["state"] == "rejected"
        for line in json.loads(order["lines"])
    }
    for line in lines:
        public_id = line["public_id"]
        cleared = any(seq > added.get(line["note"], -1) for seq in clearings)
        if not line["removed"] and public_id in acked_removals:
            yield f"the line {public_id} was removed, acknowledged, and is there"
        if not line["removed"] and line["state"] == "pending" and cleared and line["note"] in added:
            yield f"the line {public_id} was cleared away, acknowledged, and is there"
        asked = public_id in removals | late or cleared or maybe_cleared
        if line["removed"] and not asked:
            yield f"the line {public_id} is gone, and nobody has removed it"
    orders = sum(isinstance(done.command, PlaceOrder) for done in evidence.done)
    maybe = sum(isinstance(command, PlaceOrder) for command in evidence.unanswered)
    if not orders <= len(evidence.rows["order_journal"]) <= orders + maybe:
        yield f"{orders} orders acknowledged, {len(evidence.rows['order_journal'])} in the journal"
    for seq, times in Counter(done.seq for done in evidence.done).items():
        if times > 1:
            yield f"{times} commands were acknowledged with the same seq {seq}"


def _said(evidence: Evidence) -> list[Edit]:
    """What was acknowledged, in its order, then what was never answered."""
    in_order = sorted(evidence.done, key=lambda done: done.seq)
    return [done.command for done in in_order] + evidence.unanswered


def _added_lines_stand_once(evidence: Evidence) -> Iterator[str]:
    """Each line that was added stands once, as it was last changed. Notes are unique in a run.

    An add that was never answered may have stood before changes that were.
    """
    lines = evidence.rows["cart_items"]
    notes = Counter(line["note"] for line in lines)
    may_be: dict[str, set[int]] = {}
    acknowledged = {id(done.command) for done in evidence.done}
    said = _said(evidence)
    for command in said:
        if isinstance(command, AddItem):
            note = command.note
            if notes[note] > 1 or (id(command) in acknowledged and not notes[note]):
                yield f"the line {note!r} was added once and stands {notes[note]} times"
            may_be |= {line["public_id"]: {command.qty} for line in lines if line["note"] == note}
    for command in said:
        match command:
            case UpdateItem(public_id=public_id, qty=int(qty)) if public_id in may_be:
                is_sure = id(command) in acknowledged
                may_be[public_id] = {qty} if is_sure else may_be[public_id] | {qty}
    maybe_changed = {
        command.public_id: command.qty
        for command in evidence.unanswered
        if isinstance(command, UpdateItem)
    }
    for line in lines:
        public_id, qty = line["public_id"], line["qty"]
        if qty not in may_be.get(public_id, ()) and maybe_changed.get(public_id) != qty:
            yield f"the line {public_id} stands as {qty} × {line['note']!r}, unasked"


def nothing_told_is_newer_than_storage(evidence: Evidence) -> Iterator[str]:
    """I2: at the moment at which a phone is told something, storage has it; and it stays so."""
    final = {order["order_id"]: order["state"] for order in evidence.rows["order_journal"]}
    for told in evidence.tellings:
        if told.seq > told.durable_seq:
            yield f"{told.kind} of seq {told.seq} was told when storage was at {told.durable_seq}"
        if told.order_id is not None:
            means = "confirmed" if told.kind == "order_confirmed" else "rejected"
            if told.order_state != means or final.get(told.order_id) != means:
                yield (
                    f"{told.kind} was told of {told.order_id}, which was {told.order_state} then "
                    f"and is {final.get(told.order_id)} now"
                )


def locks_end_and_staff_are_told(evidence: Evidence) -> Iterator[str]:
    """I5: no order is in flight beyond its lock limit; one in doubt is the staff's then."""
    for before, after in pairwise(evidence.samples):
        began = max((at for at in evidence.starts if at <= after.at), default=0.0)
        tries = _tries_again(evidence, after.at)
        for order_id, order in before.orders.items():
            ends = max(_lock_ends(evidence, order, began), tries) + WATCH_SECONDS
            if order.state in IN_FLIGHT and after.at > ends:
                yield f"{order_id} was {order.state} until {after.at:.1f} s, beyond {ends:.1f} s"
    for row in evidence.rows["order_journal"]:
        if row["state"] in IN_FLIGHT:
            yield f"{row['order_id']} is {row['state']} at the end"


def _tries_again(evidence: Evidence, at: float) -> float:
    """Until when at most those sessions wait that storage had failed by then."""
    back = max((back for back in evidence.storage_back if back <= at), default=-math.inf)
    probed = back + _PROBING.backoff_max_seconds
    waits = (min(ended, probed) for began, ended in evidence.outages if began <= at)
    return max(waits, default=-math.inf) + _PROBING.spread_seconds


def _lock_ends(evidence: Evidence, order: OrderSeen, began: float) -> float:
    """When a house that began then ends this order's lock at the latest, in the evening's own time.

    The deadline is the wall clock's. A clock that is put back to before the order was placed, for long
    enough to be noticed, ends the lock; one that is put back by less delays its end by so much.
    """
    jumps = evidence.clock_jumps
    begins = [0.0, *(jump.at for jump in jumps)]
    ends = [*begins[1:], math.inf]
    ahead = [sum(jump.seconds for jump in jumps[:number]) for number in range(len(jumps) + 1)]
    spans = list(zip(begins, ends, ahead, strict=True))
    latest = began
    for number, (begin, end, at) in enumerate(spans):
        placed_at = order.placed_at - at
        if begin - SAME_MOMENT_SECONDS <= placed_at <= end + SAME_MOMENT_SECONDS:
            since_placed = [(placed_at, end, at), *spans[number + 1 :]]
            latest = max(latest, _first_end(since_placed, order, began))
    return latest


def _first_end(spans: list[tuple[float, float, float]], order: OrderSeen, began: float) -> float:
    placed_before = order.placed_at - CLOCK_SLACK_SECONDS - WATCH_SECONDS
    for begin, end, ahead in spans:
        noticed_if_before = end - WATCH_SECONDS
        due = begin if begin + ahead < placed_before else order.lock_ends_at - ahead
        if max(begin, due, began) <= noticed_if_before:
            return max(begin, due, began)
    raise AssertionError("the last span has no end")


def epochs_never_go_back(evidence: Evidence) -> Iterator[str]:
    """I6: epochs and seqs only grow, and no unit of a stale epoch or seq is written."""
    for before, after in pairwise(evidence.samples):
        if after.position.epoch < before.position.epoch or after.position.seq < before.position.seq:
            yield f"the session went from {before.position} to {after.position}"
    for committed in evidence.committed:
        if committed.thought != committed.was:
            yield f"a unit from {committed.thought} was written at {committed.was}"


def one_order_is_in_flight(evidence: Evidence) -> Iterator[str]:
    """I7: a session has at most one order in flight."""
    for sample in evidence.samples:
        flying = [key for key, order in sample.orders.items() if order.state in IN_FLIGHT]
        if len(flying) > 1:
            yield f"{flying} are in flight together at {sample.at:.1f} s"


def lines_move_as_they_may(evidence: Evidence) -> Iterator[str]:
    """I8: item states move pending→locked→ordered and locked→pending, and no other way."""
    for before, after in pairwise(evidence.samples):
        for public_id, line in before.lines.items():
            now = after.lines.get(public_id)
            if now is None:
                yield f"the line {public_id} has vanished"
            elif line.state != now.state and (line.state, now.state) not in LINE_MOVES:
                yield f"the line {public_id} went from {line.state} to {now.state}"
            elif line.removed and not now.removed:
                yield f"the line {public_id} was removed and came back"
        for public_id, line in after.lines.items():
            state = None if line.order_id is None else after.orders[line.order_id].state
            if line.state == "ordered" and state != "confirmed":
                yield f"the line {public_id} is ordered, its order {state}"


def connections_hear_without_gaps(evidence: Evidence) -> Iterator[str]:
    """I9: per connection `seq` has no gap unless a snapshot stands before it."""
    last: dict[int, int] = {}
    for told in evidence.tellings:
        if told.kind == "ack":
            continue
        if told.kind != "cart_snapshot" and told.seq != last.get(told.connection, -1) + 1:
            yield (
                f"connection {told.connection} heard {told.kind} of seq {told.seq} "
                f"after {last.get(told.connection)}"
            )
        last[told.connection] = told.seq


def equal_seq_is_equal_state(evidence: Evidence) -> Iterator[str]:
    """I10: equal `seq`, equal state, on every phone, in memory and in storage."""
    known: dict[int, tuple[str, object]] = {}
    for viewed in evidence.views:
        who, state = known.setdefault(viewed.seq, (viewed.who, viewed.state))
        if state != viewed.state:
            yield f"at seq {viewed.seq} {viewed.who} sees {viewed.state}, {who} {state}"
    for committed in evidence.committed:
        if not committed.same_in_memory:
            yield f"after the commit from {committed.was} storage and memory differ"


def the_same_request_has_the_same_reply(evidence: Evidence) -> Iterator[str]:
    """I11: the `request_id` of an accepted command gets the same reply, and changes nothing."""
    for done, said in evidence.repeated:
        if said != done.seq:
            request_id = done.command.request_id
            yield f"{request_id} was acknowledged with {done.seq} and later answered {said}"


def totals_are_sums(evidence: Evidence) -> Iterator[str]:
    """I12: an order's total is the sum of its lines, in integers, wherever it stands."""
    for order in evidence.rows["order_journal"]:
        lines = json.loads(order["lines"])
        total = sum(line["qty"] * line["price_minor"] for line in lines)
        body = json.loads(order["payload"])
        on_wire = round(body["total"] * 10 ** order["minor_digits"])
        if not total == order["total_minor"] == on_wire:
            yield f"{order['order_id']}: lines {total}, {order['total_minor']}, body {on_wire}"
    for order in evidence.rows["orders"]:
        total = sum(
            line["qty"] * line["price_minor"]
            for line in evidence.rows["order_lines"]
            if line["order_id"] == order["order_id"]
        )
        if total != order["total_minor"]:
            yield f"{order['order_id']} costs {order['total_minor']}, its lines {total}"


def everything_comes_to_rest(evidence: Evidence) -> Iterator[str]:
    """I15: at the end the cart is open, orders are settled or the staff's, and all phones agree."""
    if evidence.stuck is not None:
        yield evidence.stuck
    unanswered = {
        row["order_id"]
        for row in evidence.rows["incidents"]
        if row["kind"] in ("void_unanswered", "accepted_after_rejected")
    }
    for void in evidence.rows["voids"]:
        if void["voided_at"] is None and void["order_id"] not in unanswered:
            yield f"{void['order_id']} is still to be taken back, and nobody knows"
    for order in evidence.rows["order_journal"]:
        known = evidence.pos_knows.get(order["order_id"])
        if order["state"] == "needs_staff" and known is not None and not order["key_reused"]:
            yield f"{order['order_id']} needs staff, though the POS says {known} when asked"
    last = {viewed.who: viewed.seq for viewed in evidence.views if viewed.who not in evidence.left}
    if len(set(last.values())) > 1:
        yield f"not everybody is as far: {last}"


INVARIANTS: tuple[Invariant, ...] = (
    acknowledged_commands_stand_once,
    nothing_told_is_newer_than_storage,
    nothing_is_cooked_twice,
    ordered_is_what_the_pos_has,
    contradictions_are_on_record,
    locks_end_and_staff_are_told,
    epochs_never_go_back,
    one_order_is_in_flight,
    lines_move_as_they_may,
    connections_hear_without_gaps,
    equal_seq_is_equal_state,
    the_same_request_has_the_same_reply,
    totals_are_sums,
    everything_comes_to_rest,
    crashes_touch_no_other_session,
    orders_that_nothing_disturbs_are_settled_soon,
    everybody_is_told_at_once,
)


def violations(evidence: Evidence) -> dict[str, list[str]]:
    """What a run has broken: sentences by the name of the invariant; nothing where all hold."""
    broken = {invariant.__name__: list(invariant(evidence)) for invariant in INVARIANTS}
    return {name: sentences for name, sentences in broken.items() if sentences}
