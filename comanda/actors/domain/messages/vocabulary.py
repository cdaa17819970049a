"""The small words that messages are made of, and their bounds (code points, bytes, counts)."""

from typing import Annotated, Literal

from msgspec import Meta

MAX_QTY = 99
MAX_NOTE_CHARACTERS = 280
MAX_INSTRUCTIONS_CHARACTERS = 500
MAX_LINES = 100
MAX_NOTES_BYTES = 16 * 1024
MAX_NAME_CHARACTERS = 40
MAX_SENTENCE_CHARACTERS = 200
"""What is wrong with a message; the decoder may quote the message itself."""

PIN_DIGITS = 4
"""Of a join PIN: said across a table and typed with a thumb. What guards it is how few may be tried."""

MAX_REASON_CHARACTERS = 200
MAX_REFERENCE_CHARACTERS = 100
MAX_ORDER_ID_CHARACTERS = 64
"""`ORD-{restaurant_id}-{order_number}` has room for 19 digits twice; longer ones are none of ours."""

MAX_EVENT_ID_CHARACTERS = 200
"""The POS's own id of a callback, which goes on record; makers' ids are UUIDs and the like."""

RequestId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
PublicId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}(?!\n)$")]
Qty = Annotated[int, Meta(ge=1, le=MAX_QTY)]
Note = Annotated[str, Meta(max_length=MAX_NOTE_CHARACTERS)]
Instructions = Annotated[str, Meta(max_length=MAX_INSTRUCTIONS_CHARACTERS)]
MenuItemId = Annotated[int, Meta(ge=0, le=2**53)]
MemberName = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARACTERS)]
JoinPin = Annotated[str, Meta(pattern=rf"^[0-9]{{{PIN_DIGITS}}}(?!\n)$")]
Total = Annotated[float, Meta(ge=0)]
EventId = Annotated[str, Meta(min_length=1, max_length=MAX_EVENT_ID_CHARACTERS)]
OrderId = Annotated[str, Meta(min_length=1, max_length=MAX_ORDER_ID_CHARACTERS)]
Reason = Annotated[str, Meta(min_length=1, max_length=MAX_REASON_CHARACTERS)]
PosReference = Annotated[str, Meta(min_length=1, max_length=MAX_REFERENCE_CHARACTERS)]

LineState = Literal["pending", "locked", "ordered"]
Stage = Literal["sent", "unknown", "pending", "needs_staff"]
ProcessingStatus = Literal["idle", "processing", "confirmed", "failed"]
OrderStateName = Literal["prepared", "sent", "unknown", "needs_staff", "confirmed", "rejected"]
IncidentKind = Literal[
    "accepted_after_rejected", "refused_after_confirmed", "void_unanswered", "key_reused"
]
"""How a POS can contradict what a table was told, or leave the staff without an answer."""
ErrorCode = Literal[
    "bad_message",
    "cart_locked",
    "cart_empty",
    "cart_full",
    "public_id_taken",
    "cart_changed",
    "total_mismatch",
    "item_not_found",
    "item_unavailable",
    "request_id_reused",
    "rate_limited",
    "too_busy",
    "storage_unavailable",
    "session_closed",
]
RefusalCode = ErrorCode | Literal["conflict", "pin_required", "pin_wrong"]
"""The further ones are answered over HTTP alone: `conflict` to the staff, the others to who joins."""
