"""`comanda backup` and `comanda restore`: the database in one file, and back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .failing import failures_in_words
from .options import DatabaseOption

if TYPE_CHECKING:
    from comanda.storage.backup import Contents


def backup(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Where the backup goes: a file that is not there yet, or a folder, in which it is "
            "named by the moment.",
        ),
    ],
    database: DatabaseOption = None,
) -> None:
    """Back the database up, also while the server runs.

    The backup is the database as it is at one moment, in one file, checked and on the disk before it has
    its name. The key of members' tokens and the menu file are files of their own: keep them too.
    """
    from comanda.config import make_settings  # the other commands start without these
    from comanda.storage.backup import back_up

    with failures_in_words():
        path = make_settings(database=database).database_path
        target = file / f"{path.stem}-{_stamp()}.db" if file.is_dir() else file
        made = back_up(path, target)
    print(
        f"{path} ({_size(made.bytes_read)}) is backed up in {target} ({_size(made.bytes_written)})"
    )
    print(f"It holds {_words(made.contents)}; SQLite finds it sound")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup to go back to.")],
    database: DatabaseOption = None,
    keep_tables: Annotated[
        bool,
        typer.Option(
            "--keep-tables",
            help="Leave open the tables that were open at the backup. What they have ordered since is "
            "in their carts again.",
        ),
    ] = False,
) -> None:
    """Go back to a backup. The server must not run.

    What was there is kept under another name. All tables begin anew, and order numbers go on 10,000
    further, since the POS may know orders that this house no longer does: DEPLOY.md says what to do
    about those.
    """
    from comanda.config import make_settings
    from comanda.storage.restoring import NUMBERS_SKIPPED
    from comanda.storage.restoring import restore as go_back

    with failures_in_words():
        path = make_settings(database=database).database_path
        done = go_back(file, path, datetime.now(UTC), keep_tables=keep_tables)
    print(f"{path} is what {file} holds: {_words(done.contents)}")
    if done.kept is not None:
        print(f"What was there is kept in {done.kept}")
    print(f"Tables closed: {done.tables_closed}. Order numbers left out: {NUMBERS_SKIPPED}")
    print("Look at the POS for orders after that moment: this house knows none of them")


def _words(contents: "Contents") -> str:
    if contents.last_order is None:
        return "no orders"
    order_id, placed_at = contents.last_order
    orders = "1 order" if contents.orders == 1 else f"{contents.orders} orders"
    return f"{orders}, the last {order_id}, placed {placed_at:%Y-%m-%d %H:%M:%S} UTC"


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
