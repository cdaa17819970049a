"""The commands, and how their failures are told: one clear sentence, never a stack trace."""

from typing import Any

import typer
from typer.core import TyperGroup

from comanda import __version__

from . import (
    backup,
    codes,
    demo,
    inspect,
    join,
    keys,
    load,
    play,
    pos,
    serve,
    simulate,
    staff,
    top,
)
from .failing import reader_may_leave


class _Commands(TyperGroup):
    """All of them print, and whoever reads may leave."""

    def invoke(self, ctx: Any) -> Any:
        with reader_may_leave():
            return super().invoke(ctx)


app = typer.Typer(
    name="comanda",
    cls=_Commands,
    help="Shared carts for restaurant tables: guests scan a QR code, share one cart, and one of them "
    "orders. Nothing is told that is not durable, and no order reaches the kitchen twice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("join")(join.join)
app.command("play")(play.play)
app.add_typer(pos.app)
app.command("simulate")(simulate.simulate)
app.command("load")(load.load)
app.command("orders")(staff.orders)
app.command("resolve")(staff.resolve)
app.command("forget")(staff.forget)
app.command("codes")(codes.codes)
app.add_typer(keys.app)
app.command("top")(top.top)
app.command("inspect")(inspect.inspect)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        typer.echo(f"comanda {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script."""
    app()
