"""Between a frame's JSON and messages: `decode_command` is the only way in, `encode` the only way out."""

import msgspec
from msgspec import Struct

from .commands import Command
from .events import Told
from .vocabulary import MAX_SENTENCE_CHARACTERS, RequestId


class BadMessage(ValueError):
    """A frame that is none of ours; the text is a sentence for the sender.

    `request_id` is the one that the frame carried, where it could be read in spite of all.
    """

    def __init__(self, sentence: str, request_id: str | None = None) -> None:
        super().__init__(sentence)
        self.request_id = request_id


class _OnlyRequestId(Struct):
    request_id: RequestId | None = None


_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_only_request_id_decoder = msgspec.json.Decoder(_OnlyRequestId)
_told_decoder: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode_command(frame: bytes | str) -> Command:
    """The command in one text frame.

    Raises:
        BadMessage: not JSON, not an object, an unknown type, or a field missing, wrong or out of range.
    """
    try:
        return _command_decoder.decode(frame)
    except (ValueError, RecursionError) as error:
        raise BadMessage(_sentence(error), _request_id_in(frame)) from error


def decode_told(frame: bytes | str) -> Told:
    """What the server has told, for clients.

    Raises:
        BadMessage: the frame is nothing that a server of this protocol version tells.
    """
    try:
        return _told_decoder.decode(frame)
    except (ValueError, RecursionError) as error:
        raise BadMessage(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"The message is not valid: {error}"[:MAX_SENTENCE_CHARACTERS]
    if isinstance(error, RecursionError):
        return "The message is nested too deeply"
    return "The message is not JSON"


def _request_id_in(frame: bytes | str) -> str | None:
    try:
        return _only_request_id_decoder.decode(frame).request_id
    except (ValueError, RecursionError):
        return None


def encode(message: object) -> bytes:
    """The JSON of any message of this module."""
    return _encoder.encode(message)
