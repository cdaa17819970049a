"""What the POS does with a call that has reached it: one effect for a key, whoever asks how often."""

import hashlib
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from comanda.actors.domain.order import PosBody

from .entries import Effect, Note
from .faults import Fault
from .ledger import Ledger

MAX_AT_WORK = 10_000
"""Orders at work at one time; more get 429, which is no effect."""

KEY = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
"""An idempotency key, which is an order id and stands in paths."""


class Answer(Struct, frozen=True):
    """A status, and the members of a JSON object."""

    status: int
    body: dict[str, object]
    retry_after_seconds: float | None = None


class Habits(Struct, frozen=True):
    """How the POS behaves without a fault. The outcome is a function of seed and key."""

    delay_seconds: float = 0.5
    accept_rate: float = 1.0
    seed: int = 0

    def accepts(self, key: str) -> bool:
        """Whether an order is accepted: the same, whenever it is asked."""
        return random.Random(f"{self.seed}:{key}").random() < self.accept_rate


class Work:
    """An order between its arrival and its effect."""

    def __init__(self, sha256: str, due_at: datetime) -> None:
        self.sha256 = sha256
        self.due_at = due_at
        self.finished = trio.Event()


def utc_now() -> datetime:
    """The wall clock, which pending orders keep to over a restart."""
    return datetime.now(UTC)


