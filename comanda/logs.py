"""Logging: structlog, JSON where nobody watches, readable on a terminal. One event a thing.

What an event is about stands beside it as `session`, `member`, `order` and `request`, which are ids. What
guests write, their names, and tokens go into no event.
"""

import io
import logging
import sys
from typing import Any, Literal, TextIO

import structlog

from comanda.actors.domain.text import plain
from comanda.runtime import (
    ActorEnded,
    ActorFailed,
    ActorOverstayed,
    ActorQuarantined,
    ActorStarted,
    Outage,
    OutageBegan,
    OutageEnded,
    RuntimeEvent,
)


def get_log(name: str) -> Any:
    """A structlog logger over the standard library's: quiet where nobody has configured logging."""
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )


_SHARED: list[Any] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

log = get_log("comanda")


def configure_logs(level: str, form: Literal["auto", "json", "console"]) -> None:
    """Send every log of this process to standard error. Called once, by the command line."""
    level = level.upper()
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if console:
        # A traceback without the values of its variables: names and notes are among them.
        last += [_printable, structlog.dev.ConsoleRenderer(exception_formatter=_traceback)]
    else:
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=last,
            foreign_pre_chain=_SHARED,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What guests write must not reach a log, and libraries tell it (aiosqlite each statement with its
    # values): of them nothing is heard below a warning.
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger("comanda").setLevel(level)


def _traceback(sio: TextIO, exc_info: Any) -> None:
    """A plain traceback, without escapes: what is wrong is often told with what was given."""
    told = io.StringIO()
    structlog.dev.plain_traceback(told, exc_info)
    sio.write(plain(told.getvalue()))


def _printable(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Ids may come from outside: no escape in one reaches the terminal."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception" and not value.isprintable():
            event[name] = ascii(value)
    return event


def log_error(event: str, exc_info: BaseException | None = None, **fields: Any) -> None:
    """What went wrong in one connection; the others go on."""
    log.error(event, exc_info=exc_info, **fields)


def log_runtime(event: RuntimeEvent) -> None:
    """What happened to an actor."""
    session = getattr(getattr(event, "key", None), "pid", None)
    match event:
        case ActorFailed(error=Outage()):
            log.warning("session waits for storage", session=session)
        case ActorFailed():
            log.error(
                "session crashed",
                session=session,
                restart_in_seconds=event.restart_in_seconds,
                exc_info=event.error,
            )
        case ActorQuarantined():
            log.error("session quarantined", session=session, seconds=event.seconds)
        case ActorOverstayed():
            log.error("session did not stop in time", session=session)
        case OutageBegan():
            log.error("storage does not answer; sessions wait for it")
        case OutageEnded():
            log.warning("storage answers again")
        case ActorStarted() | ActorEnded():
            log.debug(type(event).__name__, session=session)
        case _:
            log.warning(type(event).__name__, session=session)
