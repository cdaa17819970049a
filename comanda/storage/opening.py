"""Opening a database: every way in which that can fail ends in one clear sentence."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, make_url
from sqlalchemy import exc as sql

from .engines import is_in_memory, sync_engine
from .groups import probe
from .limits import StoreLimits
from .rules import install_rules
from .tables import metadata

SQLITE_OLDEST = (3, 35, 0)
"""The first SQLite that knows RETURNING."""


class DatabaseUnusable(Exception):
    """The database cannot be used as it is; `sentence` says why, and what to do, for a person."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def open_database(url: str, limits: StoreLimits | None = None) -> URL:
    """Open a SQLite database, make it if it is not there, and bring its schema up to date.

    Blocks: run it in a thread, or before Trio runs. The parsed URL comes back, for an engine.

    Raises:
        DatabaseUnusable: it is none of ours, of a newer Comanda, read-only, full, locked or damaged.
    """
    parsed = _parse(url)
    path = _path_of(parsed)
    if path is not None:
        _look_at(path)
    engine = sync_engine(parsed, limits or StoreLimits())
    try:
        with engine.connect() as connection:
            make_ready(connection)
    except (sql.SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise DatabaseUnusable(sentence(error, str(path or url))) from error
    finally:
        engine.dispose()
    return parsed


def make_ready(connection: Connection) -> None:
    """Check what the database is, migrate it, and show that it can be written.

    Raises:
        DatabaseUnusable: it is of a newer Comanda, or of another program.
    """
    if connection.dialect.name == "sqlite":
        if sqlite3.sqlite_version_info < SQLITE_OLDEST:
            raise DatabaseUnusable(
                f"This Python has SQLite {sqlite3.sqlite_version}; Comanda needs 3.35 or newer."
            )
        # Outside a transaction, and it stays so in the file. In memory there is no log to write.
        raw = connection.connection.cursor()
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            raw.fetchall()
        finally:
            raw.close()
    with connection.begin():
        _migrate(connection)
        probe(connection)


def migration_config(connection: Connection | None = None) -> Config:
    """Alembic's configuration; the migrations travel in the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    config = migration_config(connection)
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    there = set(MigrationContext.configure(connection).get_current_heads())
    if not there <= known:
        raise DatabaseUnusable(
            f"The database is of a newer Comanda: its schema is {', '.join(sorted(there))}, this "
            f"version knows those up to {scripts.get_current_head()}. Run the newer version."
        )
    if not there:
        strangers = sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})
        if strangers:
            ours = "half of Comanda's" if set(strangers) <= set(metadata.tables) else "another"
            raise DatabaseUnusable(
                f"The database holds {ours} program's tables ({', '.join(strangers[:3])}…) and no "
                "record of Comanda's schema. Name a file of its own."
            )
    if there != set(scripts.get_heads()):
        command.upgrade(config, "head")
        install_rules(connection)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (sql.ArgumentError, ValueError) as error:
        raise DatabaseUnusable(
            f"{url!r} is no database URL; one looks like sqlite:///comanda.db."
        ) from error
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseUnusable(f"Comanda cannot use {parsed.get_backend_name()} yet, only sqlite.")
    return parsed.set(drivername="sqlite")


def _path_of(url: URL) -> Path | None:
    """The database's file; None where it lies in memory."""
    name = url.database
    if name is None or is_in_memory(url):
        return None
    return Path(name.removeprefix("file:") if name.startswith("file:") else name)


def _look_at(path: Path) -> None:
    if path.is_dir():
        raise DatabaseUnusable(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise DatabaseUnusable(f"The folder {path.parent} is not there; make it first.")
    with suppress(OSError):  # it is there, or cannot be made: then SQLite's own error says why
        # Guests' names are nobody else's on this machine. SQLite gives its log the same mode.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def sentence(error: Exception, name: str) -> str:
    """What an error of the database `name` means, for a person."""
    original = error.orig if isinstance(error, sql.DBAPIError) else error
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF
    said = {
        sqlite3.SQLITE_READONLY: f"{name} is read-only; Comanda must be able to write it.",
        sqlite3.SQLITE_CANTOPEN: f"{name} cannot be opened; may this user read and write there?",
        sqlite3.SQLITE_PERM: f"{name} may not be opened by this user.",
        sqlite3.SQLITE_NOTADB: f"{name} is not a database; name another file.",
        sqlite3.SQLITE_CORRUPT: f"{name} is damaged; restore it from a backup.",
        sqlite3.SQLITE_FULL: f"There is no space left for {name}.",
        sqlite3.SQLITE_BUSY: f"{name} is locked by another program; end that one first.",
        sqlite3.SQLITE_IOERR: f"The disk under {name} answers with errors.",
    }.get(code)
    return said or f"{name} cannot be used: {original}"
