"""What `comanda play` does: finds the files, a server and a table, plays, prints."""

import signal
import sys
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import trio

from comanda.app import Running
from comanda.app import serve as run_server
from comanda.client.player import play
from comanda.client.session_file import SessionFile, SessionFileError, load_session_file
from comanda.client.table_choice import PlayImpossible, hold_table
from comanda.client.timeline import Played
from comanda.config import Settings, SettingsUnusable, make_settings
from comanda.logs import configure_logs

from .failing import failures_in_words, give_up
from .timeline_printer import Form, TimelinePrinter

NOT_MET = 1
EMBEDDED_STOP_SECONDS = 2.0

OWN_SETTINGS: dict[str, str | None] = {
    "pos": "dummy",
    "menu": None,
    "public_url": None,
    "key_file": None,
    "staff_token_file": None,
    "pos_token": None,
    "pos_token_file": None,
    "pos_secret": None,
    "pos_secret_file": None,
}
"""What an embedded server has whatever the environment says, which speaks of a real one: a file that is
missing must not stop a play, and a play's orders must not reach a kitchen."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line gives. `server_url` None: an embedded server for each file."""

    server_url: str | None
    table_code: str | None
    pin: str | None
    staff_token_file: Path | None
    form: Form


def play_files(paths: Sequence[Path], options: Options) -> int:
    """Play all files, one after another; the exit code of the process.

    Nothing is played unless all files can be used. What cannot be done ends in `give_up`.
    """
    configure_logs("warning", "auto")
    try:
        sessions = [load_session_file(path) for path in _files(paths)]
        settings = make_settings(staff_token_file=options.staff_token_file)
        staff_token = next(iter(settings.read_staff_tokens()), None)
    except (SessionFileError, SettingsUnusable) as error:
        give_up(str(error))
    if options.server_url is not None:
        for session in sessions:
            if session.server is not None:
                print(
                    f"comanda: {session.path}: [server] is left aside: "
                    f"{options.server_url} has settings of its own",
                    file=sys.stderr,
                )
    with failures_in_words():
        return trio.run(partial(_play_all, sessions, options, staff_token))


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        if not inside:
            raise SessionFileError(f"{path}: there are no session files (*.toml) in this folder")
        found += inside
    return found


async def _play_all(
    sessions: Sequence[SessionFile], options: Options, staff_token: str | None
) -> int:
    caught: list[int] = []
    trouble = ""
    results: list[Played] = []
    printer = TimelinePrinter(options.form, many=len(sessions) > 1)
    async with trio.open_nursery() as nursery:

        async def until_signal(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for number in signals:
                    caught.append(number)
                    nursery.cancel_scope.cancel()

        await nursery.start(until_signal)
        try:
            for session in sessions:
                played = await _play_one(session, options, staff_token, printer)
                results.append(played)
        except (PlayImpossible, SessionFileError) as error:
            trouble = str(error)
        nursery.cancel_scope.cancel()
    if caught:
        return 128 + caught[0]
    if trouble:
        give_up(trouble)
    printer.end(results)
    return 0 if all(one.passed for one in results) else NOT_MET


async def _play_one(
    session: SessionFile, options: Options, staff_token: str | None, printer: TimelinePrinter
) -> Played:
    code = options.table_code or session.table_code
    if options.server_url is not None:
        return await _play_at(options.server_url, session, code, options.pin, staff_token, printer)
    trouble: PlayImpossible | SessionFileError | None = None
    played: Played | None = None
    async with _embedded(session) as running:
        code = code or running.table_codes[0]
        try:
            played = await _play_at(running.url, session, code, None, None, printer)
        except (PlayImpossible, SessionFileError) as error:
            trouble = error
    if trouble is not None:
        raise trouble
    assert played is not None
    return played


async def _play_at(
    server_url: str,
    session: SessionFile,
    code: str | None,
    pin: str | None,
    staff_token: str | None,
    printer: TimelinePrinter,
) -> Played:
    async with hold_table(server_url, code, len(session.members), pin) as table:
        printer.begin(session, table, server_url)
        played = await play(session, server_url, table, staff_token=staff_token, tell=printer.tell)
    printer.finish(played)
    return played


@asynccontextmanager
async def _embedded(session: SessionFile) -> AsyncGenerator[Running, None]:
    """A server for one file alone; what the environment has in store for others stays out of it."""
    with tempfile.TemporaryDirectory(prefix="comanda-play-") as folder:
        settings = _settings(session, Path(folder))
        shutdown = trio.Event()
        async with trio.open_nursery() as nursery:
            running: Running = await nursery.start(partial(run_server, settings, shutdown=shutdown))
            yield running
            shutdown.set()


def _settings(session: SessionFile, folder: Path) -> Settings:
    wishes = {} if session.server is None else msgspec.structs.asdict(session.server)
    try:
        settings = make_settings(
            host="127.0.0.1",
            port=0,
            database=f"sqlite+aiosqlite:///{folder / 'comanda.db'}",
            stop_deadline=EMBEDDED_STOP_SECONDS,
            **wishes,
        )
    except SettingsUnusable as error:
        raise SessionFileError(f"{session.path}: [server]: {error}") from error
    return settings.model_copy(update=OWN_SETTINGS)
