"""The OpenAPI document is one, and says what the routes do."""

import re
from typing import Any

from jsonschema import Draft202012Validator

from comanda.http.problems import STATUSES
from comanda.http.routes import ENDPOINTS

from .server import Server

PROTOCOLS_CALLS = {
    ("post", "/api/tables/{table_code}/join"),
    ("get", "/api/restaurants/{restaurant_id}/menu"),
    ("get", "/api/sessions/{session_pid}/cart"),
    ("get", "/api/sessions/{session_pid}/orders"),
    ("post", "/api/sessions/{session_pid}/close"),
    ("get", "/api/restaurants"),
    ("get", "/api/restaurants/{restaurant_id}/tables"),
    ("get", "/api/restaurants/{restaurant_id}/qr-codes"),
    ("get", "/api/restaurants/{restaurant_id}/orders"),
    ("post", "/api/orders/{order_id}/resolve"),
    ("post", "/api/pos/callbacks"),
    ("patch", "/api/restaurants/{restaurant_id}/menu/{menu_item_id}"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
    ("get", "/asyncapi.json"),
    ("get", "/t/{table_code}"),
    ("get", "/staff"),
}

# The parts of OpenAPI 3.1's own schema that concern a document like ours.
SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["openapi", "info", "paths"],
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "properties": {"title": {"type": "string"}, "version": {"type": "string"}},
        },
        "paths": {
            "type": "object",
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"enum": ["get", "post", "patch", "put", "delete"]},
                "additionalProperties": {"$ref": "#/$defs/operation"},
            },
        },
        "components": {
            "type": "object",
            "propertyNames": {"enum": ["schemas", "securitySchemes"]},
            "properties": {
                "schemas": {"type": "object", "propertyNames": {"pattern": r"^[A-Za-z0-9._-]+$"}}
            },
        },
    },
    "additionalProperties": False,
    "$defs": {
        "operation": {
            "type": "object",
            "required": ["operationId", "summary", "responses"],
            "properties": {
                "operationId": {"type": "string"},
                "summary": {"type": "string", "minLength": 1},
                "parameters": {"type": "array", "items": {"$ref": "#/$defs/parameter"}},
                "requestBody": {
                    "type": "object",
                    "required": ["content"],
                    "properties": {
                        "required": {"type": "boolean"},
                        "content": {"$ref": "#/$defs/content"},
                    },
                    "additionalProperties": False,
                },
                "responses": {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^[1-5][0-9][0-9]$"},
                    "additionalProperties": {
                        "type": "object",
                        "required": ["description"],
                        "properties": {
                            "description": {"type": "string", "minLength": 1},
                            "content": {"$ref": "#/$defs/content"},
                        },
                        "additionalProperties": False,
                    },
                },
                "security": {"type": "array", "items": {"type": "object"}},
            },
            "additionalProperties": False,
        },
        "parameter": {
            "type": "object",
            "required": ["name", "in", "schema"],
            "properties": {
                "name": {"type": "string"},
                "in": {"enum": ["path", "query"]},
                "required": {"type": "boolean"},
                "description": {"type": "string"},
                "schema": {"type": "object"},
            },
            "additionalProperties": False,
            "if": {"properties": {"in": {"const": "path"}}},
            "then": {"properties": {"required": {"const": True}}, "required": ["required"]},
        },
        "content": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[a-z]+/[a-z+-]+$"},
            "additionalProperties": {
                "type": "object",
                "required": ["schema"],
                "properties": {"schema": {"type": "object"}},
                "additionalProperties": False,
            },
        },
    },
}


async def test_the_document_is_openapi(server: Server) -> None:
    document = (await server.call("GET", "/openapi.json")).json()
    Draft202012Validator(SHAPE).validate(document)
    operation_ids = [operation["operationId"] for _, _, operation in server.contract.operations()]
    assert len(operation_ids) == len(set(operation_ids))


async def test_every_schema_is_json_schema_and_every_reference_leads_somewhere(
    server: Server,
) -> None:
    document = server.contract.document
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    references = re.findall(r"'\$ref': '([^']+)'", repr(document))
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    assert "decimal" not in repr(schemas)


async def test_it_has_the_protocols_calls_and_who_may_make_them(server: Server) -> None:
    described = {(method, path) for path, method, _ in server.contract.operations()}
    assert described >= PROTOCOLS_CALLS
    assert len(described) == len(ENDPOINTS)
    for path, _, operation in server.contract.operations():
        named = set(re.findall(r"\{(\w+)\}", path))
        assert named == {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        if "session_pid" in path:
            assert operation["security"] == [{"bearer": []}]
        if "/pos/" in path:
            assert operation["security"] == [{"webhook": []}]


def test_an_operations_problems_are_described_with_their_status() -> None:
    for endpoint in ENDPOINTS:
        for code in endpoint.codes:
            assert 400 <= STATUSES[code] < 600
        if endpoint.access != "anyone":
            assert "unauthorized" in endpoint.codes
        if endpoint.access in ("member", "staff"):
            assert "forbidden" in endpoint.codes
        if endpoint.limited:
            assert "rate_limited" in endpoint.codes
        if endpoint.body is not None:
            wanted = {"bad_message", "payload_too_large"}
            if endpoint.access != "pos":  # there the signature decides, whatever the media type
                wanted.add("unsupported_media_type")
            assert wanted <= set(endpoint.codes)
