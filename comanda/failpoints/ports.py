"""The ports that `app.serve` wires, with failpoints around them: the store, the POS, the engine."""

import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, cast

import trio
from sqlalchemy import URL, Engine

from comanda.actors.domain.changes import AttemptEnded, AttemptStarted
from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.ports import CommitUnknown, Pos, StorageUnavailable, Store, Unit
from comanda.storage.engines import sync_engine
from comanda.storage.limits import StoreLimits

from .places import Place
from .text import PLACES, Failpoint


class Failpoints:
    """The failpoints of one server. Each port is wrapped once, and the places count through them all."""

    def __init__(self, failpoints: Sequence[Failpoint]) -> None:
        self._places = {
            name: Place([one for one in failpoints if one.place == name], _ERRORS[name])
            for name in PLACES
        }

    def around_store(self, store: Store) -> Store:
        """The store, with `t1`, `t2` and `t3` around its commits."""
        return cast(Store, _FailingStore(store, self._places))

    def around_pos(self, pos: Pos) -> Pos:
        """The POS, with `call` around each submit."""
        return cast(Pos, _FailingPos(pos, self._places))

    def make_engine(self, url: URL, limits: StoreLimits) -> Engine:
        """The engine, with `commit` around each COMMIT.

        While an outage of `commit` lasts the whole database is gone: no statement is done, reading or not.
        """
        engine = sync_engine(url, limits)
        _put_around_commits(engine, self._places["commit.before"], self._places["commit.after"])
        return engine


def steps_of(unit: Unit) -> list[str]:
    """Which of T1, T2 and T3 the commit of `unit` is; none for an edit, several for a crowded batch."""
    orders = unit.changes.orders.values()
    attempts = unit.changes.attempts
    brings_outcome = any(isinstance(one, AttemptEnded) for one in attempts)
    steps = {
        "t1": any(order.state == "prepared" for order in orders),
        "t2": any(isinstance(one, AttemptStarted) for one in attempts),
        "t3": brings_outcome or any(order.settled_at is not None for order in orders),
    }
    return [step for step, taken in steps.items() if taken]


class _Around:
    """Something with a few of its methods replaced; all others are its own."""

    def __init__(self, inner: object, places: dict[str, Place]) -> None:
        self._inner = inner
        self._places = places

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _FailingStore(_Around):
    async def commit(self, unit: Unit) -> None:
        steps = steps_of(unit)
        for step in steps:
            await self._places[f"{step}.before"].reach(trio.sleep)
        await cast(Store, self._inner).commit(unit)
        for step in steps:
            await self._places[f"{step}.after"].reach(trio.sleep)


class _FailingPos(_Around):
    async def submit(self, order: Order) -> PosOutcome:
        await self._places["call.before"].reach(trio.sleep)
        outcome = await cast(Pos, self._inner).submit(order)
        await self._places["call.after"].reach(trio.sleep)
        return outcome


def _put_around_commits(engine: Engine, before: Place, after: Place) -> None:
    """Replace what the dialect does, below all that SQLAlchemy makes of an error of the driver."""
    dialect: Any = engine.dialect
    do_commit = dialect.do_commit

    def failing_commit(connection: object) -> None:
        _run(before.reach(_sleep_in_thread))
        do_commit(connection)
        _run(after.reach(_sleep_in_thread))

    def unless_out(do: Callable[..., None]) -> Callable[..., None]:
        def failing(*given: object) -> None:
            if before.is_out() or after.is_out():
                raise _gone()
            do(*given)

        return failing

    dialect.do_commit = unless_out(failing_commit)
    dialect.do_execute = unless_out(dialect.do_execute)
    dialect.do_executemany = unless_out(dialect.do_executemany)


def _run(reaching: Coroutine[None, None, None]) -> None:
    """In a connection's thread, where there is no loop: what sleeps there blocks and never yields."""
    with suppress(StopIteration):
        reaching.send(None)


async def _sleep_in_thread(seconds: float) -> None:
    """As a slow disk does: the connection is busy, the lanes' loop is not."""
    time.sleep(seconds)  # noqa: ASYNC251  # this thread is the connection's own


def _sqlite_error(code: int, message: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def _gone() -> Exception:
    return _sqlite_error(sqlite3.SQLITE_IOERR, "disk I/O error")


def _full() -> Exception:
    return _sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full")


def _not_asked() -> Exception:
    return StorageUnavailable("a failpoint: the commit was not asked for")


def _not_heard() -> Exception:
    return CommitUnknown("a failpoint: the commit's answer was not heard")


def _call_failed() -> Exception:
    return ConnectionError("a failpoint: the call failed")


_ERRORS: dict[str, Callable[[], Exception]] = {
    **dict.fromkeys(("t1.before", "t2.before", "t3.before"), _not_asked),
    **dict.fromkeys(("t1.after", "t2.after", "t3.after"), _not_heard),
    **dict.fromkeys(("call.before", "call.after"), _call_failed),
    "commit.before": _full,
    "commit.after": _gone,
}
"""What an error is at each place: what that place's own caller must be able to live with."""
