"""`comanda keys`: the keys that sign members' tokens."""

from pathlib import Path
from typing import Annotated

import typer

from .failing import failures_in_words
from .options import DatabaseOption

app = typer.Typer(
    name="keys",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _keys() -> None:
    """The keys that sign members' tokens."""


@app.command()
def rotate(
    database: DatabaseOption = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="The file of the keys, where they are not beside the database.",
            envvar="COMANDA_KEY_FILE",
        ),
    ] = None,
) -> None:
    """Make a new key, which signs from the server's next start on. The one before it is still believed.

    So nobody at a table is lost by one rotation. A second one ends the tokens of whoever sat down before
    the first: wait until those tables have closed. To end every token at once, rotate twice and restart.
    """
    from comanda.config import make_settings  # the other commands start without these
    from comanda.http.keys import rotate_keys

    with failures_in_words():
        settings = make_settings(database=database, key_file=key_file)
        rotate_keys(settings.signing_key_file)
    typer.echo(
        f"{settings.signing_key_file} has a new key: restart the server, which signs with it then"
    )
