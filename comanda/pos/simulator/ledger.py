"""The ledger in its file: JSON lines, appended and fsynced before anything is answered."""

import fcntl
import os
from pathlib import Path

import msgspec

from .entries import Books, Callback, Effect, Line, Note

MAX_LEDGER_BYTES = 1 << 30
"""A larger file is refused at the start, which reads it whole: some three million orders."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class LedgerUnusable(Exception):
    """The ledger cannot be read or written; the text is one sentence for the operator."""


def read_ledger(path: Path) -> tuple[list[Line], int]:
    """All whole lines of the file at `path`, and how many bytes they take.

    A last line without its end was cut off by a kill while it was written: it was never answered, and
    is left out. Raises `LedgerUnusable` when the file cannot be read, or holds anything else.
    """
    try:
        if path.stat().st_size > MAX_LEDGER_BYTES:
            raise LedgerUnusable(f"the ledger {path} is larger than {MAX_LEDGER_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise LedgerUnusable(f"the ledger {path} cannot be read: {error.strerror}") from error
    whole = data[: data.rfind(b"\n") + 1]
    lines: list[Line] = []
    for number, text in enumerate(whole.splitlines(), 1):
        try:
            lines.append(_decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LedgerUnusable(
                f"line {number} of {path} is no line of a simulator's ledger"
            ) from error
    return lines, len(whole)


class Ledger:
    """An open ledger: what each key came to, and the file behind it, which one process owns.

    Its writes are synchronous, on the event loop: nothing can come between an effect and its record,
    and what a simulator is asked for is no throughput.
    """

    def __init__(self, path: Path) -> None:
        """Open or make the file, cut a torn last line. Raises `LedgerUnusable`."""
        self.path = path
        self._books = Books()
        self._broken = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerUnusable(f"the ledger {path} cannot be opened: {error.strerror}") from error
        try:
            self._take_over()
        except BaseException:
            os.close(self._file)
            raise

    def _take_over(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerUnusable(
                f"the ledger {self.path} is in use by another simulator"
            ) from error
        lines, whole_bytes = read_ledger(self.path)
        try:
            if os.fstat(self._file).st_size > whole_bytes:
                os.ftruncate(self._file, whole_bytes)
            os.fsync(self._file)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise LedgerUnusable(
                f"the ledger {self.path} cannot be written: {error.strerror}"
            ) from error
        self._books = Books(lines)

    def close(self) -> None:
        """Close the file, which lets another process own it. What was recorded is on disk already."""
        os.close(self._file)

    def find(self, key: str) -> Effect | None:
        """The newest effect of a key, which is what it came to; None where there is none."""
        return self._books.outcomes.get(key)

    def due(self) -> list[Effect]:
        """The newest effects of those keys that will come to something else at their time."""
        return [effect for effect in self._books.outcomes.values() if effect.due_at is not None]

    def owed(self) -> list[Effect]:
        """The effects whose callbacks are not delivered; `callbacks` is how many are left."""
        return list(self._books.owed.values())

    def record(self, effect: Effect) -> None:
        """Write an effect; on disk when this returns. Raises `LedgerUnusable`, and then for ever.

        A first effect for a key that has one, or a settling one for a key that has none, is a bug.
        """
        if effect.settles != (effect.key in self._books.outcomes):
            raise AssertionError(f"{effect.key} would have two effects, or settle none")
        self._append(effect, sync=True)
        self._books.add(effect)

    def note(self, line: Note | Callback) -> None:
        """Write what is no effect. A kill keeps it, a power cut may not: a callback is then repeated."""
        self._append(line, sync=False)
        self._books.add(line)

    def _append(self, line: Line, *, sync: bool) -> None:
        if self._broken:
            raise LedgerUnusable(f"the ledger {self.path} can no longer be written")
        data = _encode(line) + b"\n"
        try:
            while data:
                data = data[os.write(self._file, data) :]
            if sync:
                os.fsync(self._file)
        except OSError as error:
            # After a failed fsync nobody knows what is on disk; a new start reads what is.
            self._broken = True
            raise LedgerUnusable(
                f"the ledger {self.path} cannot be written: {error.strerror}"
            ) from error


def _sync_folder(folder: Path) -> None:
    """A new file's name is durable when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
