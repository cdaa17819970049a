"""Looking into a database that another process may be serving: nothing is written, no lock is taken."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection
from sqlalchemy import exc as sql

from .engines import READING, sync_engine
from .limits import StoreLimits
from .opening import DatabaseUnusable, migration_config, sentence


@contextmanager
def looked_into(path: Path) -> Iterator[Connection]:
    """A connection to the SQLite file at `path` that only reads, in one transaction: one state is seen.

    Blocks. The server's commits go on meanwhile.

    Raises:
        DatabaseUnusable: it is not there, none of ours, of another version of Comanda, or damaged.
    """
    if not path.is_file():
        raise DatabaseUnusable(f"{path} is not there; name the server's with --database.")
    name = f"file:{quote(str(path.absolute()))}"
    url = URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"})
    engine = sync_engine(url, StoreLimits())
    try:
        with (
            engine.connect().execution_options(**{READING: True}) as connection,
            connection.begin(),
        ):
            _check_version(connection, path)
            yield connection
    except (sql.SQLAlchemyError, sqlite3.Error) as error:
        raise DatabaseUnusable(sentence(error, str(path))) from error
    finally:
        engine.dispose()


def _check_version(connection: Connection, path: Path) -> None:
    scripts = ScriptDirectory.from_config(migration_config())
    there = set(MigrationContext.configure(connection).get_current_heads())
    if not there:
        raise DatabaseUnusable(f"{path} is no database of Comanda's.")
    known = {script.revision for script in scripts.walk_revisions()}
    if not there <= known:
        raise DatabaseUnusable(f"{path} is of a newer Comanda; look into it with that one.")
    if there != set(scripts.get_heads()):
        raise DatabaseUnusable(
            f"{path} is of an older Comanda; start this version's server on it once, or look into it "
            "with the older one."
        )
