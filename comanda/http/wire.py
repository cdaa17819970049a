"""Between the wire and the domain's messages: frames out, sentences for what the runtime refuses."""

from comanda.actors.domain.messages import ErrorCode, Told, encode
from comanda.actors.ports import StorageUnavailable
from comanda.runtime import Outage

from .frames import text_frame

REFUSED_BY_THE_HOUSE: dict[ErrorCode, str] = {
    "too_busy": "This table is very busy; try again in a moment",
    "storage_unavailable": "Not saved and nothing changed; try again",
}


def frame(told: Told) -> bytes:
    """The whole websocket frame of a message, built once for every member who gets it."""
    return text_frame(encode(told))


def refusal_code(error: Exception) -> ErrorCode:
    """The code for a command or request that the runtime or storage has not taken."""
    if isinstance(error, Outage | StorageUnavailable):
        return "storage_unavailable"
    return "too_busy"
