"""Each check against evidence that is sound, and against the same evidence with one thing spoilt."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from chaos.checks import CHECKS, check
from chaos.evidence import Asked, Evidence, Heard
from chaos.journal import Opened
from chaos.plan import POS_FAULTS
from chaos.samples import LineRow, OrderRow, Sample, SessionRow
from chaos.state import cart_digest
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartLocked,
    CartSnapshot,
    CartUpdated,
    Error,
    OrderConfirmed,
    OrderRecord,
    PlaceOrder,
    SeenItem,
    encode,
)
from comanda.actors.domain.order import PosBody, PosLine
from comanda.pos.simulator.entries import Effect
from comanda.pos.simulator.faults import FAULTS, parse_rates

NOW = datetime(2026, 1, 1, 19, 0, tzinfo=UTC)
LOCK_ENDS = NOW + timedelta(seconds=6)
PID, ANA, LINE, ORDER = "session_1", "member_ana", "p-ana_1", "ORD-7-1"
WIRE = Opened(NOW.timestamp(), 1, ANA, PID, life=1)
EMPTY = cart_digest((), 0, None, ())

POS_LINE = PosLine(456, "Margherita", 2, Decimal("625.00"), Decimal("1250.00"), "ana_1", "Ana")
PAYLOAD = encode(
    PosBody(ORDER, 7, 1, "T1", "Ana", NOW, "INR", (POS_LINE,), Decimal("1250.00"), "ana_2")
)
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()
CONFIRMED_LINES = ((LINE, 2, 62500),)
RECORD = OrderRecord(
    ORDER, 7, 1, PID, "T1", "confirmed", ANA, "Ana", NOW, NOW, (), Decimal(0), "INR", "", None, None
)


def sample(life: int, *, confirmed: bool) -> Sample:
    """Storage after a life: a line in an order, on its way or confirmed."""
    state = "confirmed" if confirmed else "sent"
    cart = EMPTY
    if not confirmed:
        cart = cart_digest([(LINE, 456, 2, "ana_1", "locked")], 125000, ORDER, ())
    line = LineRow(
        PID, LINE, 456, 2, "ana_1", 62500, "ordered" if confirmed else "locked", ORDER, False
    )
    order = OrderRow(
        ORDER,
        PID,
        state,
        ANA,
        "ana_2",
        PAYLOAD,
        125000,
        LOCK_ENDS.timestamp(),
        None,
        CONFIRMED_LINES,
    )
    return Sample(
        at=NOW.timestamp() + life,
        life=life,
        faults=[],
        sessions={PID: SessionRow(PID, life, 4 if confirmed else 3, False, cart)},
        lines={(PID, LINE): line},
        orders={ORDER: order},
        confirmed={ORDER: CONFIRMED_LINES} if confirmed else {},
        confirmed_totals={ORDER: 125000} if confirmed else {},
        incidents=set(),
    )


def told() -> list[Heard]:
    """What Ana heard on her two connections: the cart, her line, the lock; then the order confirmed."""
    later = Opened(NOW.timestamp() + 2, 2, ANA, PID, life=2)
    empty = CartSnapshot(
        PID, 1, (), Decimal(0), "INR", False, None, None, None, "idle", None, (), None, (), NOW
    )
    locked_cart = sample(1, confirmed=False).sessions[PID].cart
    return [
        Heard(1, WIRE, empty, "s1", EMPTY),
        Heard(2, WIRE, CartUpdated(2, ANA, (), (), Decimal(1250), NOW), "s2", "c2"),
        Heard(2, WIRE, Ack("ana_1", 2), None, None),
        Heard(3, WIRE, CartLocked(3, ANA, ANA, "Ana", ORDER, "", NOW), "s3", locked_cart),
        Heard(3, WIRE, Ack("ana_2", 3), None, None),
        Heard(4, later, msgspec.structs.replace(empty, seq=3), "s3", locked_cart),
        Heard(5, later, OrderConfirmed(4, ORDER, "", RECORD, NOW), "s4", EMPTY),
    ]


def asked() -> dict[tuple[str, str], Asked]:
    """Ana's two commands, both acknowledged."""
    seen = (SeenItem(LINE, 456, 2, "ana_1"),)
    commands = (
        (AddItem(456, 2, "ana_1", LINE, "ana_1"), 2),
        (PlaceOrder(seen, 1250.0, "ana_2", "ana_2"), 3),
    )
    return {
        (ANA, command.request_id or ""): Asked(
            ANA,
            PID,
            command.request_id or "",
            command,
            sent=[(1.0, WIRE)],
            acks=[(WIRE, Ack(command.request_id or "", seq))],
        )
        for command, seq in commands
    }


