"""The migrations lead to the schema that the code has, with its rules."""

import re
from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Dialect, create_mock_engine, text
from sqlalchemy.dialects import postgresql

from comanda.storage.engines import sync_engine
from comanda.storage.forgetting import forget_closed
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import make_ready, migration_config
from comanda.storage.rows import moment
from comanda.storage.rules import RULES, install_rules
from comanda.storage.tables import metadata

POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

OBJECTS = (
    "SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'"
    " AND sql IS NOT NULL ORDER BY type, name"
)


@pytest.fixture
def migrated() -> Iterator[Connection]:
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.connect() as connection:
        make_ready(connection)
        yield connection
    engine.dispose()


def test_alembic_finds_nothing_to_change_after_the_migrations(migrated: Connection) -> None:
    context = MigrationContext.configure(migrated, opts={"compare_type": True})
    assert compare_metadata(context, metadata) == []


def _words(connection: Connection) -> list[tuple[str, str, list[str]]]:
    rows = connection.execute(text(OBJECTS)).all()
    # Constraints may stand in another order, and ALTER TABLE breaks no line between columns.
    return [
        (kind, name, sorted(part.strip() for part in re.split(r"[,\n]", sql) if part.strip()))
        for kind, name, sql in rows
    ]


def test_the_migrations_make_what_the_tables_say_word_for_word(migrated: Connection) -> None:
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.begin() as connection:
        metadata.create_all(connection)
        install_rules(connection)
        made = _words(connection)
    engine.dispose()
    assert _words(migrated) == made
    assert len(made) > 40


def test_there_is_one_line_of_migrations() -> None:
    scripts = ScriptDirectory.from_config(migration_config())
    assert scripts.get_bases() == ["0001"]
    assert len(scripts.get_heads()) == 1


def test_rules_can_be_put_in_again(migrated: Connection) -> None:
    with migrated.begin():
        migrated.execute(
            text(
                "CREATE TRIGGER of_an_older_version BEFORE DELETE ON orders"
                " BEGIN SELECT RAISE(ABORT, 'x'); END"
            )
        )
        install_rules(migrated)
        names = migrated.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ).scalars()
        assert sorted(names) == sorted(rule.name for rule in RULES)


def test_every_table_can_be_said_to_postgresql() -> None:
    said: list[str] = []
    engine = create_mock_engine(
        "postgresql://",
        lambda sql, *_, **__: said.append(str(sql.compile(dialect=POSTGRESQL))),
    )
    metadata.create_all(engine, checkfirst=False)
    assert any("WHERE state IN ('prepared', 'sent', 'unknown')" in sql for sql in said)
    assert not any("ROWID" in sql for sql in said)


def test_of_sessions_that_closed_before_they_were_to_be_forgotten_the_last_change_is_known() -> (
    None
):
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.connect() as connection:
        with connection.begin():
            command.upgrade(migration_config(connection), "0003")
            connection.execute(
                text("INSERT INTO restaurants VALUES (7, 'Trattoria', 'INR', 2, NULL, 1, 'd')")
            )
            connection.execute(text("INSERT INTO tables VALUES ('T1', 7, 'Table 1', 0, TRUE)"))
            for pid, reason in (("closed", "'They left'"), ("open", "NULL")):
                connection.execute(
                    text(
                        f"INSERT INTO dining_sessions VALUES ('{pid}', 7, 'T1', 'Table 1', 'INR', 2,"
                        f" 1000, 2000, 5, 5, 3, NULL, {reason})"
                    )
                )
                connection.execute(
                    text(f"INSERT INTO members VALUES ('{pid}', 'm-{pid}', 0, 'Ana', 1500)")
                )
        make_ready(connection)
        with connection.begin():
            found = connection.execute(text("SELECT pid, closed_at FROM dining_sessions")).all()
            assert {row.pid: row.closed_at for row in found} == {"closed": 2000, "open": None}
            assert forget_closed(connection, moment(2001), moment(9000), 10) == 1
            names = connection.execute(text("SELECT session_pid, name FROM members")).all()
            assert {row.session_pid: row.name for row in names} == {
                "closed": "a guest",
                "open": "Ana",
            }
    engine.dispose()
