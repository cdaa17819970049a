"""Each decoder with what must hold whatever it is given: no error but its own, and nothing over a limit.

An `AssertionError`, or any other exception, is a finding.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Final

import msgspec

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.messages import (
    MAX_SENTENCE_CHARACTERS,
    BadMessage,
    CallbackBody,
    decode_command,
    decode_told,
    encode,
)
from comanda.actors.domain.money import MAX_MINOR
from comanda.client.session_file import MAX_MEMBERS, MAX_STEPS, SessionFileError, parse_session
from comanda.client.steps import Step
from comanda.http.call import decoded_body
from comanda.http.callbacks import BadSignature, CallbackSignatures, outcome_heard
from comanda.http.frames import PEER_CODES, CloseReceived, FrameReader, PingReceived, Violation
from comanda.http.problems import Refused
from comanda.menu_file import MenuFileError, parse_menu

FRAME_LIMIT: Final = 200
"""Of a message here: small, so that messages are soon too long."""

STREAM_BYTES: Final = 600
"""Of frames at a time: each of them is read byte by byte, too."""

REQUEST_ID_CHARACTERS: Final = 64
SECRET: Final = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
SIGNATURES: Final = CallbackSignatures((SECRET,))
CONTROL_BYTES: Final = 125


def events_of(reads: list[bytes]) -> list[object]:
    """What a frame reader makes of these reads, up to the code of the violation that ends it."""
    reader = FrameReader(FRAME_LIMIT)
    events: list[object] = []
    try:
        for read in reads:
            reader.feed(read)
            while (event := reader.next_event()) is not None:
                events.append(event)
    except Violation as violation:
        assert len(violation.reason.encode()) <= CONTROL_BYTES
        events.append(violation.code)
    return events


def frames(data: bytes) -> None:
    """Websocket frames: the first byte says where the others are cut into reads."""
    cut, stream = (data[0] if data else 0), data[1:STREAM_BYTES]
    events = events_of([stream])
    assert events == events_of([stream[:cut], stream[cut:]])
    assert events == events_of([stream[at : at + 1] for at in range(len(stream))])
    for event in events:
        match event:
            case str():
                assert len(event.encode()) <= FRAME_LIMIT
            case PingReceived():
                assert len(event.payload) <= CONTROL_BYTES
            case CloseReceived():
                code = event.code
                assert code == 1005 or code in PEER_CODES or 3000 <= code <= 4999
            case _:
                assert event in (1002, 1003, 1007, 1009)


def command(data: bytes) -> None:
    """A member's frame: a command that says the same again, or a sentence for the sender."""
    try:
        read = decode_command(data)
    except BadMessage as bad:
        assert 0 < len(str(bad)) <= MAX_SENTENCE_CHARACTERS
        assert bad.request_id is None or 0 < len(bad.request_id) <= REQUEST_ID_CHARACTERS
        return
    _comes_back(read, decode_command)
    with suppress(UnicodeDecodeError):  # which a field that nobody reads may hold
        assert decode_command(data.decode()) == read


def told(data: bytes) -> None:
    """What a server tells a Python client."""
    try:
        read = decode_told(data)
    except BadMessage as bad:
        assert 0 < len(str(bad)) <= MAX_SENTENCE_CHARACTERS
        return
    _comes_back(read, decode_told)


def _comes_back(read: object, decode: Callable[[bytes], object]) -> None:
    written = encode(read)
    json.loads(written, parse_int=Decimal)
    assert decode(written) == read


def menu(data: bytes) -> None:
    """A menu file: restaurants that can be served, or a sentence that names the file."""
    try:
        restaurants = parse_menu(data, "menu.toml")
    except MenuFileError as error:
        assert str(error).startswith("menu.toml: ")
        return
    codes = [table.code for one in restaurants for table in one.tables]
    assert len(codes) == len(set(codes))
    assert len({one.restaurant_id for one in restaurants}) == len(restaurants) > 0
    for one in restaurants:
        assert one.name.isprintable()
        for item in one.menu.items.values():
            assert 0 <= item.price_minor <= MAX_MINOR
            assert item.name


def session(data: bytes) -> None:
    """A file of an example session: steps that can be played, or a sentence that names the file."""
    try:
        read = parse_session(data, "session.toml")
    except SessionFileError as error:
        assert str(error).startswith("session.toml: ")
        return
    assert 0 < len(read.members) <= MAX_MEMBERS
    assert 0 < len(read.steps) <= MAX_STEPS
    for step in read.steps:
        if isinstance(step, Step):
            assert set(read.who(step)) <= set(read.members)


def callback(data: bytes) -> None:
    """A POS's callback: the first line of the bytes is its signature, the rest its body."""
    signature, _, body = data.partition(b"\n")
    headers = {
        "webhook-id": "evt-1",
        "webhook-timestamp": signature[:20].decode("latin-1"),
        "webhook-signature": signature[20:].decode("latin-1"),
    }
    try:
        SIGNATURES.check(body, headers)
        raise AssertionError("nobody has signed this")
    except BadSignature as error:
        assert str(error)
    try:
        read = decoded_body(body, CallbackBody)
    except Refused as refused:
        assert refused.code == "bad_message"
        return
    assert isinstance(outcome_heard(read), OutcomeHeard)
    assert msgspec.json.decode(encode(read), type=CallbackBody) == read


DECODERS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "frames": frames,
    "command": command,
    "told": told,
    "menu": menu,
    "session": session,
    "callback": callback,
}