class Desk:
    """Takes orders into the ledger. Work goes on in `nursery` when its caller has left, as it would.

    `on_settled` hears of each pending order that gets its outcome: the place for callbacks. It is
    called when the outcome is recorded, which today is when somebody asks.
    """

    def __init__(
        self,
        ledger: Ledger,
        habits: Habits,
        nursery: trio.Nursery,
        now: Callable[[], datetime] = utc_now,
        on_settled: Callable[[Effect], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._habits = habits
        self._nursery = nursery
        self._now = now
        self._on_settled = on_settled
        self._at_work: dict[str, Work] = {}

    async def submit(self, key: str, payload: bytes, fault: Fault | None = None) -> Answer:
        """Take an order, or answer as before. Cancellation leaves the order at work."""
        sha256 = hashlib.sha256(payload).hexdigest()
        again = self._answer_again(key, sha256)
        if again is not None:
            if fault is not None and fault.name == "delay":
                await trio.sleep(fault.seconds)
            return again
        if len(self._at_work) >= MAX_AT_WORK:
            return busy(1.0)
        wrong = what_is_wrong(key, payload)
        if wrong is not None:
            self._ledger.record(self._refusal(key, sha256, "bad_request", wrong, retryable=False))
        else:
            await self._take(key, sha256, fault)
        effect = self._ledger.find(key)
        assert effect is not None  # recorded, or voided meanwhile
        return answer_of(effect)

    def look_up(self, key: str) -> Answer:
        """What the key came to; 404 for a key that the POS does not have."""
        effect = self._find(key)
        if effect is None:
            if key not in self._at_work:
                return NOT_FOUND
            return Answer(200, _as_found(key, "pending", None, None, None))
        return Answer(
            200, _as_found(key, effect.kind, effect.reference, effect.code, effect.message)
        )

    def void(self, key: str) -> Answer:
        """Take the order back, or keep one from ever being taken. Idempotent."""
        effect = self._find(key)
        if effect is None:
            work = self._at_work.get(key)
            sha256 = "" if work is None else work.sha256
            self._ledger.record(Effect(key=key, sha256=sha256, at=self._now(), kind="voided"))
        elif effect.kind != "voided":
            self._ledger.record(replace(effect, kind="voided", settles=True, at=self._now()))
        else:
            self._ledger.note(Note(key=key, sha256=effect.sha256, at=self._now(), kind="duplicate"))
        return Answer(200, {"status": "voided"})

    def _find(self, key: str) -> Effect | None:
        """The key's effect; a pending one whose time has come is settled first."""
        effect = self._ledger.find(key)
        now = self._now()
        if effect is None or effect.kind != "pending":
            return effect
        if effect.due_at is None or now < effect.due_at:
            return effect
        settled = replace(effect, kind=effect.becomes, settles=True, at=now, due_at=None)
        if settled.kind == "rejected":
            settled = replace(settled, code="kitchen", message="The kitchen has refused the order")
        self._ledger.record(settled)
        if self._on_settled is not None:
            self._on_settled(settled)
        return settled

    def _answer_again(self, key: str, sha256: str) -> Answer | None:
        """The answer for a key that is known or at work; None for a new one."""
        effect = self._find(key)
        work = self._at_work.get(key)
        if effect is None and work is None:
            return None
        had = effect.sha256 if effect is not None else work.sha256 if work is not None else ""
        kind: Literal["duplicate", "key_reused"] = (
            "duplicate" if had in ("", sha256) else "key_reused"
        )
        self._ledger.note(Note(key=key, sha256=sha256, at=self._now(), kind=kind))
        if kind == "key_reused":
            return KEY_REUSED
        if effect is not None:
            return answer_of(effect)
        assert work is not None
        return _pending(None, work.due_at)

    async def _take(self, key: str, sha256: str, fault: Fault | None) -> None:
        seconds = self._habits.delay_seconds
        if fault is not None and fault.name == "delay":
            seconds = fault.seconds
        work = self._at_work[key] = Work(sha256, self._now() + timedelta(seconds=seconds))
        self._nursery.start_soon(self._work, key, work, seconds, fault)
        await work.finished.wait()

    async def _work(self, key: str, work: Work, seconds: float, fault: Fault | None) -> None:
        try:
            await trio.sleep(seconds)
            if self._ledger.find(key) is None:  # else it was voided meanwhile
                self._ledger.record(self._decide(key, work.sha256, fault))
        finally:
            del self._at_work[key]
        work.finished.set()

    def _decide(self, key: str, sha256: str, fault: Fault | None) -> Effect:
        now = self._now()
        name = "" if fault is None else fault.name
        if name == "reject":
            return self._refusal(key, sha256, "sold_out", "Not today", retryable=False)
        reference = f"POS-{key}"
        if fault is not None and name in ("pending", "pending-reject"):
            return Effect(
                key=key,
                sha256=sha256,
                at=now,
                kind="pending",
                reference=reference,
                due_at=now + timedelta(seconds=fault.seconds),
                becomes="accepted" if name == "pending" else "rejected",
            )
        if name != "key-reused" and not self._habits.accepts(key):
            unavailable = "POS system unavailable"
            return self._refusal(key, sha256, "unavailable", unavailable, retryable=True)
        return Effect(key=key, sha256=sha256, at=now, kind="accepted", reference=reference)

    def _refusal(
        self, key: str, sha256: str, code: str, message: str, *, retryable: bool
    ) -> Effect:
        return Effect(
            key=key,
            sha256=sha256,
            at=self._now(),
            kind="rejected",
            code=code,
            message=message,
            retryable=retryable,
        )


def what_is_wrong(key: str, payload: bytes) -> str | None:
    """Why the bytes are no order of the contract under this key; None where they are one."""
    try:
        body = _read_body(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError) as error:
        return f"The body is no order: {error}"
    if body.order_id != key:
        return "The order_id is not the idempotency key"
    if not body.lines or any(line.qty < 1 for line in body.lines):
        return "An order has lines, each of at least one"
    return None


_read_body = msgspec.json.Decoder(PosBody).decode


def answer_of(effect: Effect) -> Answer:
    """What a submit of the key is told."""
    if effect.kind == "accepted":
        return Answer(200, {"status": "accepted", "pos_reference": effect.reference})
    if effect.kind == "pending":
        return _pending(effect.reference, effect.due_at)
    if effect.kind == "voided":
        return refusal(409, "voided", "The order was voided")
    status = 400 if effect.code == "bad_request" else 422
    return refusal(status, effect.code or "", effect.message or "", retryable=effect.retryable)


def refusal(status: int, code: str, message: str, *, retryable: bool = False) -> Answer:
    """A rejection as the contract writes it."""
    body = {"status": "rejected", "code": code, "message": message, "retryable": retryable}
    return Answer(status, {**body})


def busy(seconds: float) -> Answer:
    """429: not taken, ask again."""
    return Answer(429, {"status": "busy"}, seconds)


def _pending(reference: str | None, due_at: datetime | None) -> Answer:
    return Answer(202, {"status": "pending", "pos_reference": reference, "expected_by": due_at})


def _as_found(
    key: str, status: str, reference: str | None, code: str | None, message: str | None
) -> dict[str, object]:
    return {
        "order_id": key,
        "status": status,
        "pos_reference": reference,
        "code": code,
        "message": message,
    }


NOT_FOUND = Answer(404, {"status": "not_found"})
KEY_REUSED = refusal(422, "key_reused", "This key was used with another body")
