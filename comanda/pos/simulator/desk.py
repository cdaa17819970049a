"""What the POS does with a call that has reached it: one effect for a key, whoever asks how often."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import trio
from msgspec.structs import replace

from comanda.actors.domain.order import PosBody

from .answers import (
    KEY_REUSED,
    NOT_FOUND,
    Answer,
    answer_of,
    busy,
    found,
    found_at_work,
    pending,
)
from .courier import Courier
from .entries import Effect, Note
from .faults import Fault
from .ledger import Ledger
from .outcomes import Habits, decide, refused, settled, voided

MAX_AT_WORK = 10_000
"""Orders whose outcome is to come, at one time; more get 429, which is no effect."""

EARLY_PATIENCE_SECONDS = 3.0
"""How long an answer that shall come after its callback waits for the callback's 2xx; then it is given,
so that a receiver that is down does not turn the fault into a silence."""

KEY = re.compile(r"[A-Za-z0-9._~:-]{1,128}")
"""An idempotency key, which is an order id and stands in paths."""


class Work:
    """An order between its arrival and its effect."""

    def __init__(self, sha256: str, due_at: datetime) -> None:
        self.sha256 = sha256
        self.due_at = due_at
        self.finished = trio.Event()
        self.effect: Effect | None = None


def utc_now() -> datetime:
    """The wall clock, which orders keep to over a restart."""
    return datetime.now(UTC)


class Desk:
    """Takes orders into the ledger. Work goes on in `nursery` when its caller has left, as it would.

    `courier` carries the callbacks; without one there are none, and none are owed later.
    """

    def __init__(
        self,
        ledger: Ledger,
        habits: Habits,
        nursery: trio.Nursery,
        now: Callable[[], datetime] = utc_now,
        courier: Courier | None = None,
    ) -> None:
        self._ledger = ledger
        self._habits = habits
        self._nursery = nursery
        self._now = now
        self._courier = courier
        self._at_work: dict[str, Work] = {}
        self._waiting = 0  # for their time, each in a task

    def take_up(self) -> None:
        """Go on with what another process left: orders that wait for their time, callbacks owed."""
        for effect in self._ledger.due():
            self._await_due(effect)
        if self._courier is not None:
            for effect in self._ledger.owed():
                self._courier.carry(effect)

    async def submit(self, key: str, payload: bytes, fault: Fault | None = None) -> Answer:
        """Take an order, or answer as before. Cancellation leaves the order at work."""
        sha256 = hashlib.sha256(payload).hexdigest()
        again = self._answer_again(key, sha256)
        if again is not None:
            if fault is not None and fault.name == "delay":
                await trio.sleep(fault.seconds)
            return again
        if len(self._at_work) + self._waiting >= MAX_AT_WORK:
            return busy(1.0)
        wrong = what_is_wrong(key, payload)
        if wrong is not None:
            effect = refused(key, sha256, self._now(), "bad_request", wrong)
            self._record(effect)
        else:
            effect = await self._take(key, sha256, fault)
        if fault is not None and fault.name in ("pending-early", "accept-early"):
            await self._tell_first(effect)
        return answer_of(effect)

    def look_up(self, key: str) -> Answer:
        """What the key came to; 404 for a key that the POS does not have."""
        effect = self._find(key)
        if effect is not None:
            return found(effect)
        return found_at_work(key) if key in self._at_work else NOT_FOUND

    def void(self, key: str) -> Answer:
        """Take the order back, or keep one from ever being taken. Idempotent.

        An order that waits for its time comes to nothing else then. A callback about what had happened
        before is told all the same.
        """
        effect = self._find(key)
        work = self._at_work.get(key)
        had = effect if effect is not None else work
        sha256 = "" if had is None else had.sha256
        if effect is not None and effect.kind == "voided":
            self._ledger.note(Note(key=key, sha256=sha256, at=self._now(), kind="duplicate"))
        else:
            self._record(voided(key, sha256, effect, self._now()))
        return Answer(200, {"status": "voided"})

    def _find(self, key: str) -> Effect | None:
        """The key's effect; one whose time has come is settled first."""
        effect = self._ledger.find(key)
        now = self._now()
        if effect is None or effect.due_at is None or now < effect.due_at:
            return effect
        self._record(settled(effect, now))
        return self._ledger.find(key)

    def _record(self, effect: Effect) -> None:
        if self._courier is None and effect.due_at is None:
            effect = replace(effect, callbacks=0)
        self._ledger.record(effect)
        if effect.due_at is not None:
            self._await_due(effect)
        elif self._courier is not None and effect.callbacks:
            self._courier.carry(effect)

    def _await_due(self, effect: Effect) -> None:
        self._waiting += 1
        self._nursery.start_soon(self._settle_in_time, effect)

    async def _settle_in_time(self, effect: Effect) -> None:
        try:
            await self._until_due(effect)
        finally:
            self._waiting -= 1
        self._find(effect.key)  # unless somebody asked first, or it was voided

    async def _until_due(self, effect: Effect) -> None:
        """Until the wall clock says so, which may be set while this sleeps."""
        while effect.due_at is not None and (now := self._now()) < effect.due_at:  # noqa: ASYNC110
            await trio.sleep((effect.due_at - now).total_seconds())

    async def _tell_first(self, effect: Effect) -> None:
        """Until the callback about what `effect` comes to is answered, or the patience has ended."""
        if self._courier is None:
            return
        await self._until_due(effect)
        last = self._find(effect.key)
        assert last is not None
        with trio.move_on_after(EARLY_PATIENCE_SECONDS):
            await self._courier.until_told(last)

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
        return pending(None, work.due_at)

    async def _take(self, key: str, sha256: str, fault: Fault | None) -> Effect:
        """The order's first effect, which is what its caller is told, or the void that came before it."""
        seconds = self._habits.delay_seconds
        if fault is not None and fault.name == "delay":
            seconds = fault.seconds
        work = self._at_work[key] = Work(sha256, self._now() + timedelta(seconds=seconds))
        self._nursery.start_soon(self._work, key, work, seconds, fault)
        await work.finished.wait()
        assert work.effect is not None
        return work.effect

    async def _work(self, key: str, work: Work, seconds: float, fault: Fault | None) -> None:
        try:
            await trio.sleep(seconds)
            work.effect = self._ledger.find(key)
            if work.effect is None:  # else it was voided meanwhile
                work.effect = decide(key, work.sha256, self._habits, fault, self._now())
                self._record(work.effect)
        finally:
            del self._at_work[key]
        work.finished.set()


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
