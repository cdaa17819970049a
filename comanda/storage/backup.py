"""A backup of a database that may be served meanwhile: one moment of it, whole, in one file."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from .limits import StoreLimits
from .opening import DatabaseUnusable, sentence
from .rows import moment


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds. `last_order` is its newest order's id, and when that was placed."""

    orders: int
    last_order: tuple[str, datetime] | None


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written. `bytes_read` counts the source's log too."""

    bytes_read: int
    bytes_written: int
    contents: Contents


def back_up(database: Path, target: Path) -> Backup:
    """Copy the SQLite file at `database` to `target` as it is at this moment.

    Blocks, for as long as the file takes to be read and written; a server's commits go on meanwhile. The
    copy is one file, compact and without what was deleted, for its owner alone (mode 600), has been
    checked by SQLite and is on the disk when this returns. Until then nothing is called `target`, and
    what stands there already is never touched.

    Raises:
        DatabaseUnusable: `database` is not there, none of Comanda's or damaged; `target` is there already
            or cannot be written.
    """
    if not database.is_file():
        raise DatabaseUnusable(f"{database} is not there; name the server's with --database.")
    if target.exists():
        raise DatabaseUnusable(f"{target} is there already; name a file that is not.")
    with copied(database, near=target) as copy:
        contents = contents_of(copy)
        read = sum(_size_of(one) for one in (database, belonging(database, "-wal")))
        backup = Backup(read, copy.stat().st_size, contents)
        take_place(copy, target)
    return backup


def contents_of(database: Path) -> Contents:
    """What a database that nobody serves holds.

    Raises:
        DatabaseUnusable: it cannot be read.
    """
    newest = "SELECT order_id, placed_at FROM order_journal ORDER BY placed_at DESC LIMIT 1"
    with _told_of(database), closing(sqlite3.connect(database, isolation_level=None)) as connection:
        [orders] = connection.execute("SELECT count(*) FROM order_journal").fetchone()
        last = connection.execute(newest).fetchone()
    return Contents(orders, None if last is None else (last[0], moment(last[1])))


@contextmanager
def copied(database: Path, *, near: Path) -> Iterator[Path]:
    """A sound copy of `database` under a passing name in the folder of `near`; gone after the block.

    Raises:
        DatabaseUnusable: see `back_up`.
    """
    folder = near.absolute().parent
    if not folder.is_dir():
        raise DatabaseUnusable(f"The folder {folder} is not there; make it first.")
    try:
        file, name = tempfile.mkstemp(".part", f"{near.name}.", folder)  # mode 600
    except OSError as error:
        raise DatabaseUnusable(f"{folder} cannot be written: {error.strerror}") from error
    os.close(file)
    copy = Path(name)
    try:
        with _told_of(database):
            _copy(database, copy)
        with _told_of(copy):
            _check(copy)
        yield copy
    finally:
        for left in (copy, belonging(copy, "-wal"), belonging(copy, "-shm")):
            left.unlink(missing_ok=True)


def take_place(file: Path, target: Path) -> None:
    """Give a file its name in the same folder; a loss of power leaves it whole there, or not there.

    Raises:
        DatabaseUnusable: the disk refused.
    """
    try:
        _sync(file, os.O_RDWR)
        file.rename(target)
        _sync(target.absolute().parent, os.O_RDONLY)
    except OSError as error:
        raise DatabaseUnusable(f"{target} cannot be written: {error.strerror}") from error


def belonging(database: Path, ending: str) -> Path:
    """SQLite's own file beside a database: ``-wal``, its log, or ``-shm``."""
    return database.with_name(database.name + ending)


def _copy(database: Path, copy: Path) -> None:
    source = f"file:{quote(str(database.absolute()))}?mode=ro"
    with closing(sqlite3.connect(source, uri=True, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA busy_timeout = {round(StoreLimits().busy_seconds * 1000)}")
        if not _has_our_schema(connection):
            raise DatabaseUnusable(f"{database} is no database of Comanda's.")
        # It reads one moment, as any reader of the log does, and does not flush: `take_place` must.
        connection.execute("VACUUM INTO ?", (str(copy),))


def _check(copy: Path) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
        strays = connection.execute("PRAGMA foreign_key_check").fetchmany(3)
    if found != ["ok"] or strays:
        told = "; ".join(found) if found != ["ok"] else f"rows without what they name: {strays}"
        raise DatabaseUnusable(f"The copy is not sound, and so the database is damaged: {told}")


def _has_our_schema(connection: sqlite3.Connection) -> bool:
    wanted = "('alembic_version', 'order_journal', 'dining_sessions')"
    there = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN {wanted}"
    return bool(connection.execute(there).fetchone() == (3,))


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnusable(sentence(error, str(path))) from error


def _size_of(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        os.fsync(file)
    finally:
        os.close(file)
