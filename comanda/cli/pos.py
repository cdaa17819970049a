"""`comanda pos`: the simulator of a POS, and its ledger as a table."""

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import trio
import typer
from rich.console import Console
from rich.table import Table

from .documents import printable
from .failing import failures_in_words, give_up
from .phone import clean

if TYPE_CHECKING:
    import socket

    from comanda.pos.simulator.courier import CallbackSettings
    from comanda.pos.simulator.entries import Line, Summary
    from comanda.pos.simulator.server import SimulatorSettings

app = typer.Typer(
    name="pos",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SECRET_VARIABLE = "COMANDA_POS_SECRET"
"""The callbacks' secret. It is no option: whoever lists the processes can read those."""

DOUBLED = 1
"""The exit code of `comanda pos ledger` when a key had more than one effect."""


@app.callback(invoke_without_command=True)
def pos(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8090,
    ledger: Annotated[
        Path, typer.Option(help="File that keeps every effect; made when it is missing.")
    ] = Path("pos-ledger.jsonl"),
    delay: Annotated[float, typer.Option(min=0, max=3600, help="Seconds an order takes.")] = 0.5,
    accept_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of orders that are accepted.")
    ] = 1.0,
    seed: Annotated[
        int, typer.Option(help="The same seed: the same outcomes and faults for the same orders.")
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RATE",
            help="A fault and its rate, as lost=0.1 or delay=14=0.05; may be given several times.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with a token which every call must bear (Authorization: Bearer)."),
    ] = None,
    callback_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where signed callbacks go; without it there are none."),
    ] = None,
    pos_secret_file: Annotated[
        Path | None,
        typer.Option(
            help=f"File with the secret that signs callbacks (whsec_…); else {SECRET_VARIABLE} has it."
        ),
    ] = None,
) -> None:
    """Play a POS over HTTP, faults included, until SIGTERM or Ctrl-C.

    What reached the kitchen stands in a ledger: [bold]comanda pos ledger pos-ledger.jsonl[/bold].
    Single calls are made to fail by the header X-Pos-Fault or by POST /control.
    """
    if context.invoked_subcommand is not None:
        return
    from comanda.http.worker import bind
    from comanda.logs import configure_logs
    from comanda.pos.simulator.faults import FaultUnknown, parse_rates
    from comanda.pos.simulator.outcomes import Habits
    from comanda.pos.simulator.server import SimulatorSettings

    try:
        rates = parse_rates(dict(_name_and_rate(text) for text in fault or ()))
    except FaultUnknown as error:
        give_up(str(error))
    settings = SimulatorSettings(
        ledger=ledger,
        habits=Habits(delay, accept_rate, seed),
        rates=rates,
        token=None if token_file is None else _text_in(token_file, "token"),
        callbacks=_callbacks(callback_url, pos_secret_file),
    )
    configure_logs("warning", "auto")
    with failures_in_words(f"{host}:{port}"):
        trio.run(_run, settings, bind(host, port), host)


def _name_and_rate(text: str) -> tuple[str, float]:
    name, _, rate = text.rpartition("=")
    try:
        return name, float(rate)
    except ValueError:
        give_up(f"--fault {text}: it is written NAME=RATE, as lost=0.1")


def _text_in(path: Path, whose: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        give_up(f"the {whose} file {path} cannot be read: {reason}")
    if not text:
        give_up(f"the {whose} file {path} is empty")
    return text


def _callbacks(url: str | None, secret_file: Path | None) -> "CallbackSettings | None":
    if url is None:
        if secret_file is not None:
            give_up("--pos-secret-file signs callbacks: give --callback-url too")
        return None
    import httpx

    from comanda.pos.simulator.courier import CallbackSettings
    from comanda.webhooks import SecretUnfit, webhook_with

    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        give_up(f"--callback-url {url}: it is no http:// or https:// address")
    if secret_file is not None:
        source, secret = f"{secret_file}", _text_in(secret_file, "secret")
    else:
        source, secret = SECRET_VARIABLE, os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        give_up(
            f"callbacks are signed: give their secret in {SECRET_VARIABLE} or --pos-secret-file"
        )
    try:
        return CallbackSettings(url, webhook_with(secret))
    except SecretUnfit as error:
        give_up(f"the secret of {source} does not fit: {error}")


async def _run(settings: "SimulatorSettings", sockets: "list[socket.socket]", host: str) -> None:
    from comanda.http.addresses import in_url
    from comanda.pos.simulator.server import run_simulator

    shutdown = trio.Event()
    port = sockets[0].getsockname()[1]
    async with trio.open_nursery() as nursery:

        async def until_signal(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                task_status.started()
                async for _ in signals:
                    if shutdown.is_set():
                        nursery.cancel_scope.cancel()  # asked twice: at once
                    shutdown.set()

        async def serving(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            await run_simulator(settings, sockets, shutdown=shutdown, task_status=task_status)
            nursery.cancel_scope.cancel()

        await nursery.start(until_signal)
        await nursery.start(serving)
        print(f"The POS takes calls at http://{in_url(host)}:{port}", flush=True)


@app.command("ledger")
def show_ledger(
    file: Annotated[Path, typer.Argument(help="A simulator's ledger.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: the lines and the summary.")
    ] = False,
) -> None:
    """Print a ledger and what it comes to. Exit code 1 when a key had more than one effect."""
    import msgspec

    from comanda.pos.simulator.entries import summarize
    from comanda.pos.simulator.ledger import read_ledger

    with failures_in_words():
        lines, _ = read_ledger(file)
    summary = summarize(lines)
    if as_json:
        print(printable(msgspec.json.encode({"lines": lines, "summary": summary})), flush=True)
    else:
        _print_lines(lines)
        print(_in_words(summary), flush=True)
    if summary.doubled:
        raise typer.Exit(DOUBLED)


COLUMNS = ("time", "key", "what", "effect", "payload", "reference or reason")


def _print_lines(lines: "list[Line]") -> None:
    rows = [_row(line) for line in lines]
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    table = Table(*COLUMNS)
    styles: dict[str, Literal["bold", "dim"]] = {"yes": "bold", "no": "dim"}
    for row in rows:
        table.add_row(*row, style=styles.get(row[3], ""))
    Console(markup=False).print(table)


def _row(line: "Line") -> tuple[str, ...]:
    from comanda.pos.simulator.entries import Callback, Effect

    more, effect, payload = "", "no", "-"
    if isinstance(line, Callback):
        more = f"{line.event_id}: {line.answer or 'no answer'}"
    else:
        payload = line.sha256[:12] or "-"
    if isinstance(line, Effect):
        reason = f"{line.code}: {line.message}" if line.code else line.reference or ""
        more, effect = clean(reason), "settles" if line.settles else "yes"
    at = line.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return at, clean(line.key), line.kind, effect, payload, more or "-"


def _in_words(summary: "Summary") -> str:
    words = (
        f"keys {summary.keys}, effects {summary.effects}, cooked {summary.cooked}, "
        f"duplicates {summary.duplicates}, keys reused {summary.key_reused}, "
        f"callbacks delivered {summary.delivered}, given up {summary.given_up}, owed {summary.owed}"
    )
    return "\n".join(
        [
            words,
            *_named("keys that were contradicted", summary.contradicted),
            *_named("keys with more than one effect", summary.doubled),
        ]
    )


def _named(what: str, keys: tuple[str, ...]) -> list[str]:
    return [f"{what} {len(keys)}", *(f"  {clean(key)}" for key in keys)]