def sound() -> Evidence:
    """An evening in which all went well, over one kill."""
    effect = Effect(key=ORDER, sha256=SHA256, at=NOW, kind="accepted")
    return Evidence(
        samples=[sample(1, confirmed=False), sample(2, confirmed=True)],
        heard=told(),
        asked=asked(),
        open_at_end={2},
        effects={ORDER: [effect]},
    )


def first(evidence: Evidence) -> Sample:
    return evidence.samples[0]


def change_line(evidence: Evidence, **fields: object) -> None:
    lines = evidence.at_rest.lines
    lines[PID, LINE] = msgspec.structs.replace(lines[PID, LINE], **fields)


def change_order(evidence: Evidence, which: int, **fields: object) -> None:
    orders = evidence.samples[which].orders
    orders[ORDER] = msgspec.structs.replace(orders[ORDER], **fields)


def change_session(evidence: Evidence, which: int, **fields: object) -> None:
    sessions = evidence.samples[which].sessions
    sessions[PID] = msgspec.structs.replace(sessions[PID], **fields)


def effect_of(evidence: Evidence, **fields: object) -> Effect:
    return msgspec.structs.replace(evidence.effects[ORDER][0], **fields)


def lose_the_line(evidence: Evidence) -> None:
    for one in evidence.samples:
        one.lines[PID, "other"] = one.lines.pop((PID, LINE))
    change = {"note": "ben_1"}
    evidence.at_rest.lines[PID, LINE] = msgspec.structs.replace(
        evidence.at_rest.lines.pop((PID, "other")), **change
    )


def double_the_order(evidence: Evidence) -> None:
    copy = msgspec.structs.replace(evidence.at_rest.orders[ORDER], order_id="ORD-7-2", lines=())
    evidence.at_rest.orders["ORD-7-2"] = copy


def tell_of_a_later_seq(evidence: Evidence) -> None:
    event = CartUpdated(5, ANA, (), (), Decimal(0), NOW)
    evidence.heard.append(Heard(6, evidence.heard[-1].on, event, "s5", EMPTY))


def tell_too_early(evidence: Evidence) -> None:
    event = evidence.heard.pop()
    evidence.heard.append(replace(event, on=WIRE, told=msgspec.structs.replace(event.told, seq=3)))
    del evidence.heard[3]


def second_effect(evidence: Evidence) -> None:
    evidence.effects[ORDER].append(effect_of(evidence))


def effect_without_order(evidence: Evidence) -> None:
    evidence.effects["ORD-7-1-2"] = [effect_of(evidence, key="ORD-7-1-2")]


def same_line_twice(evidence: Evidence) -> None:
    double_the_order(evidence)
    evidence.at_rest.orders["ORD-7-2"] = msgspec.structs.replace(
        evidence.at_rest.orders[ORDER], order_id="ORD-7-2"
    )
    evidence.effects["ORD-7-2"] = [effect_of(evidence, key="ORD-7-2")]


def pos_has_it_not(evidence: Evidence) -> None:
    evidence.effects[ORDER] = [effect_of(evidence, kind="rejected")]


def other_payload(evidence: Evidence) -> None:
    evidence.effects[ORDER] = [effect_of(evidence, sha256="0" * 64)]


def late_unlock(evidence: Evidence) -> None:
    last = evidence.heard[-1]
    at = LOCK_ENDS + timedelta(seconds=11)
    evidence.heard[-1] = replace(last, told=msgspec.structs.replace(last.told, timestamp=at))


def two_in_flight(evidence: Evidence) -> None:
    orders = first(evidence).orders
    orders["ORD-7-0"] = msgspec.structs.replace(orders[ORDER], order_id="ORD-7-0")
    evidence.at_rest.orders["ORD-7-0"] = msgspec.structs.replace(
        orders["ORD-7-0"], state="rejected", lines=(), instructions=""
    )


def refused_afterwards(evidence: Evidence) -> None:
    later = evidence.heard[-1].on
    refusal = Error("public_id_taken", "", "ana_1")
    evidence.asked[ANA, "ana_1"].refusals.append((later, refusal))


