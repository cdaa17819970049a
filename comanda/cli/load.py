"""`comanda load`: members who drive a server, what it took, and whether all that they were told is true."""

import signal
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import trio
import typer
from rich.console import Console

from .failing import first_of, give_up

if TYPE_CHECKING:
    from comanda.load import Figures, Plan

    from .load_server import OwnServer

WRONG = 1
"""The exit code where something was told that is not true, or true and not told."""

INTERRUPTED = 130

CONNECTIONS_A_PROCESS = 5_000
"""One worker process more for as many members, unless --processes says else."""

PEOPLES = "People's pace"


def load(
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A running server. Its limits should be off (COMANDA_RATE_LIMITS=off).",
            show_default="one of its own, in a folder of its own",
        ),
    ] = None,
    tables: Annotated[int, typer.Option(min=1, max=20_000, help="Tables at the same time.")] = 500,
    members: Annotated[int, typer.Option(min=1, max=64, help="Members of each table.")] = 4,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=86_400, help="To measure, once all have sat down.")
    ] = 60.0,
    edits_per_minute: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=60_000,
            help="Of a table, whoever of its members makes them.",
            show_default="20",
            rich_help_panel=PEOPLES,
        ),
    ] = None,
    closed_loop: Annotated[
        bool,
        typer.Option(
            "--closed-loop",
            help="Keep one edit in flight a table instead: as fast as the server can.",
        ),
    ] = False,
    orders_per_minute: Annotated[
        float, typer.Option(min=0, max=60, help="Of a table.", rich_help_panel=PEOPLES)
    ] = 0.1,
    refreshes_per_minute: Annotated[
        float,
        typer.Option(min=0, max=60, help="Pages loaded anew, of a table.", rich_help_panel=PEOPLES),
    ] = 0.2,
    drops_per_minute: Annotated[
        float,
        typer.Option(min=0, max=60, help="Connections cut, of a table.", rich_help_panel=PEOPLES),
    ] = 0.1,
    pos_delay: Annotated[
        float,
        typer.Option(min=0, max=600, help="Seconds that the POS of a server of its own takes."),
    ] = 3.0,
    ramp: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds over which all sit down.")
    ] = 10.0,
    settle: Annotated[
        float,
        typer.Option(
            min=0.1, max=600, help="Seconds after the measuring for orders in flight, at most."
        ),
    ] = 30.0,
    processes: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Worker processes.", show_default="by the members"),
    ] = None,
    acks: Annotated[
        bool | None,
        typer.Option(
            "--acks/--no-acks",
            help="Whether each command asks for its acknowledgement, as the web page's do.",
            show_default="not in a closed loop",
        ),
    ] = None,
    table_code: Annotated[
        str,
        typer.Option(
            help="The tables' codes at a running server; {n} is 1, 2, 3 and so on (one table needs none)."
        ),
    ] = "demo-{n}",
    seed: Annotated[int, typer.Option(help="The same seed: the same thoughts.")] = 0,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all figures there.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a report with plots there.")
    ] = None,
) -> None:
    """Let many tables edit and order, measure it, and check that everybody was told the truth.

    [bold]comanda load --tables 100 --seconds 20[/bold] starts a server for it and lets 400 people use it.
    [bold]comanda load --closed-loop --tables 100[/bold] asks how much it can do.

    Exit codes: 0 all was right, 1 a wrong result, 2 it could not be run so, 130 ended by Ctrl-C.
    """
    if closed_loop and edits_per_minute is not None:
        give_up("--closed-loop edits as fast as it can: leave --edits-per-minute out")
    if tables > 1 and "{n}" not in table_code:
        give_up(
            "--table-code: {n} must stand where a table's number goes, as in demo-{n}; "
            "one table alone needs --tables 1"
        )
    try:
        from comanda.load import Plan
    except ImportError as error:
        give_up(f"{error.name} is missing: install comanda with its dependencies")
    from .load_server import CODE

    plan = Plan(
        server=(server or "").rstrip("/"),
        tables=tables,
        members=members,
        seconds=seconds,
        closed_loop=closed_loop,
        edits_a_minute=20.0 if edits_per_minute is None else edits_per_minute,
        orders_a_minute=orders_per_minute,
        refreshes_a_minute=refreshes_per_minute,
        drops_a_minute=drops_per_minute,
        ramp_seconds=ramp,
        settle_seconds=settle,
        processes=processes or 1 + tables * members // CONNECTIONS_A_PROCESS,
        seed=seed,
        request_ids=not closed_loop if acks is None else acks,
        table_code=CODE if server is None else table_code,
    )
    figures = _run(plan, pos_delay)
    _write(plan, figures, json, report)
    if figures.wrongs:
        raise typer.Exit(WRONG)
    if figures.interrupted:
        raise typer.Exit(INTERRUPTED)


