"""The AsyncAPI document is one, and says what goes over the websocket; `Phone` asks it about every frame."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft7Validator, ValidationError

from comanda.actors.domain.messages import (
    BadMessage,
    Command,
    Told,
    decode_command,
)
from comanda.actors.domain.order import Rejected
from comanda.http.asyncapi import tag_of

from ..docs.pages import read_page
from .frame_contract import FRAMES
from .server import DIAVOLA, MARGHERITA, Server, TestPos, serving

SCHEMA = Path(__file__).parent / "vendor" / "asyncapi-3.0.0.schema.json"
EXAMPLES: list[dict[str, Any]] = [
    example
    for section in read_page("docs/protocol.md").sections
    for example in section.json()
    if "type" in example
]
COMMANDS = {tag_of(kind): kind for kind in get_args(Command)}
TOLD = {tag_of(kind): kind for kind in get_args(Told)}


async def test_a_server_serves_the_document_of_its_code(server: Server) -> None:
    assert (await server.call("GET", "/asyncapi.json")).json() == FRAMES.document


def test_the_document_is_asyncapi() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(FRAMES.document)
    with pytest.raises(ValidationError):
        Draft7Validator(schema).validate({**FRAMES.document, "channels": {"table": {"to": 1}}})


def test_every_schema_is_json_schema_and_every_reference_leads_somewhere() -> None:
    for schema in FRAMES.document["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
    assert "decimal" not in repr(FRAMES.document)
    references = set(references_in(FRAMES.document))
    assert references
    for reference in references:
        node = FRAMES.document
        for name in reference.removeprefix("#/").split("/"):
            node = node[name]


def references_in(node: Any) -> list[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [one for value in node.values() for one in references_in(value)]
    if isinstance(node, list):
        return [one for value in node for one in references_in(value)]
    return []


def test_every_message_of_the_code_is_in_an_operation() -> None:
    assert FRAMES.messages("sit_down") | FRAMES.messages("ask") == set(COMMANDS)
    replies = {"ack", "error"}
    assert FRAMES.messages("tell") | replies == set(TOLD)
    assert set(FRAMES.document["components"]["messages"]) == {*COMMANDS, *TOLD}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: str(one["type"]))
def test_an_example_of_the_protocols_page_conforms(example: dict[str, Any]) -> None:
    FRAMES.validator(example["type"]).validate(example)


@pytest.mark.parametrize(
    ("frame", "fits"),
    [
        ({"type": "add_item", "menu_item_id": 1, "qty": 1}, True),
        ({"type": "add_item", "menu_item_id": 1, "qty": 99, "note": "x" * 280}, True),
        ({"type": "add_item", "menu_item_id": 1}, False),
        ({"type": "add_item", "menu_item_id": 1, "qty": 0}, False),
        ({"type": "add_item", "menu_item_id": 1, "qty": 100}, False),
        ({"type": "add_item", "menu_item_id": 1, "qty": 1, "note": "x" * 281}, False),
        ({"type": "add_item", "menu_item_id": 1, "qty": 1, "public_id": "a b"}, False),
        ({"type": "update_item", "public_id": "a", "qty": 2}, True),
        ({"type": "update_item", "public_id": "a", "note": ""}, True),
        ({"type": "update_item", "public_id": "a"}, False),
        ({"type": "remove_item"}, False),
        ({"type": "clear_cart", "request_id": "r"}, True),
        ({"type": "clear_cart", "request_id": ""}, False),
        ({"type": "place_order", "cart_items": [], "total": 0}, True),
        ({"type": "place_order", "cart_items": [{"public_id": "a"}], "total": 0}, False),
        ({"type": "place_order", "cart_items": [], "total": -1}, False),
        ({"type": "ping", "more": "is ignored"}, True),
        ({"type": "join", "token": 1}, False),
    ],
)
def test_the_document_takes_and_refuses_the_commands_that_the_server_does(
    frame: dict[str, Any], fits: bool
) -> None:
    assert FRAMES.validator(frame["type"]).is_valid(frame) is fits
    try:
        decode_command(json.dumps(frame))
    except BadMessage:
        assert not fits
    else:
        assert fits


async def test_what_an_evening_brings_is_described(tmp_path: Path) -> None:
    """Each frame is held against the document as it is heard; here nearly every type is."""
    refused = Rejected("unavailable", "POS system unavailable", True)
    async with serving(tmp_path, TestPos(refused)) as server:
        ana = await server.join(name="Ana")
        async with server.phone(ana) as phone:
            async with server.phone(await server.join(name="Ben")):
                await phone.until("presence")
            await phone.add(MARGHERITA)
            await phone.order()
            await phone.until("order_failed")
            await phone.order()
            await phone.until("order_confirmed")
            await phone.do("remove_item", public_id="none")
            await phone.do("ping")
            await server.patch(DIAVOLA, available=False)
            await phone.until("menu_updated")
            await server.close_table(ana)
            await phone.until("session_closed")
    heard = {frame["type"] for frame in phone.heard}
    assert heard >= set(TOLD) - {"cart_unlocked", "server_closing"}


def test_a_frame_of_another_shape_is_refused_by_the_judge() -> None:
    frame = {"type": "ack", "request_id": "r", "seq": "41"}
    with pytest.raises(ValidationError):
        FRAMES.check_told(frame)
