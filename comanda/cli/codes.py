"""`comanda codes`: the codes that tables' QR codes carry."""

from pathlib import Path
from typing import Annotated

import typer

from .failing import failures_in_words, give_up
from .phone import clean


def codes(
    menu: Annotated[
        Path, typer.Argument(metavar="MENU_FILE", help="The menu file, which is changed.")
    ],
    every: Annotated[
        bool, typer.Option("--all", help="Every table gets a new code, not only those without one.")
    ] = False,
    table: Annotated[
        list[str] | None,
        typer.Option(
            help="The label of a table that gets a new code; may be given several times.",
            metavar="LABEL",
        ),
    ] = None,
    restaurant: Annotated[
        int | None,
        typer.Option(help="Only tables of the restaurant with this id.", show_default="all", min=1),
    ] = None,
) -> None:
    """Give tables of a menu file codes that nobody guesses: those that have none, or all, or some.

    A code is what a table's QR code carries, and whoever has it can join that table. From the server's
    next start on the old codes open nothing; parties that sit there go on, and keep their seats. Print the
    new QR codes from the staff's page.
    """
    from comanda.table_codes import give_codes  # the other commands start without it

    labels = set(table or ())
    with failures_in_words():
        given = give_codes(
            menu,
            lambda one: (
                (restaurant in (None, one.restaurant_id))
                and (one.label in labels if labels else every or one.code is None)
            ),
        )
    if not given:
        give_up(
            f"No table of {clean(str(menu))} is meant; every one has a code: see --all and --table"
        )
    said = "1 table has a new code" if given == 1 else f"{given} tables have new codes"
    typer.echo(
        f"{said} in {menu}: restart the server, then print the QR codes from its page /staff"
    )
