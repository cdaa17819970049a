"""Options that several commands have."""

from typing import Annotated

import typer

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        help="The server's database.",
        envvar="COMANDA_DATABASE",
        show_default="sqlite+aiosqlite:///comanda.db",
    ),
]
"""The database that a server serves, which need not run."""
