"""I3 and I4: what the POS has done, by its own ledger, against what the table was told."""

import json
import math
from collections import Counter
from collections.abc import Iterator

from .ledger import Entry, cooked
from .witness import Evidence


def nothing_is_cooked_twice(evidence: Evidence) -> Iterator[str]:
    """I3: a key and a line have their effect at the POS once.

    A further effect of a line is the POS's own contradiction: the order that it refused first is on
    record as an incident. Or the POS has given the first one up before the table was told so.
    """
    incidents = {row["order_id"] for row in evidence.rows["incidents"]}
    keys: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for entry in evidence.ledger:
        if entry.what == "effect":
            keys[entry.key] += 1
            if entry.key not in incidents and not _given_up(evidence, entry):
                lines.update(line["note"] for line in json.loads(entry.body)["lines"])
        elif entry.what == "other body":
            yield f"the key {entry.key} came to the POS with two different bodies"
    for what, times in (keys + lines).items():
        if times > 1:
            yield f"{what!r} had its effect at the POS {times} times"


def ordered_is_what_the_pos_has(evidence: Evidence) -> Iterator[str]:
    """I4: at rest an item is ordered if and only if the POS has it, in the same bytes.

    Or the contradiction is an incident on record, or the order waits for the staff, or they decided.
    """
    has = cooked(evidence.ledger)
    incidents = {row["order_id"] for row in evidence.rows["incidents"]}
    journal = {row["order_id"]: row for row in evidence.rows["order_journal"]}
    for key in has.keys() - journal.keys():
        yield f"the POS cooks {key}, which is no order of ours"
    for order_id, order in journal.items():
        if order_id in incidents or order["decided_by"] or order["state"] == "needs_staff":
            continue
        if order["state"] == "confirmed" and order_id not in has:
            yield f"{order_id} is confirmed, and the POS does not have it"
        if order["state"] == "rejected" and order_id in has:
            yield f"{order_id} is rejected, and the POS cooks it"
        if order_id in has and has[order_id] != order["payload"]:
            yield f"{order_id} is at the POS in other bytes"
    for line in evidence.rows["cart_items"]:
        confirmed = line["order_id"] in journal and (
            journal[line["order_id"]]["state"] == "confirmed"
        )
        if (line["state"] == "ordered") != confirmed:
            yield f"the line {line['public_id']} is {line['state']}, of order {line['order_id']}"


def contradictions_are_on_record(evidence: Evidence) -> Iterator[str]:
    """A POS's own contradiction ends as an incident; accepted after rejected with a void besides.

    A key under which the POS has another order is no refusal: only the staff may say that it failed. Where
    the POS has given an order up again before the table was told so, nothing is contradicted. An order that
    the staff have rejected is taken back in any case: where that was promised before anybody heard that the
    POS had it, nobody has anything to put on record.
    """
    incidents = {(row["order_id"], row["kind"]) for row in evidence.rows["incidents"]}
    voids = {row["order_id"] for row in evidence.rows["voids"]}
    journal = {row["order_id"]: row["state"] for row in evidence.rows["order_journal"]}
    decided = {row["order_id"] for row in evidence.rows["order_journal"] if row["decided_by"]}
    for entry in evidence.ledger:
        state = journal.get(entry.key)
        if entry.what == "reused" and state == "rejected" and entry.key not in decided:
            yield f"{entry.key} has failed, since the POS has another order under its key"
        if entry.what == "effect" and state == "rejected" and not _given_up(evidence, entry):
            unheard = entry.key in decided and _taken_back(evidence, entry)
            if (entry.key, "accepted_after_rejected") not in incidents and not unheard:
                yield f"{entry.key} was accepted after its refusal, and no incident says so"
            if entry.key not in voids:
                yield f"{entry.key} was accepted after its refusal, and nobody takes it back"
        refused = entry.what == "withdrawn" and state == "confirmed"
        if refused and (entry.key, "refused_after_confirmed") not in incidents:
            yield f"{entry.key} was refused after its confirmation, and no incident says so"


def _given_up(evidence: Evidence, effect: Entry) -> bool:
    """Whether the POS has withdrawn this order by itself before it was rejected."""
    rejected_at = min(
        (
            sample.at
            for sample in evidence.samples
            if effect.key in sample.orders and sample.orders[effect.key].state == "rejected"
        ),
        default=-math.inf,
    )
    return any(
        entry.what == "withdrawn" and entry.key == effect.key and entry.at <= rejected_at
        for entry in evidence.ledger
    )


def _taken_back(evidence: Evidence, effect: Entry) -> bool:
    """Whether the POS has promised after this effect that it cooks nothing of it."""
    return any(
        entry.what == "voided" and entry.key == effect.key and entry.at >= effect.at
        for entry in evidence.ledger
    )
