"""Engines as this house runs them: SQLite's settings, and who begins a transaction how."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, StaticPool, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection

from .limits import StoreLimits

READING = "comanda_reading"
"""Execution option of a connection that only reads: it begins without taking the writer's lock."""

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",  # an acknowledged unit survives the loss of power
    "PRAGMA temp_store = MEMORY",
    "PRAGMA recursive_triggers = ON",  # REPLACE deletes too: its triggers must see that
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA secure_delete = ON",  # what is forgotten is overwritten, not only let go of
)

_STATEMENTS_CACHED = 512
"""Prepared statements a connection keeps: some thirty texts in nine sizes each."""


def is_in_memory(url: URL) -> bool:
    """Whether a SQLite URL names no file."""
    return url.database in (None, "", ":memory:")


def sync_engine(url: str | URL, limits: StoreLimits) -> Engine:
    """The engine of a database. Who opens a connection keeps it, so a file has no pool."""
    url = make_url(url)
    pool = StaticPool if is_in_memory(url) else NullPool
    engine = create_engine(
        url,
        connect_args=_connect_args(url, limits),
        poolclass=pool,
        hide_parameters=True,  # an error's text goes to the log: no names or notes in it
    )
    return _furnished(engine)


def _connect_args(url: URL, limits: StoreLimits) -> dict[str, Any]:
    if url.get_backend_name() != "sqlite":
        return {}
    return {
        "isolation_level": None,  # we say BEGIN ourselves, see `_begin`
        "timeout": limits.busy_seconds,
        "cached_statements": _STATEMENTS_CACHED,
        "check_same_thread": False,
    }


def _furnished(engine: Engine) -> Engine:
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: set_pragmas(connection))
        event.listen(engine, "begin", _begin)
    return engine


def set_pragmas(connection: DBAPIConnection) -> None:
    """Give a new connection to SQLite the settings that this house relies on."""
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(connection: Connection) -> None:
    # The writer's lock at once: a transaction that reads first and writes later can fail in the
    # middle, where no waiting helps.
    reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
