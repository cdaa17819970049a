"""What an order comes to: by habit or by fault, at its time, and when it is taken back. Pure."""

import random
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from .entries import Effect
from .faults import Fault


class Habits(Struct, frozen=True):
    """How the POS behaves without a fault. The outcome is a function of seed and key."""

    delay_seconds: float = 0.5
    accept_rate: float = 1.0
    seed: int = 0

    def accepts(self, key: str) -> bool:
        """Whether an order is accepted: the same, whenever it is asked."""
        return random.Random(f"{self.seed}:{key}").random() < self.accept_rate


def decide(key: str, sha256: str, habits: Habits, fault: Fault | None, now: datetime) -> Effect:
    """The first effect of a key. The faults that name an outcome have it whatever the habits are."""
    accepted = Effect(key=key, sha256=sha256, at=now, kind="accepted", reference=f"POS-{key}")
    unavailable = refused(key, sha256, now, "unavailable", "POS system unavailable", retryable=True)
    if fault is None:
        return accepted if habits.accepts(key) else unavailable
    due_at = now + timedelta(seconds=fault.seconds)
    waiting = replace(accepted, kind="pending", due_at=due_at)
    match fault.name:
        case "pending" | "pending-early":
            return replace(waiting, callbacks=1)
        case "pending-twice":
            return replace(waiting, callbacks=2)
        case "pending-silent":
            return waiting
        case "pending-reject":
            return replace(waiting, becomes="rejected", callbacks=1)
        case "reject":
            return refused(key, sha256, now, "sold_out", "Not today")
        case "reject-then-accept":
            return replace(unavailable, due_at=due_at, callbacks=1)
        case "accept-then-reject":
            return replace(accepted, due_at=due_at, becomes="rejected", callbacks=1)
        case "accept-early":
            return replace(accepted, callbacks=1)
        case "key-reused":
            return accepted
    return accepted if habits.accepts(key) else unavailable


def refused(
    key: str, sha256: str, now: datetime, code: str, message: str, *, retryable: bool = False
) -> Effect:
    """The effect of a refusal."""
    return Effect(
        key=key,
        sha256=sha256,
        at=now,
        kind="rejected",
        code=code,
        message=message,
        retryable=retryable,
    )


def settled(effect: Effect, now: datetime) -> Effect:
    """What an effect whose time has come becomes; it keeps its callbacks."""
    later = Effect(
        key=effect.key,
        sha256=effect.sha256,
        at=now,
        kind=effect.becomes,
        settles=True,
        reference=f"POS-{effect.key}",
        callbacks=effect.callbacks,
    )
    if later.kind == "accepted":
        return later
    return replace(later, code="kitchen", message="The kitchen has refused the order")


def voided(key: str, sha256: str, effect: Effect | None, now: datetime) -> Effect:
    """The effect of a void on a key that has come to `effect`, or to nothing yet."""
    reference = None if effect is None else effect.reference
    settles = effect is not None
    return Effect(
        key=key, sha256=sha256, at=now, kind="voided", settles=settles, reference=reference
    )
