"""What is wrong with a JSON message, from a seed: fields and types, numbers, depth, letters, bytes."""

import json
import random
from collections.abc import Callable, Mapping

DEEP = 20_000
"""Levels of nesting: over every parser's recursion limit, within a frame's 64 KiB."""

LONG = 65_000
"""Characters: nearly a frame's limit."""

Fields = Mapping[str, str]
"""A message: each field's value is written as JSON already."""


def odd_values(chance: random.Random) -> list[str]:
    """Values, written as JSON or nearly, that hardly any field expects."""
    return [
        *("null", "true", "{}", "[]", '""', "-1", "0", "1", "99", "100", "1.5", "-0", "1e2"),
        *("1e999", "-1e999", "1e-999", "NaN", "Infinity", "0x10", "01", "+1", "1_000"),
        *(str(2**53), str(2**63 - 1), str(2**63), str(2**64), str(-(2**63) - 1), "9" * 5000),
        *("0." + "9" * 400, "1e" + "9" * 30),
        "[" * DEEP + "]" * DEEP,
        '{"a":' * (DEEP // 4) + "1" + "}" * (DEEP // 4),
        "[" * DEEP,
        json.dumps("x" * chance.choice([1, 40, 41, 64, 65, 280, 281, 500, 501, 2048, 2049, LONG])),
        *(
            '"\\u0000"',
            '"\\ud800"',
            '"\\udc00\\ud800"',
            '"\\uffff"',
            '"a\\u0000b"',
            '"\x01"',
            '"\\x"',
        ),
        *('"\\u202e\\u2066abc"', '"\\u001b[2J\\u001b]0;x\\u0007"', '"' + "é" * 280 + '"'),
        '"' + "👨\u200d👩\u200d👧\u200d👦" * 30 + '"',
        '"Z' + "\u0301" * 279 + '"',
        '"<script>alert(1)</script>"',
        """"'; DROP TABLE members; --\"""",
        '"{{7*7}}${7*7}%s%n"',
        '"../../../../etc/passwd"',
        '[{"public_id":"a","menu_item_id":1,"qty":1}]',
        "[" + ",".join(['{"public_id":"a","menu_item_id":1,"qty":1,"note":""}'] * 101) + "]",
        '{"type":"join"}',
        json.dumps(chance.random() * 10 ** chance.randint(-5, 20)),
        json.dumps(chance.randint(-1000, 10**12)),
    ]


def as_json(fields: Fields) -> bytes:
    """The message as an object."""
    return ("{" + ",".join(f'"{key}":{value}' for key, value in fields.items()) + "}").encode()


def spoil(chance: random.Random, fields: Fields) -> bytes:
    """The message with one to three things wrong in it, perhaps no JSON any more. Always UTF-8."""
    spoilt = dict(fields)
    for _ in range(chance.randint(1, 3)):
        chance.choice(_FIELD_SPOILERS)(chance, spoilt)
    data = as_json(spoilt)
    if chance.random() < 0.3:
        data = chance.choice(_BYTE_SPOILERS)(chance, data).decode(errors="replace").encode()
    return data


def _other_value(chance: random.Random, fields: dict[str, str]) -> None:
    if fields:
        fields[chance.choice(list(fields))] = chance.choice(odd_values(chance))


def _without(chance: random.Random, fields: dict[str, str]) -> None:
    if fields:
        del fields[chance.choice(list(fields))]


def _more(chance: random.Random, fields: dict[str, str]) -> None:
    key = chance.choice(["a_later_field", "", "__proto__", "Type", "qty", "seq", "\\u0000", "note"])
    fields[key] = chance.choice(odd_values(chance))


def _swapped(chance: random.Random, fields: dict[str, str]) -> None:
    if len(fields) > 1:
        one, other = chance.sample(list(fields), 2)
        fields[one], fields[other] = fields[other], fields[one]


def _wrapped(chance: random.Random, fields: dict[str, str]) -> None:
    if fields:
        key = chance.choice(list(fields))
        fields[key] = chance.choice(["[{}]", '{{"a":{}}}', '"{}"', "{0}{0}"]).format(fields[key])


_FIELD_SPOILERS: tuple[Callable[[random.Random, dict[str, str]], None], ...] = (
    *(_other_value, _other_value, _other_value, _without, _more, _swapped, _wrapped),
)


def cut_short(chance: random.Random, data: bytes) -> bytes:
    """Its beginning alone."""
    return data[: chance.randrange(len(data) + 1)]


def flip_bits(chance: random.Random, data: bytes) -> bytes:
    """A few of its bits turned round."""
    flipped = bytearray(data)
    for _ in range(min(len(flipped), chance.randint(1, 8))):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def doubled(chance: random.Random, data: bytes) -> bytes:
    """A part of it said twice."""
    start = chance.randrange(len(data) + 1)
    end = chance.randint(start, min(len(data), start + 200))
    return data[:end] + data[start:]


def put_in(chance: random.Random, data: bytes) -> bytes:
    """Something strange in the middle of it."""
    at = chance.randrange(len(data) + 1)
    strange = chance.choice(
        [b"\x00", b"\r\n", b"\xef\xbb\xbf", b'"', b"\\", b",,", b"\xff\xfe", b"//", b" " * 300]
    )
    return data[:at] + strange + data[at:]


def _none_of_it(chance: random.Random, data: bytes) -> bytes:
    return chance.choice(
        [b"", b" ", b"null", b"[]", b'"join"', b"1", chance.randbytes(40), b"{" * 60]
    )


_BYTE_SPOILERS = (cut_short, flip_bits, doubled, put_in, _none_of_it)


def spoil_bytes(chance: random.Random, data: bytes) -> bytes:
    """Bytes of any kind, spoilt in one to three ways."""
    for _ in range(chance.randint(1, 3)):
        data = chance.choice((cut_short, flip_bits, doubled, put_in))(chance, data)
    return data
