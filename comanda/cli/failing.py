"""Failures that the caller can mend, as one sentence on standard error and exit code 2."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

USAGE_ERROR = 2


def give_up(sentence: str) -> NoReturn:
    """Say what is wrong and end with exit code 2."""
    typer.secho(f"comanda: {sentence}", err=True, fg="red")
    raise typer.Exit(USAGE_ERROR)


@contextmanager
def failures_in_words(address: str = "") -> Iterator[None]:
    """Turn the failures that the caller can mend into `give_up`; bugs pass as they are.

    `address` is what the command was to listen on or to reach.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error = _only(group)
        if error is None:
            raise
        _tell(error, address)
        raise
    except Exception as error:
        _tell(error, address)
        raise


def _only(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """The one exception inside nested groups; None where there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        if len(error.exceptions) != 1:
            return None
        error = error.exceptions[0]
    return error


def _tell(error: BaseException, address: str) -> None:
    if isinstance(error, _mendable()):
        give_up(str(error))
    if isinstance(error, OSError) and address:
        if error.errno == errno.EADDRINUSE:
            give_up(f"{address} is in use; choose another with --port, or 0 for a free one")
        if error.errno in (errno.EACCES, errno.EPERM):
            give_up(f"{address} may not be listened on: permission denied; choose a port over 1023")
        if error.errno is not None or error.args:
            give_up(f"{address}: {error.strerror or os.strerror(error.errno or 0)}")


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Who reads our output may stop, as `head` does: the command then ends with code 1, without a word."""
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:  # It was closed before we began.
                sys.stdout.flush()
    except (BrokenPipeError, SystemExit, BaseExceptionGroup) as error:
        # Rich's console makes a SystemExit of it.
        if not isinstance(first_of(error), BrokenPipeError | SystemExit):
            raise
        # What is still in the buffer has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def _mendable() -> tuple[type[Exception], ...]:
    """Imported when something has failed: `join` and `demo` start without the server's modules."""
    from comanda.actors.ports import StorageUnavailable
    from comanda.config import SettingsUnusable
    from comanda.http.keys import KeyFileUnusable
    from comanda.menu_file import MenuFileError
    from comanda.pos.simulator.ledger import LedgerUnusable
    from comanda.storage.opening import DatabaseUnusable

    return (
        SettingsUnusable,
        MenuFileError,
        KeyFileUnusable,
        DatabaseUnusable,
        StorageUnavailable,
        LedgerUnusable,
    )


def first_of(error: BaseException) -> BaseException:
    """The first exception inside nested groups; an exception that is no group is itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
