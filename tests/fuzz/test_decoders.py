"""What each decoder promises, whatever it is given: see `fuzz/decoders.py`."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from comanda.actors.domain.messages import CallbackBody, decode_command, encode
from comanda.client.session_file import SessionFileError, parse_session
from comanda.http.call import decoded_body
from comanda.menu_file import MenuFileError, parse_menu
from fuzz.corpus import COMMANDS, MENU, SESSION, frame, seeds
from fuzz.decoders import DECODERS, FRAME_LIMIT, events_of

EXAMPLES = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)

ODD = [
    "[" * 20_000 + "]" * 20_000,
    '{"a":' * 5000 + "1" + "}" * 5000,
    "9" * 5000,
    "1e999",
    "1e-99999999999999999999",
    "NaN",
    '"\\ud800"',
    '"\\u0000"',
    '"' + "x" * 70_000 + '"',
]
"""Values, as JSON or TOML may have them, that break what takes them for granted."""


def good_inputs() -> list[tuple[str, bytes]]:
    """The corpus, with each decoder's name."""
    return [(name, data) for name in DECODERS for data in seeds(name)]


@pytest.mark.parametrize(("name", "data"), good_inputs())
def test_what_is_good_keeps_every_promise(name: str, data: bytes) -> None:
    DECODERS[name](data)


@pytest.mark.parametrize("name", DECODERS)
@EXAMPLES
@given(data=st.data())
def test_spoilt_input_meets_no_unforeseen_error(name: str, data: st.DataObject) -> None:
    """Bytes out of nothing, and good ones with a stretch of them replaced."""
    if data.draw(st.integers(0, 4)) == 0:
        DECODERS[name](data.draw(st.binary(max_size=400)))
        return
    good = data.draw(st.sampled_from(seeds(name)))
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 60)))
    other = data.draw(st.binary(max_size=60) | st.text(max_size=20).map(str.encode))
    DECODERS[name](good[:start] + other + good[end:])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["command", "told", "callback"])
def test_odd_values_in_any_field_meet_no_unforeseen_error(name: str, odd: str) -> None:
    for good in seeds(name):
        head, _, body = good.rpartition(b"\n")
        for field in json.loads(body):
            fields = {**json.loads(body), field: "@"}
            spoilt = json.dumps(fields).replace('"@"', odd).encode()
            DECODERS[name](head + b"\n" + spoilt if head else spoilt)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("name", "good"), [("menu", MENU), ("session", SESSION)])
def test_odd_values_in_any_line_meet_no_unforeseen_error(name: str, good: bytes, odd: str) -> None:
    lines = good.decode().splitlines()
    for number, line in enumerate(lines):
        if "=" in line:
            key = line.partition("=")[0]
            spoilt = [*lines[:number], f"{key} = {odd}", *lines[number + 1 :]]
            DECODERS[name]("\n".join(spoilt).encode())


@EXAMPLES
@given(st.dictionaries(st.sampled_from(["type", "token", "qty", "note", "total"]), JSONS))
@example({"type": "place_order", "total": 1e300, "cart_items": []})
def test_any_object_is_a_command_or_a_sentence(fields: dict[str, Any]) -> None:
    DECODERS["command"](json.dumps(fields).encode())


@pytest.mark.parametrize("good", COMMANDS)
def test_a_good_command_survives_the_way_there_and_back(good: bytes) -> None:
    command = decode_command(good)
    assert decode_command(encode(command)) == command


@EXAMPLES
@given(
    st.builds(
        CallbackBody,
        event_id=st.text(min_size=1, max_size=200),
        order_id=st.text(min_size=1, max_size=64),
        status=st.sampled_from(["accepted", "rejected"]),
        pos_reference=st.none() | st.text(max_size=300),
        message=st.none() | st.text(max_size=300),
        retryable=st.booleans(),
    )
)
def test_a_good_callback_survives_the_way_there_and_back(body: CallbackBody) -> None:
    assert decoded_body(encode(body), CallbackBody) == body


@EXAMPLES
@given(st.lists(st.text(max_size=40), max_size=6), st.integers(0, 2**32))
def test_texts_survive_however_they_are_masked_cut_and_fragmented(
    texts: list[str], seed: int
) -> None:
    chance = random.Random(seed)
    stream = b"".join(_fragments(text.encode(), chance) for text in texts)
    cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))
    reads = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    assert events_of(reads) == texts


def _fragments(payload: bytes, chance: random.Random) -> bytes:
    """One text message in one to three frames."""
    at = sorted(chance.randrange(len(payload) + 1) for _ in range(chance.randrange(3)))
    parts = [payload[a:b] for a, b in zip([0, *at], [*at, len(payload)], strict=True)]
    return b"".join(
        _masked(frame(0 if number else 1, part, final=number == len(parts) - 1), chance)
        for number, part in enumerate(parts)
    )


def _masked(plain: bytes, chance: random.Random) -> bytes:
    """A short frame, with a mask that is not zero."""
    mask = chance.randbytes(4)
    payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(plain[6:]))
    return plain[:2] + mask + payload


def test_a_message_of_many_fragments_is_too_long_as_soon_as_they_are() -> None:
    part = frame(1, b"x" * 100, final=False)
    more = frame(0, b"x" * 100, final=False)
    reads = [part, *[more] * (FRAME_LIMIT // 100)]
    assert events_of(reads[:-1]) == []
    assert events_of(reads) == [1009]


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000 + "]" * 3000])
def test_a_session_file_with_what_python_cannot_read_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(SessionFileError, match=r"^s\.toml: "):
        parse_session(f"x = {value}".encode(), "s.toml")


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 3000 + "]" * 3000, "1e-99999999999999999999"])
def test_a_menu_file_with_what_python_cannot_read_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(MenuFileError, match=r"^m\.toml: "):
        parse_menu(f"x = {value}".encode(), "m.toml")
