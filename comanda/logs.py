"""Logging: structlog, JSON where nobody watches, readable on a terminal. One event a thing."""

import logging
import sys
from typing import Any, Literal

import structlog

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
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    last: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not console:
        last.append(structlog.processors.format_exc_info)
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[*last, renderer],
            foreign_pre_chain=_SHARED,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # What guests write must not reach a log, and aiosqlite tells each statement with its values.
    for chatty in ("httpx", "httpcore", "alembic", "trio-websocket", "aiosqlite", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


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
