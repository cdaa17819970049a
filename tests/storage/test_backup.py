"""Backups and going back to them on files alone: what is refused, and what is left as it was."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comanda.storage.backup import back_up
from comanda.storage.inline import open_inline
from comanda.storage.opening import DatabaseUnusable, open_database
from comanda.storage.owning import owned
from comanda.storage.restoring import restore

from .house import restaurant

NOW = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A database with its schema."""
    path = tmp_path / "house.db"
    open_database(f"sqlite:///{path}")
    return path


def refused(sentence: str, database: Path, target: Path) -> None:
    there = target.exists()
    with pytest.raises(DatabaseUnusable, match=sentence):
        back_up(database, target)
    assert target.exists() == there
    assert not list(target.parent.glob("*.part*"))


def test_a_backup_holds_what_is_still_in_the_log_and_is_one_file_for_its_owner(
    house: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("PRAGMA wal_autocheckpoint = 0")
        serving.execute("INSERT INTO restaurants VALUES (7, 'T', 'INR', 2, NULL, 41, '')")
        made = back_up(house, tmp_path / "backup.db")
    assert made.bytes_written == (tmp_path / "backup.db").stat().st_size
    assert made.bytes_read > made.bytes_written
    assert (tmp_path / "backup.db").stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("backup.db?*"))
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        assert backup.execute("SELECT last_order_number FROM restaurants").fetchall() == [(41,)]


