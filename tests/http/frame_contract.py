"""The AsyncAPI document as a judge of frames, in both directions."""

from typing import Any

from jsonschema import Draft7Validator
from jsonschema.protocols import Validator

from comanda.http.asyncapi import asyncapi_document


class FrameContract:
    """Holds a frame against the document's message of its `type`."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._validators: dict[str, Validator] = {}

    def messages(self, operation: str) -> set[str]:
        """The types of an operation's messages."""
        listed = self.document["operations"][operation]["messages"]
        return {one["$ref"].rpartition("/")[2] for one in listed}

    def check_told(self, frame: dict[str, Any]) -> None:
        """Raise where a frame of the server is none that the document describes."""
        replies = self.document["operations"]["ask"]["reply"]["messages"]
        described = self.messages("tell") | {one["$ref"].rpartition("/")[2] for one in replies}
        assert frame["type"] in described, frame["type"]
        self.validator(frame["type"]).validate(frame)

    def validator(self, message: str) -> Validator:
        """The validator of a message's payload."""
        if message not in self._validators:
            payload = self.document["components"]["messages"][message]["payload"]
            self._validators[message] = Draft7Validator(
                {**payload, "components": self.document["components"]}
                if "$ref" not in payload
                else {"allOf": [payload], "components": self.document["components"]},
                format_checker=Draft7Validator.FORMAT_CHECKER,
            )
        return self._validators[message]


FRAMES = FrameContract(asyncapi_document())
"""Of this code. That a server serves the same has a test of its own."""
