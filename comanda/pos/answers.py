"""What a POS over HTTP has answered, read as exactly one outcome. No I/O here.

What cannot be read as the contract has it is `Unknown`, and never a refusal: the order may be cooking.
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from comanda.actors.domain.order import Accepted, NotSent, Pending, PosOutcome, Rejected, Unknown

from .reasons import TOO_BUSY

DEFAULT_RETRY_SECONDS = 2.0
"""When a POS is called again that said 429 and not until when."""

KEY_REUSED = Unknown("the POS has this key with another body", key_reused=True)
"""An incident and no refusal: the POS has an order under this key, and it is not this one."""

_T = TypeVar("_T")
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class Answer(Struct, frozen=True):
    """One whole answer: the status, the body as it came, and the header Retry-After."""

    status: int
    body: bytes
    retry_after: str | None = None


class _Accepted(Struct, tag_field="status", tag="accepted"):
    pos_reference: _Text
    order_id: str | UnsetType = UNSET


class _Pending(Struct, tag_field="status", tag="pending"):
    pos_reference: str | None = None
    expected_by: str | None = None
    order_id: str | UnsetType = UNSET


class _Rejected(Struct, tag_field="status", tag="rejected"):
    code: str
    message: str
    retryable: bool
    order_id: str | UnsetType = UNSET


class _FoundRejected(Struct, tag_field="status", tag="rejected"):
    order_id: str
    code: str
    message: str
    retryable: bool = False  # the contract's look-up does not have it


class _FoundVoided(Struct, tag_field="status", tag="voided"):
    order_id: str
    message: str | None = None


class _Voided(Struct):
    status: Literal["voided"]


_Submitted = _Accepted | _Pending | _Rejected
_Found = _Accepted | _Pending | _FoundRejected | _FoundVoided

_submitted: msgspec.json.Decoder[_Submitted] = msgspec.json.Decoder(_Submitted)
_found: msgspec.json.Decoder[_Found] = msgspec.json.Decoder(_Found)
_voided: msgspec.json.Decoder[_Voided] = msgspec.json.Decoder(_Voided)


def read_submit(answer: Answer, order_id: str, now: datetime) -> PosOutcome:
    """The outcome of a submit. `now` is what a Retry-After that is a date is read against."""
    if answer.status == 429:
        return NotSent(TOO_BUSY, retry_after_seconds(answer.retry_after, now))
    if answer.status not in (200, 201, 202, 400, 409, 422):
        return Unknown(f"the POS answered {answer.status}")
    said = _decoded(_submitted, answer.body)
    if said is None:
        return Unknown(f"the POS answered {answer.status} with what cannot be read")
    if said.order_id not in (UNSET, order_id):
        return Unknown(f"the POS answered {answer.status} for another order")
    match said:
        case _Accepted() if answer.status in (200, 201):
            return Accepted(said.pos_reference)
        case _Pending() if answer.status == 202:
            return _pending(said)
        case _Rejected(code="key_reused"):
            return KEY_REUSED
        case _Rejected() if answer.status in (400, 409, 422):
            return Rejected(said.code, said.message, said.retryable)
    return Unknown(f"the POS answered {answer.status} with a status that does not go with it")


def read_look_up(answer: Answer, order_id: str) -> PosOutcome | None:
    """What a look-up has found; None where the POS does not know the key."""
    if answer.status == 404:
        return None
    if answer.status != 200:
        return Unknown(f"the POS answered {answer.status} to a look-up")
    said = _decoded(_found, answer.body)
    if said is None:
        return Unknown("the POS answered a look-up with what cannot be read")
    if said.order_id != order_id:
        return Unknown("the POS answered a look-up for another order")
    match said:
        case _Accepted():
            return Accepted(said.pos_reference)
        case _Pending():
            return _pending(said)
        case _FoundRejected(code="key_reused"):
            return KEY_REUSED
        case _FoundRejected():
            return Rejected(said.code, said.message, said.retryable)
        case _FoundVoided():
            return Rejected("voided", said.message or "The order was taken back", retryable=False)


def read_void(answer: Answer) -> bool:
    """Whether the POS has promised that this key will not be cooked."""
    return answer.status == 200 and _decoded(_voided, answer.body) is not None


def retry_after_seconds(header: str | None, now: datetime) -> float:
    """The header Retry-After, seconds or a date (RFC 9110, 10.2.3); a default where it says nothing."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            at = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return DEFAULT_RETRY_SECONDS
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = max(0.0, (at - now).total_seconds())
    return seconds if math.isfinite(seconds) else DEFAULT_RETRY_SECONDS


def _pending(said: _Pending) -> Pending:
    return Pending(said.pos_reference, _aware(said.expected_by))


def _aware(text: str | None) -> datetime | None:
    """A moment with its offset; None where there is none that can be read: it is a hint, no more."""
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T | None:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
