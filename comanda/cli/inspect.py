"""`comanda inspect`: one table's life, read from the database beside the server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .documents import printable
from .failing import failures_in_words, give_up
from .options import DatabaseOption
from .phone import clean

if TYPE_CHECKING:
    from comanda.storage.life import SessionLife


def inspect(
    session: Annotated[
        str,
        typer.Argument(
            metavar="SESSION", help="A session's id, as logs and orders have it; or an order's id."
        ),
    ],
    database: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell one table's life from storage: who did what when, and each order with its calls to the POS.

    [bold]comanda inspect ORD-7-12[/bold] shows the session in which that order was placed, also while the
    server runs: the database is only read, and nothing waits for it.

    Storage keeps who sat down, the cart as it is now, each order from its lock on, each call to the POS,
    incidents and orders taken back. It does not keep single edits, connections, or what the staff or the
    POS said more than once: these are not told. Some time after they have left, guests are forgotten.
    Times are UTC. In a pipe a line is one event, its columns separated by tabs. Exits with 2 where there
    is no such session or database.
    """
    from comanda.config import make_settings  # the other commands start without these
    from comanda.storage.life import life_of
    from comanda.storage.looking import looked_into

    with failures_in_words():
        path: Path = make_settings(database=database).database_path
        with looked_into(path) as connection:
            life = life_of(connection, session)
    if life is None:
        give_up(f"“{clean(session)}” is no session and no order in {path}")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a narrow encoding
    _print(life, as_json=as_json)


def _print(life: "SessionLife", *, as_json: bool) -> None:
    from rich.console import Console

    from .life_words import as_document, events_of, facts_of, table_of

    if as_json:
        print(printable(as_document(life)))
    elif sys.stdout.isatty():
        console = Console(highlight=False)
        for fact in facts_of(life):
            console.print(fact, markup=False, soft_wrap=True)
        console.print()
        console.print(table_of(life))
    else:
        for event in events_of(life):
            print("\t".join(event.cells()))
