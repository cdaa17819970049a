"""The codes that tables' QR codes carry: made at random, written into a menu file, and looked at."""

import os
import re
import secrets
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from comanda.menu_file import MenuFileError, WrittenTable, read_tables

CODE_BYTES = 9
"""Of randomness, twelve characters of base64: nobody finds one table of a thousand in a lifetime of joins,
and the QR code stays coarse enough for a dim room."""

LEAST_CHARACTERS = 8
"""A shorter code can be guessed, even one made at random."""

NEW_LINE = "\n"

_LABEL = re.compile(r"""\blabel\s*=\s*["']""")


def new_code() -> str:
    """A table's code that nobody guesses."""
    return secrets.token_urlsafe(CODE_BYTES)


def guessable(codes: Iterable[str]) -> list[str]:
    """Those that are short, or told from one another by their numbers alone: who has seen one knows all."""
    codes = list(codes)
    shapes = Counter(map(_shape, codes))
    return [one for one in codes if len(one) < LEAST_CHARACTERS or shapes[_shape(one)] > 1]


def _shape(code: str) -> str:
    return re.sub(r"\d+", "#", code)


def give_codes(path: Path, wanted: Callable[[WrittenTable], bool]) -> int:
    """Give tables of a menu file new codes; how many. The file is replaced in one step, if at all.

    Everything else in it stays as it is, comments and all.

    Args:
        wanted: whether a table gets one.

    Raises:
        MenuFileError: the file cannot be used, or cannot be changed so.
    """
    text, tables = read_tables(path)
    codes = {place: new_code() for place, table in enumerate(tables) if wanted(table)}
    if not codes:
        return 0
    changed = _rewritten(text, tables, codes)
    if not _says(changed, _with_codes(text, codes)):
        raise MenuFileError(f"{path}: is written so that a program cannot put codes into it")
    _replace(path, changed)
    return len(codes)


def _rewritten(text: str, tables: Sequence[WrittenTable], codes: dict[int, str]) -> str:
    """The text with these codes, by the tables' places in it, as far as they are found there."""
    labels = [match.start() for match in _LABEL.finditer(text)]
    for place in sorted(codes, reverse=True):  # from the end, so that the places before stay
        old = tables[place].code
        if old is not None:
            written = re.compile(rf"""(\bcode\s*=\s*)(["']){re.escape(old)}\2""")
            text = written.sub(rf"\g<1>\g<2>{codes[place]}\g<2>", text)
        elif place < len(labels):
            at = labels[place]
            inline = text[:at].rstrip()[-1:] in ("{", ",")
            text = f'{text[:at]}code = "{codes[place]}"{", " if inline else NEW_LINE}{text[at:]}'
    return text


def _with_codes(text: str, codes: dict[int, str]) -> Any:
    """All that the file is to say."""
    whole = tomllib.loads(text)
    tables = [table for one in whole["restaurants"] for table in one.get("tables", ())]
    for place, code in codes.items():
        tables[place]["code"] = code
    return whole


def _says(text: str, wanted: Any) -> bool:
    """Whether the text says this, and nothing else."""
    try:
        found: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return bool(found == wanted)


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    try:
        new.write_text(text, "utf-8")
        new.chmod(path.stat().st_mode)
        with new.open("rb") as written:
            os.fsync(written.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise MenuFileError(f"{path}: cannot be written: {error.strerror or error}") from error
