"""Options that several commands have."""

from typing import Annotated

import typer

from comanda.actors.domain.messages import PIN_DIGITS

from .failing import give_up

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="The server's database.",
        envvar="COMANDA_DATABASE",
        show_default="sqlite+aiosqlite:///comanda.db",
    ),
]
"""The database that a server serves, which need not run."""


def _checked_pin(pin: str | None) -> str | None:
    if pin is not None and not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdigit()):
        give_up(f"--pin must be {PIN_DIGITS} digits")
    return pin


PinOption = Annotated[
    str | None,
    typer.Option(
        help="The table's PIN, where it asks for one: who sits there is shown it.",
        callback=_checked_pin,
    ),
]
"""With which a table is joined at which somebody sits."""
