"""One process owns a database file: a second one is refused at the door, in words.

Two servers on one file would corrupt nothing, since every commit is fenced, but they would take each
table away from one another with every activation.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .opening import DatabaseUnusable


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the lock file beside the database at `path` for the block.

    The kernel lets go of it when the process ends, however it ends; the file itself stays.

    Raises:
        DatabaseUnusable: another process owns the database, or the lock file cannot be made.
    """
    lock = path.with_name(path.name + ".lock")
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseUnusable(
            f"{lock} cannot be made: {error.strerror}. Give a database in a folder that can be written."
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatabaseUnusable(
                f"{path} is served by another process. Stop that one, or give another --database."
            ) from error
        yield
    finally:
        os.close(file)
