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
    from comanda.menu_file import WrittenTable  # the other commands start without them
    from comanda.table_codes import give_codes

    labels = set(table or ())
    named: list[str] = []  # Those there are, where a restaurant is asked for of that one.

    def is_meant(one: WrittenTable) -> bool:
        if restaurant not in (None, one.restaurant_id):
            return False
        named.append(one.label)
        return one.label in labels if labels else every or one.code is None

    with failures_in_words():
        given = give_codes(menu, is_meant)
    if not given:
        whose = "" if restaurant is None else f" for restaurant {restaurant}"
        if not named:
            what_to_do = ": write a label for each, under [[restaurants.tables]]"
            reason = f"has no tables{whose or what_to_do}"
        elif labels:
            reason = f"has no such table{whose}, but {', '.join(named)}"
        else:
            reason = f"has a code for every table{whose}; new ones are given by --all or --table"
        give_up(clean(f"{menu} {reason}"))
    said = "1 table has a new code" if given == 1 else f"{given} tables have new codes"
    typer.echo(
        f"{said} in {menu}: restart the server, then print the QR codes from its page /staff"
    )
