"""The server's OpenAPI document as a judge of its answers."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

UNROUTED = {404, 405}
"""What the router answers without an operation."""


class Contract:
    """Finds the operation of a request and holds the answer against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            for path in document["paths"]
        ]
        self._validators: dict[str, Validator] = {}

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Each operation with its path and its method."""
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                yield path, method, operation

    def check(self, method: str, response: httpx.Response) -> None:
        """Raise AssertionError where the answer is none of those that the document describes."""
        method = "get" if method == "HEAD" else method.lower()
        operation = self._operation(method, response.request.url.path)
        if operation is None:
            assert response.status_code in UNROUTED
            self._check_body("#/components/schemas/Problem", response)
            return
        known = operation["responses"]
        assert str(response.status_code) in known, (
            f"{operation['operationId']} answers {response.status_code}, "
            f"the document knows {sorted(known)}"
        )
        content = known[str(response.status_code)].get("content")
        if content is None:
            assert response.content == b""
            assert "content-type" not in response.headers
            return
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{media_type} instead of {sorted(content)}"
        schema = content[media_type]["schema"]
        if "$ref" in schema and response.request.method != "HEAD":
            self._check_body(schema["$ref"], response)

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, template in self._paths:
            if pattern.fullmatch(path):
                found: dict[str, Any] | None = self.document["paths"][template].get(method)
                return found
        return None

    def _check_body(self, reference: str, response: httpx.Response) -> None:
        if reference.endswith("/Problem"):
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["status"] == response.status_code
        self.validator(reference).validate(response.json())

    def validator(self, reference: str) -> Validator:
        """The validator of a component of the document."""
        if reference not in self._validators:
            self._validators[reference] = Draft202012Validator(
                {"$ref": reference, "components": self.document["components"]},
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        return self._validators[reference]
