"""`comanda serve`: one server on one database file."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import segno
import trio
import typer

from .failing import failures_in_words

if TYPE_CHECKING:
    from comanda.app import Running
    from comanda.config import Settings

STORE = "Storage and keys"
POS = "Point of sale"
GUESTS = "Guests' phones (specification, section 7)"
LOGS = "Logs and limits"

THREADS_TURN_SECONDS = 20e-6
"""After it a busy loop hands the interpreter to the database's threads, which ask for it some thirty times a
commit. At Python's 5 ms storage was seen to wait for seconds behind a loop that makes few system calls, as
under a flood of empty frames; there an edit took a second at 1 ms, and 6 ms at this. A loop that is busy with
edits pays no more for it."""

NOBODY_CAN_SIGN_IN = "nobody can sign in: no COMANDA_STAFF_TOKEN is set"


def serve(
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on.", show_default="127.0.0.1", envvar="COMANDA_HOST"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on; 0 picks a free one.",
            show_default="8080",
            envvar="COMANDA_PORT",
        ),
    ] = None,
    menu: Annotated[
        Path | None,
        typer.Option(
            help="Menu file (TOML) with restaurants and tables. Without it a demonstration "
            "restaurant (id 7) is open.",
            envvar="COMANDA_MENU",
        ),
    ] = None,
    demo_tables: Annotated[
        int | None,
        typer.Option(
            help="Tables demo-1 to demo-N of the demonstration restaurant.",
            show_default="12",
            envvar="COMANDA_DEMO_TABLES",
        ),
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            help="The address under which guests' phones reach this server; goes into the tables' links.",
            envvar="COMANDA_PUBLIC_URL",
        ),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(
            help="A further origin whose pages may open websockets here; may be given several times.",
            envvar="COMANDA_ALLOWED_ORIGIN",
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            help="Certificate (PEM, with its chain): the server then speaks TLS itself. Read at the start.",
            envvar="COMANDA_TLS_CERTIFICATE",
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(help="The certificate's key (PEM).", envvar="COMANDA_TLS_KEY"),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="Database URL.",
            show_default="sqlite+aiosqlite:///comanda.db",
            envvar="COMANDA_DATABASE",
            rich_help_panel=STORE,
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="Keys that sign members' tokens; made on the first start (mode 600).",
            show_default="beside the database, ending .key",
            envvar="COMANDA_KEY_FILE",
            rich_help_panel=STORE,
        ),
    ] = None,
    staff_token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the staff's token, which opens every restaurant. Or set "
            "COMANDA_STAFF_TOKEN in the environment; there is no option for the token itself, since "
            "options can be read in process listings.",
            envvar="COMANDA_STAFF_TOKEN_FILE",
            rich_help_panel=STORE,
        ),
    ] = None,
    join_pin: Annotated[
        str | None,
        typer.Option(
            help="on or off; on: who joins a table where somebody sits must say its PIN, which those who "
            "sit there are shown.",
            show_default="off",
            envvar="COMANDA_JOIN_PIN",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    pos: Annotated[
        str | None,
        typer.Option(
            help="The restaurants' POS. dummy: the specification's, inside this process. "
            "Or the base URL of one that speaks the contract of docs/pos.md.",
            show_default="dummy",
            envvar="COMANDA_POS",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the token that goes with each call to the POS. Or set "
            "COMANDA_POS_TOKEN in the environment.",
            envvar="COMANDA_POS_TOKEN_FILE",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_secret_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the secret (whsec_…) that the POS signs its callbacks with. Or set "
            "COMANDA_POS_SECRET in the environment. Without one callbacks are refused.",
            envvar="COMANDA_POS_SECRET_FILE",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_delay: Annotated[
        float | None,
        typer.Option(
            help="Seconds the dummy POS takes.",
            show_default="3",
            envvar="COMANDA_POS_DELAY",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_success_rate: Annotated[
        float | None,
        typer.Option(
            help="Share of orders that the dummy POS accepts, 0 to 1.",
            show_default="0.9",
            envvar="COMANDA_POS_SUCCESS_RATE",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the dummy POS: the same seed, the same outcome for the same order id.",
            show_default="0",
            envvar="COMANDA_POS_SEED",
            rich_help_panel=POS,
        ),
    ] = None,
    pos_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds after which a call to the POS ends (its order does not).",
            show_default="10",
            envvar="COMANDA_POS_TIMEOUT",
            rich_help_panel=POS,
        ),
    ] = None,
    lock_limit: Annotated[
        float | None,
        typer.Option(
            help="Seconds after which a cart opens again, whatever the POS does; longer than --pos-timeout.",
            show_default="60",
            envvar="COMANDA_LOCK_LIMIT",
            rich_help_panel=POS,
        ),
    ] = None,
    order_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds until a phone says that no answer has come.",
            show_default="10",
            envvar="COMANDA_ORDER_TIMEOUT",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    reconnect_timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds after which a phone gives up one attempt to reconnect.",
            show_default="5",
            envvar="COMANDA_RECONNECT_TIMEOUT",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    poll_interval: Annotated[
        float | None,
        typer.Option(
            help="Seconds between a cut-off phone's looks at the cart.",
            show_default="2",
            envvar="COMANDA_POLL_INTERVAL",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    retry_limit: Annotated[
        int | None,
        typer.Option(
            help="Automatic retries of a failed order; 0 for none.",
            show_default="3",
            envvar="COMANDA_RETRY_LIMIT",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    retry_delay: Annotated[
        float | None,
        typer.Option(
            help="Seconds before the first automatic retry; doubles.",
            show_default="2",
            envvar="COMANDA_RETRY_DELAY",
            rich_help_panel=GUESTS,
        ),
    ] = None,
    rate_limits: Annotated[
        str | None,
        typer.Option(
            help="on or off; off is for load tests.",
            show_default="on",
            envvar="COMANDA_RATE_LIMITS",
            rich_help_panel=LOGS,
        ),
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(
            help="debug, info, warning or error.",
            show_default="info",
            envvar="COMANDA_LOG_LEVEL",
            rich_help_panel=LOGS,
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option(
            help="json, console, or auto: console on a terminal.",
            show_default="auto",
            envvar="COMANDA_LOG_FORMAT",
            rich_help_panel=LOGS,
        ),
    ] = None,
) -> None:
    """Serve tables until SIGTERM or Ctrl-C, then end gracefully.

    Try it: [bold]comanda serve[/bold], then in two other terminals
    [bold]comanda join demo-1 --name Ana[/bold] and [bold]comanda join demo-1 --name Ben[/bold].
    Every option is also a variable COMANDA_… in the environment.
    """
    # Half a second of imports, which the other commands start without.
    from comanda.config import make_settings
    from comanda.http.worker import tune_garbage_collection
    from comanda.logs import configure_logs

    with failures_in_words(f"{host or '127.0.0.1'}:{8080 if port is None else port}"):
        settings = make_settings(
            host=host,
            port=port,
            menu=menu,
            demo_tables=demo_tables,
            public_url=public_url,
            allowed_origin=tuple(allowed_origin) if allowed_origin else None,
            tls_certificate=tls_certificate,
            tls_key=tls_key,
            database=database,
            key_file=key_file,
            staff_token_file=staff_token_file,
            join_pin=join_pin,
            pos=pos,
            pos_token_file=pos_token_file,
            pos_secret_file=pos_secret_file,
            pos_delay=pos_delay,
            pos_success_rate=pos_success_rate,
            pos_seed=pos_seed,
            pos_timeout=pos_timeout,
            lock_limit=lock_limit,
            order_timeout=order_timeout,
            reconnect_timeout=reconnect_timeout,
            poll_interval=poll_interval,
            retry_limit=retry_limit,
            retry_delay=retry_delay,
            rate_limits=rate_limits,
            log_level=log_level,
            log_format=log_format,
        )
        configure_logs(settings.log_level, settings.log_format)
        tune_garbage_collection()
        sys.setswitchinterval(THREADS_TURN_SECONDS)
        trio.run(_serve, settings)


async def _serve(settings: "Settings") -> None:
    from comanda.app import serve as run_server

    shutdown = trio.Event()
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

        async def serving(task_status: "trio.TaskStatus[Running]") -> None:
            await run_server(settings, shutdown=shutdown, task_status=task_status)
            nursery.cancel_scope.cancel()

        await nursery.start(until_signal)
        running = await nursery.start(serving)
        _announce(running, demo=settings.menu is None)


def _announce(running: "Running", *, demo: bool) -> None:
    """The URL, then the demo tables' links, the first also as a QR code on a terminal, then the staff's."""
    print(f"Comanda takes orders at {running.url}", flush=True)
    for number, code in enumerate(running.table_codes if demo else ()):
        link = f"{running.url}/t/{code}"
        print(f"  {code}  {link}", flush=True)
        if number == 0 and sys.stdout.isatty():
            segno.make(link).terminal(compact=True)
    nobody = "" if running.staff_can_sign_in else f"  {NOBODY_CAN_SIGN_IN}"
    print(f"  staff   {running.url}/staff{nobody}", flush=True)
