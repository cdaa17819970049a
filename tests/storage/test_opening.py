"""Opening: a usable database, or one clear sentence."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from comanda.storage.engines import sync_engine
from comanda.storage.groups import probe
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import DatabaseUnusable, open_database
from comanda.storage.store import open_store

LIMITS = StoreLimits(busy_seconds=0.05)


def sentence_of(url: str) -> str:
    with pytest.raises(DatabaseUnusable) as refused:
        open_database(url, LIMITS)
    assert str(refused.value) == refused.value.sentence
    return refused.value.sentence


def plain(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)


def test_a_new_file_is_made_and_opens_again(url: str, tmp_path: Path) -> None:
    open_database(url)
    open_database(url)
    assert (tmp_path / "house.db").is_file()


def test_the_file_keeps_a_write_ahead_log(url: str) -> None:
    open_database(url)
    connection = plain(url)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    said = sentence_of(f"sqlite:///{tmp_path / 'nowhere' / 'house.db'}")
    assert said == f"The folder {tmp_path / 'nowhere'} is not there; make it first."


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    assert "is a folder" in sentence_of(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize("url", ["", "house.db", "sqlite:house.db", "://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    assert "is no database URL" in sentence_of(url)


def test_another_kind_of_database_is_refused() -> None:
    assert "cannot use mysql" in sentence_of("mysql://localhost/comanda")


def test_a_file_that_is_no_database_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    file = tmp_path / "house.db"
    file.write_text("Dear diary, " * 500)
    assert "is not a database" in sentence_of(url)
    assert file.read_text().startswith("Dear diary")


def test_another_programs_database_is_refused_and_left_alone(url: str) -> None:
    connection = plain(url)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    assert "another program's tables (recipes" in sentence_of(url)
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("recipes",)]


def test_a_newer_schema_is_refused(url: str) -> None:
    open_database(url)
    connection = plain(url)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    said = sentence_of(url)
    assert "of a newer Comanda" in said
    assert "9999" in said
    assert connection.execute("SELECT * FROM alembic_version").fetchall() == [("9999",)]
    connection.close()


def test_a_read_only_file_is_refused(url: str, tmp_path: Path) -> None:
    open_database(url)
    said = sentence_of(f"sqlite:///file:{tmp_path / 'house.db'}?mode=ro&uri=true")
    assert "is read-only" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_file_without_the_right_to_write_is_refused(url: str, tmp_path: Path) -> None:
    open_database(url)
    (tmp_path / "house.db").chmod(0o444)
    assert "is read-only" in sentence_of(url)


def test_a_locked_file_is_refused(url: str) -> None:
    open_database(url)
    connection = plain(url)
    connection.execute("BEGIN IMMEDIATE")
    assert "locked by another program" in sentence_of(url)
    connection.close()


def test_a_full_disk_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("comanda.storage.engines._PRAGMAS", ("PRAGMA max_page_count = 3",))
    assert "no space left" in sentence_of(url)


def test_a_damaged_file_is_told(url: str, tmp_path: Path) -> None:
    open_database(url)
    file = tmp_path / "house.db"
    whole = bytearray(file.read_bytes())
    whole[100:4096] = b"\xff" * (4096 - 100)
    file.write_bytes(bytes(whole))
    assert "is damaged" in sentence_of(url)


async def test_a_store_says_why_it_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="not there"):
        async with open_store(f"sqlite:///{tmp_path / 'nowhere' / 'house.db'}"):
            pass
    with pytest.raises(DatabaseUnusable, match="in memory"):
        async with open_store("sqlite://"):
            pass


def test_a_new_database_is_its_owners_alone_and_one_that_is_there_keeps_its_mode(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new.db"
    for mode in (0o600, 0o640):
        open_database(f"sqlite:///{path}")
        engine = sync_engine(f"sqlite:///{path}", StoreLimits())
        with engine.connect() as connection, connection.begin():
            probe(connection)
            files = list(tmp_path.iterdir())
            assert len(files) == 3  # the log and its index beside it
            assert {stat.S_IMODE(one.stat().st_mode) for one in files} == {mode}
        engine.dispose()
        path.chmod(0o640)