def test_a_backup_does_not_wait_for_a_writer(house: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("BEGIN IMMEDIATE")
        serving.execute("INSERT INTO restaurants VALUES (7, 'T', 'INR', 2, NULL, 41, '')")
        back_up(house, tmp_path / "backup.db")
    with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        assert backup.execute("SELECT count(*) FROM restaurants").fetchall() == [(0,)]


def test_what_was_deleted_is_in_no_backup(house: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("PRAGMA secure_delete = OFF")  # As SQLite is where Debian did not build it.
        serving.execute("CREATE TABLE diary (line TEXT)")
        serving.execute("INSERT INTO diary VALUES ('a name that nobody shall keep')")
        serving.execute("DELETE FROM diary")
        serving.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"nobody shall keep" in house.read_bytes()
    back_up(house, tmp_path / "backup.db")
    assert b"nobody shall keep" not in (tmp_path / "backup.db").read_bytes()


def test_what_stands_there_is_never_written_over(house: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("Dear diary")
    refused("is there already", house, tmp_path / "diary.txt")
    refused("is there already", house, house)
    assert (tmp_path / "diary.txt").read_text() == "Dear diary"


def test_a_missing_or_strange_database_and_a_missing_folder_are_told(
    house: Path, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    refused("is not there", tmp_path / "nowhere.db", target)
    refused("The folder .*nowhere is not there", house, tmp_path / "nowhere" / "backup.db")
    (tmp_path / "notes.db").write_text("Dear diary, " * 500)
    refused("is not a database", tmp_path / "notes.db", target)
    with closing(sqlite3.connect(tmp_path / "recipes.db")) as recipes:
        recipes.execute("CREATE TABLE recipes (name TEXT)")
    refused("no database of Comanda's", tmp_path / "recipes.db", target)


def test_a_damaged_database_makes_no_backup(house: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("PRAGMA foreign_keys = OFF")
        serving.execute("INSERT INTO tables VALUES ('kx7', 99, 'T1', 0, 1)")
    refused("not sound.*rows without what they name", house, tmp_path / "backup.db")


def test_a_restore_over_a_served_database_is_refused(house: Path, tmp_path: Path) -> None:
    back_up(house, tmp_path / "backup.db")
    with owned(house), pytest.raises(DatabaseUnusable, match="served by another process"):
        restore(tmp_path / "backup.db", house, NOW, keep_tables=False)


def test_a_restore_that_is_refused_leaves_everything_as_it_was(house: Path, tmp_path: Path) -> None:
    before = house.read_bytes()
    (tmp_path / "notes.db").write_text("Dear diary, " * 500)
    back_up(house, tmp_path / "newer.db")
    with closing(sqlite3.connect(tmp_path / "newer.db", isolation_level=None)) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    for backup, said in (
        (tmp_path / "nowhere.db", "is not there"),
        (tmp_path / "notes.db", "is not a database"),
        (tmp_path / "newer.db", "of a newer Comanda"),
        (house, "is the database itself"),
    ):
        with pytest.raises(DatabaseUnusable, match=said):
            restore(backup, house, NOW, keep_tables=False)
        assert house.read_bytes() == before
        assert not list(tmp_path.glob("house.db.*[!k]"))  # `.lock` stays.


def test_a_restore_where_nothing_was_makes_the_database(house: Path, tmp_path: Path) -> None:
    back_up(house, tmp_path / "backup.db")
    (tmp_path / "new").mkdir()
    fresh = tmp_path / "new" / "house.db"
    done = restore(tmp_path / "backup.db", fresh, NOW, keep_tables=False)
    assert (done.kept, done.tables_closed, done.contents.orders) == (None, 0, 0)
    open_database(f"sqlite:///{fresh}")
    assert {one.name for one in fresh.parent.iterdir()} == {"house.db", "house.db.lock"}


def test_a_folder_is_not_set_aside_for_a_database(house: Path, tmp_path: Path) -> None:
    back_up(house, tmp_path / "backup.db")
    (tmp_path / "folder").mkdir()
    before = set(tmp_path.iterdir())
    with pytest.raises(DatabaseUnusable, match="folder is a folder; name a file in it"):
        restore(tmp_path / "backup.db", tmp_path / "folder", NOW, keep_tables=False)
    assert set(tmp_path.iterdir()) == before


def test_the_log_of_what_was_there_goes_with_it(house: Path, tmp_path: Path) -> None:
    back_up(house, tmp_path / "backup.db")
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("PRAGMA wal_autocheckpoint = 0")
        serving.execute("INSERT INTO restaurants VALUES (7, 'T', 'INR', 2, NULL, 41, '')")
        log = (tmp_path / "house.db-wal").read_bytes()  # As a kill leaves it.
        lost = house.read_bytes()
    house.write_bytes(lost)
    (tmp_path / "house.db-wal").write_bytes(log)
    done = restore(tmp_path / "backup.db", house, NOW, keep_tables=False)
    assert done.kept == tmp_path / "house.db.before-20261123T101500Z"
    with closing(sqlite3.connect(done.kept)) as kept, closing(sqlite3.connect(house)) as now:
        assert kept.execute("SELECT restaurant_id FROM restaurants").fetchall() == [(7,)]
        assert now.execute("SELECT restaurant_id FROM restaurants").fetchall() == []


def test_a_second_restore_in_the_same_second_does_not_take_the_place_of_what_was_kept(
    house: Path, tmp_path: Path
) -> None:
    back_up(house, tmp_path / "backup.db")
    with closing(sqlite3.connect(house, isolation_level=None)) as serving:
        serving.execute("INSERT INTO restaurants VALUES (7, 'T', 'INR', 2, NULL, 41, '')")
    first = restore(tmp_path / "backup.db", house, NOW, keep_tables=False)
    again = NOW + timedelta(milliseconds=900)
    with pytest.raises(DatabaseUnusable, match="before-20261123T101500Z is there already"):
        restore(tmp_path / "backup.db", house, again, keep_tables=False)
    assert first.kept is not None
    with closing(sqlite3.connect(first.kept)) as kept, closing(sqlite3.connect(house)) as now:
        assert kept.execute("SELECT restaurant_id FROM restaurants").fetchall() == [(7,)]
        assert now.execute("SELECT restaurant_id FROM restaurants").fetchall() == []


async def test_tables_that_a_restore_closes_are_closed_as_any_so_that_their_guests_are_forgotten(
    tmp_path: Path,
) -> None:
    file = tmp_path / "evening.db"
    with open_inline(f"sqlite+aiosqlite:///{file}") as store:
        await store.install([restaurant()], "menu 1")
        key = await store.open_session(restaurant().tables[0], "S1", NOW, "4821")
    back_up(file, tmp_path / "backup.db")
    assert restore(tmp_path / "backup.db", file, NOW, keep_tables=False).tables_closed == 1
    with open_inline(f"sqlite+aiosqlite:///{file}") as store:
        session = (await store.activate(key)).session
        assert session.closed_reason is not None
        assert session.join_pin is None
        assert await store.forget_closed(NOW + timedelta(days=1), NOW, 10) == 1
