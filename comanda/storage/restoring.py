"""Going back to a backup: what happened since is gone here, but not at the POS nor in people's minds."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, text
from sqlalchemy import exc as sql

from .backup import Contents, belonging, contents_of, copied, take_place
from .engines import sync_engine
from .limits import StoreLimits
from .opening import DatabaseUnusable, make_ready, sentence
from .owning import owned
from .rows import micros

NUMBERS_SKIPPED = 10_000
"""Order numbers that each restaurant leaves out. Those that are lost may be at the POS, which would take a
new order under an old number for the old one. No restaurant makes so many between two backups."""

TABLES_CLOSED = "the restaurant went back to an earlier state"
"""Why the tables that were open at the backup are closed, as their guests are told."""

_skip_numbers = text("UPDATE restaurants SET last_order_number = last_order_number + :skipped")
_close_tables = text(
    "UPDATE dining_sessions SET closed_reason = :reason, closed_at = :now, join_pin = NULL,"
    " seq = seq + 1, updated_at = :now"
    " WHERE closed_reason IS NULL"
)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. `kept` is where the database that was there is now; None: there was none."""

    kept: Path | None
    tables_closed: int
    contents: Contents


def restore(backup: Path, database: Path, now: datetime, *, keep_tables: bool) -> Restored:
    """Put what `backup` holds in the place of `database`, for a server that does not run.

    Blocks. The backup is copied, checked and brought up to this version's schema first; what stood in
    `database` is then kept beside it under another name, with its log. Every restaurant's order numbers
    go on 10,000 further. Orders in flight at the backup are taken up by the next start, as after any end.

    Args:
        now: when tables are closed, and what is kept is named by.
        keep_tables: leave open the tables that were open at the backup, their carts as they were then.
            What they have ordered since is in those carts again.

    Raises:
        DatabaseUnusable: a server runs on `database`, or it is a folder, or it was restored in this very
            second; `backup` is not there, is damaged, none of Comanda's, or of a newer version; the disk
            refused.
    """
    if not backup.is_file():
        raise DatabaseUnusable(f"{backup} is not there.")
    if database.is_dir():
        raise DatabaseUnusable(f"{database} is a folder; name a file in it.")
    if database.exists() and backup.samefile(database):
        raise DatabaseUnusable(f"{backup} is the database itself; name a backup of it.")
    with owned(database), copied(backup, near=database) as copy:
        contents = contents_of(copy)
        tables_closed = _begin_anew(copy, now, keep_tables=keep_tables)
        kept = _set_aside(database, now)
        take_place(copy, database)
    return Restored(kept, tables_closed, contents)


def _begin_anew(copy: Path, now: datetime, *, keep_tables: bool) -> int:
    """Make a copy what a house can open on; how many tables were closed."""
    engine = sync_engine(URL.create("sqlite", database=str(copy)), StoreLimits())
    try:
        with engine.connect() as connection:
            make_ready(connection)
            with connection.begin():
                connection.execute(_skip_numbers, {"skipped": NUMBERS_SKIPPED})
                return 0 if keep_tables else _close_open_tables(connection, now)
    except (sql.SQLAlchemyError, sqlite3.Error) as error:
        raise DatabaseUnusable(sentence(error, str(copy))) from error
    finally:
        engine.dispose()


def _close_open_tables(connection: Connection, now: datetime) -> int:
    """As the staff would; an order in flight goes on without its table."""
    given = {"reason": TABLES_CLOSED, "now": micros(now)}
    return int(connection.execute(_close_tables, given).rowcount)


def _set_aside(database: Path, now: datetime) -> Path | None:
    """Keep what stands there under another name. A log that stayed would be taken for the new file's."""
    kept = database.with_name(f"{database.name}.before-{now:%Y%m%dT%H%M%SZ}")
    if kept.exists():  # a rename would write over it
        raise DatabaseUnusable(f"{kept} is there already, from this same second; try again.")
    try:
        belonging(database, "-shm").unlink(missing_ok=True)
        for ending in ("-wal", ""):
            if belonging(database, ending).exists():
                belonging(database, ending).rename(belonging(kept, ending))
    except OSError as error:
        raise DatabaseUnusable(f"{database} cannot be set aside: {error.strerror}") from error
    return kept if kept.exists() else None
