"""What people write, as the house keeps it: data for people, never commands for a terminal."""

_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def plain(text: str) -> str:
    """The text without control characters; tabs and line ends stay.

    No database takes a NUL as text, and an escape sequence must not reach anybody's terminal.
    """
    return text if text.isprintable() else text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """What somebody has typed, as one line of plain text."""
    return " ".join(plain(text).split())
