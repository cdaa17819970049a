"""The OpenAPI document, made from the table of endpoints and the msgspec types."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from comanda import __version__

from .endpoints import Endpoint
from .problems import PROBLEM_TYPE, STATUSES, Problem

_PARAMETER = re.compile(r"<(?:(int):)?(\w+)>")
_REFS = "#/components/schemas/{name}"


def openapi_path(path: str) -> str:
    """A route's path in OpenAPI's notation."""
    return _PARAMETER.sub(r"{\2}", path)


def openapi_document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The contract of these endpoints, OpenAPI 3.1."""
    types = [kind for one in endpoints for kind in (one.body, one.answer) if kind is not None]
    types.append(Problem)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFS)
    # What an endpoint checks itself, no annotation can say.
    if "MenuItemPatch" in components:
        components["MenuItemPatch"]["anyOf"] = [
            {"required": ["available"]},
            {"required": ["price"]},
        ]
    by_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(openapi_path(one.path), {})[one.method.lower()] = _operation(one, by_type)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Comanda",
            "version": __version__,
            "description": "Shared carts and orders of a restaurant's tables. What happens at a table "
            "goes over the websocket `/ws/sessions/{session_pid}`, which /asyncapi.json describes.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "webhook": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "Standard Webhooks, with `webhook-id` and `webhook-timestamp`",
                },
            },
        },
    }
    described: dict[str, Any] = decimals_as_numbers(document)
    return described


def _operation(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": one.summary,
        "operationId": one.run.__name__,
        "parameters": _parameters(one),
        "responses": {str(one.status): _success(one, schemas)},
    }
    for bare, when in one.bare.items():
        operation["responses"][str(bare)] = {"description": when}
    for also, when in one.also.items():
        operation["responses"][str(also)] = {**_success(one, schemas), "description": when}
    for code in one.codes:
        status = str(STATUSES[code])
        known = operation["responses"].setdefault(
            status,
            {"description": "", "content": {PROBLEM_TYPE: {"schema": schemas[repr(Problem)]}}},
        )
        known["description"] = ", ".join(filter(None, (known["description"], f"`{code}`")))
    if one.access != "anyone":
        operation["security"] = [{"webhook" if one.access == "pos" else "bearer": []}]
    if one.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[repr(one.body)]}},
        }
    return operation


def _parameters(one: Endpoint) -> list[dict[str, Any]]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if kind else "string"},
        }
        for kind, name in _PARAMETER.findall(one.path)
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": query.about,
            "schema": query.schema,
        }
        for name, query in one.query.items()
    ]
    return parameters


def _success(one: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    if one.answer is not None:
        content = {"application/json": {"schema": schemas[repr(one.answer)]}}
        return {"description": "Done", "content": content}
    if one.content is not None:
        media_type = one.content.partition(";")[0]
        kind = "object" if media_type == "application/json" else "string"
        content = {media_type: {"schema": {"type": kind}}}
        return {"description": "Done", "content": content}
    return {"description": "Done"}


def decimals_as_numbers(node: Any) -> Any:
    """Amounts are numbers on the wire; msgspec describes a Decimal as a string."""
    if isinstance(node, dict):
        if node.get("type") == "string" and node.get("format") == "decimal":
            return {"type": "number"}
        return {key: decimals_as_numbers(value) for key, value in node.items()}
    if isinstance(node, list):
        return [decimals_as_numbers(value) for value in node]
    return node
