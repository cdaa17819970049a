r"""What is printed as it came: no escape in it reaches a terminal, and a JSON document stays the same."""

import re

_TURNING = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_OBEYED = re.compile(rf"[\x00-\x09\x0b-\x1f\x7f-\x9f{_TURNING}]")
"""What a terminal obeys: controls but line ends, and what turns the writing round. JSON itself escapes
those below U+0020 alone, and only its strings can hold the others."""


def printable(document: bytes) -> str:
    r"""The JSON document with what a terminal would obey as `\uXXXX`."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match[0]):04x}", document.decode())


def harmless(text: str) -> str:
    """The text with a sign in the place of each character that a terminal would obey; as long as it was."""
    return _OBEYED.sub("\ufffd", text)