def _run(plan: "Plan", pos_delay: float) -> "Figures":
    from comanda.load import DriverFailed
    from comanda.load.driving import allow_files, files_needed

    from .load_server import NotStarted

    needed = max(files_needed(plan), plan.tables * plan.members + 256 if not plan.server else 0)
    if not allow_files(needed):
        give_up(f"{needed} files must be open at a time and may not be: raise `ulimit -n`")
    try:
        return trio.run(_load, plan, pos_delay)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BaseExceptionGroup as group:
        error = first_of(group)
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(INTERRUPTED) from None
        if isinstance(error, DriverFailed | NotStarted):
            give_up(str(error))
        raise
    except (DriverFailed, NotStarted) as error:
        give_up(str(error))


async def _load(plan: "Plan", pos_delay: float) -> "Figures":
    from msgspec.structs import replace

    from comanda.load.driving import drive_in_detail

    from .load_screen import Screen, print_figures
    from .load_server import own_server

    console = Console(highlight=False, markup=False, emoji=False)
    stop = trio.Event()
    async with AsyncExitStack() as stack:
        own: OwnServer | None = None
        if plan.server:
            await _must_answer(plan.server)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="comanda-load-")))
            orders = plan.orders_a_minute > 0 and not plan.closed_loop
            own = await stack.enter_async_context(
                own_server(folder, plan.tables, pos_delay_seconds=pos_delay if orders else None)
            )
            plan = replace(plan, server=own.url)
        nursery = await stack.enter_async_context(trio.open_nursery())
        nursery.start_soon(_until_signal, stop, nursery.cancel_scope)
        with Screen(console) as screen:
            driving = await drive_in_detail(
                plan, server_pid=own.pid if own else None, stop=stop, show=screen.show
            )
        nursery.cancel_scope.cancel()
        figures = driving.figures
        if own is not None:
            figures.wrongs += await own.end()
            figures.wrongs += own.ledger_wrongs(driving.orders)
    if not figures.seated and not figures.interrupted:
        give_up(_why_nobody_sat_down(plan, figures))
    print_figures(console, figures)
    return figures


def _why_nobody_sat_down(plan: "Plan", figures: "Figures") -> str:
    why = ", ".join(figures.errors) or "no reason was given"
    if "join not_found" not in figures.errors:
        return f"no table could be joined: {why}"
    code = plan.table_code.replace("{n}", "1")
    return (
        f"no table could be joined: {plan.server} has no table {code!r} (join not_found). --table-code names "
        f"its tables; a server with `--demo-tables {plan.tables}` has demo-1 to demo-{plan.tables}"
    )


async def _until_signal(stop: trio.Event, scope: trio.CancelScope) -> None:
    """The first asks for an early end with the figures; the second ends at once."""
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            if stop.is_set():
                raise KeyboardInterrupt
            stop.set()


async def _must_answer(url: str) -> None:
    import httpx

    problem = "it answers no GET /healthz"
    with suppress(httpx.HTTPError, httpx.InvalidURL):
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            if (await http.get(f"{url}/healthz")).status_code == httpx.codes.OK:
                return
    give_up(f"{url} is no running server: {problem}")


def _write(plan: "Plan", figures: "Figures", json: Path | None, report: Path | None) -> None:
    import msgspec

    try:
        if json is not None:
            data = msgspec.json.encode({"plan": plan, "figures": figures})
            json.write_bytes(msgspec.json.format(data))
        if report is not None:
            from comanda.load.report import html_report

            report.write_text(html_report(plan, figures), encoding="utf-8")
    except OSError as error:
        give_up(f"{error.filename} cannot be written: {error.strerror}")
