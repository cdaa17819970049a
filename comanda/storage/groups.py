"""A group of works in one transaction, and what each of its owners may be told.

Everything here is synchronous on a `Connection`: `run_sync` runs it for the async engine, the inline
store calls it as it is.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from outcome import Error, Maybe, Value
from sqlalchemy import Connection
from sqlalchemy import exc as sql

from comanda.actors.ports import CommitUnknown, NoSuchSession, StorageUnavailable, Unit

from .sessions import seq_of
from .units import reserve_numbers, write_units


class Commit(Struct, frozen=True):
    """A unit to be made durable."""

    unit: Unit


class Reserve(Struct, frozen=True):
    """A restaurant's next order number is wanted."""

    restaurant_id: int


class Call(Struct, frozen=True):
    """Anything else: `function` on the connection, its value the answer.

    It may raise `NoSuchSession` before it has written anything; any other error rolls it back.
    """

    function: Callable[[Connection], object]


Work = Commit | Reserve | Call

_NOT_WRITTEN = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR_WRITE})
"""Errors of COMMIT that prove it failed: the frame that makes the others count was not written."""


def probe(connection: Connection) -> None:
    """The smallest real write: a row of ours, as it is."""
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")


def settle(connection: Connection, works: Sequence[Work]) -> list[Maybe[Any]]:
    """Make `works` durable in one transaction, and say what became of each.

    A group that fails for one of its works is halved until that one fails alone, so no neighbour pays
    for it. Where storage itself has failed nothing is tried again: its caller decides.
    """
    try:
        outcomes = _attempt(connection, works)
    except Exception as error:
        if is_outage(error):
            return _refused(works, error)
        if len(works) == 1:
            return [Error(error)]
        half = len(works) // 2
        return settle(connection, works[:half]) + settle(connection, works[half:])
    try:
        connection.commit()
    except sql.IntegrityError as error:
        _roll_back(connection)
        if len(works) == 1:
            return [Error(error)]
        half = len(works) // 2
        return settle(connection, works[:half]) + settle(connection, works[half:])
    except Exception as error:
        return _after_failed_commit(connection, works, outcomes, error)
    return outcomes


def read(connection: Connection, work: Call) -> Maybe[Any]:
    """One reading, in a transaction of its own so that its statements see one state."""
    try:
        connection.begin()
        value = work.function(connection)
        connection.rollback()
    except Exception as error:
        _roll_back(connection)
        return _refused([work], error)[0] if is_outage(error) else Error(error)
    return Value(value)


def is_outage(error: Exception) -> bool:
    """Whether storage itself has failed (full, locked, gone), not what it was asked."""
    if isinstance(error, sql.DBAPIError):
        return (
            isinstance(error, sql.OperationalError | sql.InterfaceError | sql.InternalError)
            or error.connection_invalidated
            or type(error) is sql.DatabaseError  # SQLite: the file is damaged
        )
    return isinstance(error, OSError | sql.TimeoutError | sql.ResourceClosedError)


def _attempt(connection: Connection, works: Sequence[Work]) -> list[Maybe[Any]]:
    """Everything but the COMMIT; rolled back where it raises."""
    outcomes: list[Maybe[Any]] = [Value(None) for _ in works]  # each can be unwrapped once
    try:
        connection.begin()
        units = [(at, work.unit) for at, work in enumerate(works) if isinstance(work, Commit)]
        stale = write_units(connection, [unit for _, unit in units])
        for (at, _), error in zip(units, stale, strict=True):
            if error is not None:
                outcomes[at] = Error(error)
        wanted = [(at, work) for at, work in enumerate(works) if isinstance(work, Reserve)]
        numbers = reserve_numbers(connection, [work.restaurant_id for _, work in wanted])
        for (at, work), number in zip(wanted, numbers, strict=True):
            outcomes[at] = (
                Error(LookupError(f"there is no restaurant {work.restaurant_id}"))
                if number is None
                else Value(number)
            )
        for at, other in enumerate(works):
            if isinstance(other, Call):
                outcomes[at] = _called(connection, other)
    except BaseException:
        _roll_back(connection)
        raise
    return outcomes


def _called(connection: Connection, call: Call) -> Maybe[Any]:
    try:
        return Value(call.function(connection))
    except NoSuchSession as error:
        return Error(error)


def _roll_back(connection: Connection) -> bool:
    """Roll back; where even that fails, part with the connection, which comes to the same."""
    try:
        connection.rollback()
        if not connection.invalidated:
            # After a failed COMMIT SQLAlchemy takes the transaction for ended; the engine may not.
            connection.connection.rollback()
    except Exception:
        connection.invalidate()
        return False
    return True


def _refused(works: Sequence[Work], error: Exception) -> list[Maybe[Any]]:
    outcomes: list[Maybe[Any]] = []
    for _ in works:
        refusal = StorageUnavailable(_sentence(error))
        refusal.__cause__ = error
        outcomes.append(Error(refusal))
    return outcomes


def _sentence(error: Exception) -> str:
    original = error.orig if isinstance(error, sql.DBAPIError) else error
    return f"storage has done nothing: {original}"


def _after_failed_commit(
    connection: Connection,
    works: Sequence[Work],
    outcomes: list[Maybe[Any]],
    error: Exception,
) -> list[Maybe[Any]]:
    """Find out what the COMMIT did. What cannot be proved is `CommitUnknown`, never guessed."""
    rolled_back = _roll_back(connection)
    if isinstance(error, sql.DBAPIError) and rolled_back:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code in _NOT_WRITTEN:
            return _refused(works, error)
    connection.invalidate()
    try:
        # The write matters: only it makes sure that a commit found missing cannot come back from
        # the log's unsynced end after a crash.
        connection.begin()
        probe(connection)
        written = _was_written(connection, works)
        connection.commit()
    except Exception:
        _roll_back(connection)
        written = None
    if written:
        return outcomes
    if written is False:
        return _refused(works, error)
    return [_unknown(work, error) for work in works]


def _was_written(connection: Connection, works: Sequence[Work]) -> bool | None:
    """Whether the transaction of `works` is in storage; None: its sessions do not tell.

    A session under its unit's epoch is moved by nobody else. One that did not move `seq` proves
    nothing, but the works stand or fall together.
    """
    for work in reversed(works):
        if not isinstance(work, Commit) or work.unit.before.seq == work.unit.after.seq:
            continue
        there = seq_of(connection, work.unit.after)
        if there == (work.unit.epoch, work.unit.after.seq):
            return True
        if there is not None and there[0] == work.unit.epoch and there[1] < work.unit.after.seq:
            return False
    return None


def _unknown(work: Work, error: Exception) -> Maybe[Any]:
    if not isinstance(work, Commit):
        # A claimed epoch, a reserved number: done twice they do no harm.
        return _refused([work], error)[0]
    unknown = CommitUnknown(f"the commit's outcome is not known: {error}")
    unknown.__cause__ = error
    return Error(unknown)
