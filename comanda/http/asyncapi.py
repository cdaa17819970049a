"""The AsyncAPI document: the websocket's half of the contract, made from the message types."""

from collections.abc import Sequence
from typing import Any, get_args

import msgspec
from msgspec import Struct

from comanda import __version__
from comanda.actors.domain.messages import Ack, CartSnapshot, Command, Error, Join, Told

from .openapi import decimals_as_numbers

_SCHEMA = "#/components/schemas/{name}"
_CHANNEL = "#/channels/table"


def asyncapi_document() -> dict[str, Any]:
    """The contract of `/ws/sessions/{session_pid}`, AsyncAPI 3.0, from the server's side."""
    commands, told = get_args(Command), get_args(Told)
    kinds = [*commands, *told]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_SCHEMA)
    # What `UpdateItem` checks itself, no annotation can say.
    components["UpdateItem"]["anyOf"] = [{"required": ["qty"]}, {"required": ["note"]}]
    asked = [kind for kind in commands if kind is not Join]
    events = [kind for kind in told if kind not in (Ack, Error)]
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Comanda",
            "version": __version__,
            "description": "What happens at a table. One JSON object a text frame; the seat and its "
            "token come from `POST /api/tables/{table_code}/join`, which /openapi.json describes.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "this": {
                "host": "{host}",
                "protocol": "ws",
                "description": "wss where the server, or a proxy before it, speaks TLS",
                "variables": {"host": {"default": "127.0.0.1:8080"}},
            }
        },
        "channels": {
            "table": {
                "address": "/ws/sessions/{session_pid}",
                "description": "One member: the first frame is `join`, its answer `cart_snapshot`.",
                "parameters": {"session_pid": {"description": "From the answer to the join"}},
                "messages": {tag_of(kind): _message_ref(kind) for kind in kinds},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "sit_down": {
                "action": "receive",
                "channel": {"$ref": _CHANNEL},
                "summary": "The first frame of a connection",
                "messages": _on_channel([Join]),
                "reply": {"channel": {"$ref": _CHANNEL}, "messages": _on_channel([CartSnapshot])},
            },
            "ask": {
                "action": "receive",
                "channel": {"$ref": _CHANNEL},
                "summary": "A member's command; answered where it has a `request_id`, or is refused",
                "messages": _on_channel(asked),
                "reply": {"channel": {"$ref": _CHANNEL}, "messages": _on_channel([Ack, Error])},
            },
            "tell": {
                "action": "send",
                "channel": {"$ref": _CHANNEL},
                "summary": "What every member of the table is told; a snapshot goes to one alone",
                "messages": _on_channel(events),
            },
        },
        "components": {
            "messages": {
                tag_of(kind): {
                    "name": tag_of(kind),
                    "summary": (kind.__doc__ or "").strip().partition("\n")[0],
                    "payload": schema,
                }
                for kind, schema in zip(kinds, schemas, strict=True)
            },
            "schemas": components,
        },
    }
    described: dict[str, Any] = decimals_as_numbers(document)
    return described


def tag_of(kind: type[Struct]) -> str:
    """The wire's `type` of a message."""
    tag = kind.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def _message_ref(kind: type[Struct]) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{tag_of(kind)}"}


def _on_channel(kinds: Sequence[type[Struct]]) -> list[dict[str, str]]:
    return [{"$ref": f"{_CHANNEL}/messages/{tag_of(kind)}"} for kind in kinds]
