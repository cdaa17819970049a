"""What the POS says: a status and the members of a JSON object, as the contract writes them."""

from datetime import datetime

from msgspec import Struct

from .entries import Effect


class Answer(Struct, frozen=True):
    """A status, and the members of a JSON object."""

    status: int
    body: dict[str, object]
    retry_after_seconds: float | None = None


def answer_of(effect: Effect) -> Answer:
    """What a submit of the key is told."""
    if effect.kind == "accepted":
        return Answer(200, {"status": "accepted", "pos_reference": effect.reference})
    if effect.kind == "pending":
        return pending(effect.reference, effect.due_at)
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


def pending(reference: str | None, due_at: datetime | None) -> Answer:
    """202: taken, the outcome comes later."""
    return Answer(202, {"status": "pending", "pos_reference": reference, "expected_by": due_at})


def found(effect: Effect) -> Answer:
    """What a look-up of the key is told."""
    return _found(effect.key, effect.kind, effect.reference, effect.code, effect.message)


def found_at_work(key: str) -> Answer:
    """What a look-up is told of an order that has arrived and is bound to nothing yet."""
    return _found(key, "pending", None, None, None)


def _found(
    key: str, status: str, reference: str | None, code: str | None, message: str | None
) -> Answer:
    body = {
        "order_id": key,
        "status": status,
        "pos_reference": reference,
        "code": code,
        "message": message,
    }
    return Answer(200, {**body})


NOT_FOUND = Answer(404, {"status": "not_found"})
KEY_REUSED = refusal(422, "key_reused", "This key was used with another body")
