"""`comanda play`: runs example sessions and says whether everything was as they expect."""

from pathlib import Path
from typing import Annotated

import typer

from .failing import give_up
from .options import PinOption

INTERRUPTED = 130


def play(
    files: Annotated[
        list[Path],
        typer.Argument(help="Session files (TOML), or folders of them.", metavar="FILE..."),
    ],
    server: Annotated[
        str | None,
        typer.Option(
            help="Play at a running server, for example http://127.0.0.1:8080. Without it each file "
            "gets a fresh server of its own, inside this process.",
            metavar="URL",
            show_default="a server inside this process",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="Play at the table with this code.",
            metavar="CODE",
            show_default="a free demo table",
        ),
    ] = None,
    pin: PinOption = None,
    staff_token_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the staff's token, with which the table is closed after the play. Or set "
            "COMANDA_STAFF_TOKEN in the environment.",
            envvar="COMANDA_STAFF_TOKEN_FILE",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print also all that each member hears.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print one line a file, without its timeline.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document at the end, nothing else.")
    ] = False,
) -> None:
    """Play example sessions: members, steps and what they must see.

    Try it: [bold]comanda play examples/happy_path.toml[/bold], or, beside a running
    [bold]comanda serve[/bold], [bold]comanda play examples --server http://127.0.0.1:8080[/bold].
    Exits with 0 when everything was as expected, with 1 and the first thing that was not, with 2 when
    a file or the server cannot be used.
    """
    if verbose + quiet + as_json > 1:
        give_up("--verbose, --quiet and --json exclude each other")
    if pin is not None and (table is None or server is None):
        give_up(
            "--pin is the PIN of one table at a running server: name them, --server and --table"
        )
    try:
        from .playing import Options, play_files  # the other commands start without it

        code = play_files(
            files,
            Options(
                server_url=server,
                table_code=table,
                pin=pin,
                staff_token_file=staff_token_file,
                form="json"
                if as_json
                else "quiet"
                if quiet
                else "verbose"
                if verbose
                else "timeline",
            ),
        )
    except KeyboardInterrupt:  # before the play has begun; afterwards it ends in order
        code = INTERRUPTED
    if code:
        raise typer.Exit(code)