def other_reply(evidence: Evidence) -> None:
    evidence.asked[ANA, "ana_1"].acks.append((WIRE, Ack("ana_1", 3)))


SPOILT: dict[str, tuple[str, Callable[[Evidence], object]]] = {
    "an acknowledged line is not there": ("I1", lose_the_line),
    "an order is there twice": ("I1", double_the_order),
    "a quantity nobody asked for": ("I1", lambda e: change_line(e, qty=3)),
    "an event that is not durable": ("I2", tell_of_a_later_seq),
    "an outcome that is not durable": ("I2", tell_too_early),
    "two effects for a key": ("I3", second_effect),
    "an effect for a key that is no order": ("I3", effect_without_order),
    "a line in two accepted orders": ("I3", same_line_twice),
    "confirmed, and refused by the POS": ("I4", pos_has_it_not),
    "confirmed, and unknown to the POS": ("I4", lambda e: e.effects.clear()),
    "another payload at the POS": ("I4", other_payload),
    "a line that did not follow its order": ("I4", lambda e: change_line(e, state="locked")),
    "a lock that ends too late": ("I5", late_unlock),
    "an order left in flight": ("I5", lambda e: change_order(e, 1, state="unknown")),
    "an epoch that goes back": ("I6", lambda e: change_session(e, 1, epoch=0)),
    "a seq that goes back": ("I6", lambda e: change_session(e, 0, seq=5)),
    "two orders in flight": ("I7", two_in_flight),
    "an order that moves on from its end": (
        "I8",
        lambda e: change_order(e, 0, state="rejected"),
    ),
    "a line that is gone": ("I8", lambda e: first(e).lines.update({(PID, "p-2"): line_2(e)})),
    "a gap": ("I9", lambda e: e.heard.pop(1)),
    "an event twice": ("I9", lambda e: e.heard.insert(2, e.heard[1])),
    "two states at one seq": (
        "I10",
        lambda e: e.heard.__setitem__(5, replace(e.heard[5], state="other")),
    ),
    "another cart in storage": ("I10", lambda e: change_session(e, 1, cart="other")),
    "another reply": ("I11", other_reply),
    "refused after it was accepted": ("I11", refused_afterwards),
    "a total that is no sum": ("I12", lambda e: change_order(e, 1, total_minor=125001)),
    "a history that is no sum": ("I12", lambda e: e.at_rest.confirmed_totals.update({ORDER: 1})),
    "a member who was not told the last": ("I15", lambda e: e.heard.pop()),
    "something that does not settle": ("I15", lambda e: e.unsettled.append("ana waits")),
    "a damaged database": ("integrity", lambda e: first(e).faults.append("row 3 missing")),
}


def line_2(evidence: Evidence) -> LineRow:
    return msgspec.structs.replace(first(evidence).lines[PID, LINE], public_id="p-2")


def test_sound_evidence_has_no_violation() -> None:
    assert list(check(sound())) == []


@pytest.mark.parametrize("what", SPOILT)
def test_what_is_spoilt_is_found(what: str) -> None:
    invariant, spoil = SPOILT[what]
    evidence = sound()
    spoil(evidence)
    assert invariant in {violation.invariant for violation in check(evidence)}


def test_staff_may_decide_otherwise_on_record() -> None:
    evidence = sound()
    pos_has_it_not(evidence)
    change_order(evidence, 1, decided_by="staff")
    assert list(check(evidence)) == []


def test_a_pos_that_contradicts_itself_is_on_record() -> None:
    evidence = sound()
    pos_has_it_not(evidence)
    evidence.at_rest.incidents.add(ORDER)
    assert list(check(evidence)) == []


def test_every_fault_of_the_simulator_is_in_the_mix() -> None:
    mixed = {(fault.call, fault.name) for fault in parse_rates(POS_FAULTS)}
    there = {(call, name) for name, (calls, _) in FAULTS.items() for call in calls}
    assert mixed == {(call, name) for call, name in there if name != "none"}


def test_each_invariant_from_1_to_12_has_its_check_and_a_spoilt_case() -> None:
    assert {f"I{number}" for number in range(1, 13)} <= {one for one, _ in SPOILT.values()}
    assert len(CHECKS) == len({one for one, _ in SPOILT.values()})
