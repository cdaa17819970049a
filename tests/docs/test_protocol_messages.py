"""docs/protocol.md against the code: every example, command, event and word of the websocket."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec
import pytest
from msgspec import Struct
from msgspec import inspect as shapes

from comanda.actors.domain.messages import (
    Ack,
    CartSnapshot,
    Command,
    Error,
    ErrorCode,
    Event,
    LineState,
    OrderStateName,
    Pong,
    ProcessingStatus,
    Stage,
    Told,
    decode_command,
    decode_told,
    encode,
)

from .pages import read_page

PAGE = read_page("docs/protocol.md")
FRAMES: list[dict[str, Any]] = [
    example for section in PAGE.sections for example in section.json() if "type" in example
]
NEEDED = {"yes": True, "no": False}


def by_tag(union: object) -> dict[str, type[Struct]]:
    """The message types of a union by their `type` on the wire."""
    return {kind.__struct_config__.tag: kind for kind in get_args(union)}


COMMANDS, TOLD, EVENTS = by_tag(Command), by_tag(Told), by_tag(Event)


def fields_of(kind: type[Struct], prefix: str = "") -> Iterator[tuple[str, bool, str]]:
    """Each field of a command, whether it is needed, and its bounds in the page's words."""
    info = shapes.type_info(kind)
    assert isinstance(info, shapes.StructType)
    for field in info.fields:
        name = prefix + field.encode_name
        yield name, field.required, in_words(field.type)
        if isinstance(field.type, shapes.VarTupleType):
            assert isinstance(field.type.item_type, shapes.StructType)
            yield from fields_of(field.type.item_type.cls, f"{name}[].")


def in_words(kind: shapes.Type) -> str:
    """The bounds of a field's type as the page words them."""
    match kind:
        case shapes.UnionType(types=types):
            return "".join(in_words(one) for one in types)
        case shapes.IntType(ge=least, le=most):
            return f"{least} to {most}"
        case shapes.FloatType(ge=least):
            return f"at least {least:g}"
        case shapes.VarTupleType(max_length=most):
            return f"up to {most}"
        case shapes.StrType(max_length=None, pattern=str(pattern)):
            (span,) = re.findall(r"\{(\d+),(\d+)\}", pattern)
            return f"{span[0]} to {span[1]} of `A–Z a–z 0–9 _ -`"
        case shapes.StrType(min_length=None, max_length=most):
            return f"up to {most} characters"
        case shapes.StrType(min_length=least, max_length=most):
            return f"{least} to {most} characters"
    return ""


@pytest.mark.parametrize("frame", FRAMES, ids=[frame["type"] for frame in FRAMES])
def test_a_frame_on_the_page_decodes_and_says_just_what_its_type_says(
    frame: dict[str, Any],
) -> None:
    decode = decode_command if frame["type"] in COMMANDS else decode_told
    assert json.loads(encode(decode(json.dumps(frame)))) == frame


@pytest.mark.parametrize("tag", [*COMMANDS, *TOLD])
def test_a_message_has_an_example_and_its_examples_show_all_its_fields(tag: str) -> None:
    kind = (COMMANDS | TOLD)[tag]
    shown = set[str]().union(*(frame for frame in FRAMES if frame["type"] == tag))
    assert shown == {"type", *(field.encode_name for field in msgspec.structs.fields(kind))}


def test_the_snapshot_on_the_page_shows_every_part_of_a_snapshot() -> None:
    (example,) = PAGE.section("The cart snapshot").json()
    assert all(value is not None and value != [] for value in example.values())


def test_the_commands_and_their_fields_are_those_of_the_code() -> None:
    rows = PAGE.section("Commands").table
    on_page = [
        (row["command"].strip("`"), row["field"].strip("`"), NEEDED[row["needed"]]) for row in rows
    ]
    in_code = [
        (tag, name, needed) for tag, kind in COMMANDS.items() for name, needed, _ in fields_of(kind)
    ]
    assert sorted(on_page) == sorted(in_code)


def test_the_bounds_of_the_commands_fields_are_those_of_the_code() -> None:
    on_page = {
        (row["command"].strip("`"), row["field"].strip("`")): row["value"]
        for row in PAGE.section("Commands").table
    }
    for tag, kind in COMMANDS.items():
        for name, _, words in fields_of(kind):
            assert words, f"{tag}.{name} has no bounds"
            assert re.search(rf"(^|[ ;:]){re.escape(words)}($|[,;])", on_page[tag, name]), (
                f"{tag}.{name}: the code says {words!r}, the page {on_page[tag, name]!r}"
            )


def test_the_events_are_those_of_the_code() -> None:
    assert set(PAGE.section("Events").column("type")) == set(EVENTS)


def test_what_is_told_without_seq_or_to_the_sender_alone_is_the_rest_of_what_is_told() -> None:
    alone = set(PAGE.section("Answers to the sender alone").column("type"))
    assert alone == {kind.__struct_config__.tag for kind in (Ack, Error, Pong, CartSnapshot)}
    without_seq = set(PAGE.section("Told without seq").column("type"))
    assert without_seq == set(TOLD) - set(EVENTS) - alone


@pytest.mark.parametrize(
    ("title", "column", "words"),
    [
        ("Error codes", "code", ErrorCode),
        ("Stages", "stage", Stage),
        ("Order states", "state", OrderStateName),
        ("Line states", "state", LineState),
        ("Processing status", "status", ProcessingStatus),
    ],
    ids=["error codes", "stages", "order states", "line states", "processing status"],
)
def test_the_words_of_a_list_are_those_of_the_code(title: str, column: str, words: object) -> None:
    assert sorted(PAGE.section(title).column(column)) == sorted(get_args(words))
