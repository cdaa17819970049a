"""Data that an older version's schema holds, opened by this one."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio
from alembic import command

from comanda.client import open_table, resume_table
from comanda.storage.backup import back_up
from comanda.storage.engines import sync_engine
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import DatabaseUnusable, migration_config, open_database
from comanda.storage.restoring import restore
from tests.server_process import a_server

from .test_backup import NOW

PATIENCE_SECONDS = 30


def as_the_first_version_wrote_it(database: Path) -> None:
    """Put what a database holds into the first migration's schema, under the same name."""
    newer = database.rename(database.with_name("newer.db"))
    engine = sync_engine(f"sqlite:///{database}", StoreLimits())
    with engine.connect() as connection, connection.begin():
        command.upgrade(migration_config(connection), "0001")
    engine.dispose()
    with closing(sqlite3.connect(database, isolation_level=None)) as first:
        first.execute("ATTACH ? AS newer", (str(newer),))
        tables = first.execute(
            "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'"
        ).fetchall()
        for (table,) in tables:
            names = [row[1] for row in first.execute(f"PRAGMA main.table_info({table})")]
            columns = ", ".join(names)
            first.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
            )
    newer.unlink()


def revision_of(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        [revision] = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(revision)


async def test_an_evening_in_the_first_versions_schema_goes_on_in_this_one(tmp_path: Path) -> None:
    async with a_server(tmp_path, "--pos-delay", "0", "--pos-success-rate", "1") as server:
        async with open_table(server.url, "demo-1", "Ana") as ana:
            await ana.add_to_cart(456, 2)
            order_id = await ana.place_order()
            await ana.wait_for(lambda store: len(store.orders) == 1, PATIENCE_SECONDS)
            await ana.add_to_cart(403, 3, public_id="lemonade")
            await server.kill()
        # Folds the log in: a backup of the killed server's file is one file.
        back_up(server.database, tmp_path / "whole.db")
        for ending in ("-wal", "-shm"):
            server.database.with_name(f"evening.db{ending}").unlink()
        (tmp_path / "whole.db").rename(server.database)
        as_the_first_version_wrote_it(server.database)
        assert revision_of(server.database) == "0001"

        await server.start()
        assert revision_of(server.database) != "0001"
        async with resume_table(
            server.url, ana.session_pid, ana.member_id, ana.member_token
        ) as again:
            assert [one.public_id for one in again.store.items] == ["lemonade"]
            assert [one.order_id for one in (await again.fetch_orders()).orders] == [order_id]
            assert await again.place_order() == "ORD-7-2"
            with trio.fail_after(PATIENCE_SECONDS):
                await again.wait_for(lambda store: not store.items, PATIENCE_SECONDS)


def test_an_older_versions_database_can_be_backed_up_and_restored_by_this_one(
    tmp_path: Path,
) -> None:
    database, backup = tmp_path / "house.db", tmp_path / "backup.db"
    engine = sync_engine(f"sqlite:///{database}", StoreLimits())
    with engine.connect() as connection, connection.begin():
        command.upgrade(migration_config(connection), "0001")
    engine.dispose()
    back_up(database, backup)
    assert revision_of(backup) == "0001"
    restore(backup, database, NOW, keep_tables=False)
    assert revision_of(database) != "0001"
    assert revision_of(backup) == "0001"  # The way back to the older version.


def test_a_migration_that_fails_leaves_the_older_schema_as_it_was(tmp_path: Path) -> None:
    database = tmp_path / "house.db"
    engine = sync_engine(f"sqlite:///{database}", StoreLimits())
    with engine.connect() as connection, connection.begin():
        command.upgrade(migration_config(connection), "0001")
        connection.exec_driver_sql(
            "CREATE TABLE voids (what TEXT)"
        )  # In the third migration's way.
    engine.dispose()
    with pytest.raises(DatabaseUnusable, match="voids"):
        open_database(f"sqlite:///{database}")
    assert revision_of(database) == "0001"
    with closing(sqlite3.connect(database)) as left:
        columns = [row[1] for row in left.execute("PRAGMA table_info(order_journal)")]
    assert "decided_by" not in columns  # The second migration's, which went well.
