"""Set-based statements: many rows in one statement, whose text is made once for each size.

Every statement of a group costs four trips through the driver's thread, and a multi-row statement lets
go of the interpreter once where `executemany` does at each row. So rows travel as one `VALUES` list. Its
length is padded to a power of two with rows of NULL, which the statement's body must pass over: the
engine then knows a few texts, each prepared once, instead of one for every length.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Row, Table

AnyRow = Row[*tuple[Any, ...]]

ROWS_MAX = 256
"""Rows of one statement; 23 columns of them stay far under both engines' 32,766 parameters."""


class Bulk:
    """`body` over the rows of a table expression `given`, whose columns have `columns`' types.

    `body` must pass over rows whose first column is NULL.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[Column[Any]], body: str) -> None:
        self._names = tuple(names)
        self._columns = tuple(columns)
        self._body = body
        self._texts: dict[tuple[str, int], str] = {}
        self._no_row = (None,) * len(self._names)

    def run(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> list[AnyRow]:
        """Run the statement over `rows`; what its RETURNING gave, [] where it has none."""
        returned: list[AnyRow] = []
        for start in range(0, len(rows), ROWS_MAX):
            part = rows[start : start + ROWS_MAX]
            size = 1 << (len(part) - 1).bit_length()
            values: list[object] = []
            for row in part:
                values += row
            values += self._no_row * (size - len(part))
            result = connection.exec_driver_sql(self._text(connection.dialect, size), tuple(values))
            if result.returns_rows:
                returned += result.all()
        return returned

    def _text(self, dialect: Dialect, size: int) -> str:
        text = self._texts.get((dialect.name, size))
        if text is None:
            text = self._texts[dialect.name, size] = self._compose(dialect, size)
        return text

    def _compose(self, dialect: Dialect, size: int) -> str:
        marks = _marks(dialect, size * len(self._names))
        tuples = []
        for number in range(size):
            row = [next(marks) for _ in self._names]
            if number == 0 and dialect.name == "postgresql":
                # Parameters have no types of their own there; the first row gives them.
                row = [
                    f"CAST({mark} AS {column.type.compile(dialect)})"
                    for mark, column in zip(row, self._columns, strict=True)
                ]
            tuples.append(f"({', '.join(row)})")
        return f"WITH given ({', '.join(self._names)}) AS (VALUES {', '.join(tuples)}) {self._body}"


def _marks(dialect: Dialect, count: int) -> Iterator[str]:
    if dialect.paramstyle == "numeric_dollar":
        return iter([f"${number}" for number in range(1, count + 1)])
    return iter(["?" if dialect.paramstyle == "qmark" else "%s"] * count)


def insert(table: Table, names: Sequence[str], then: str = "") -> Bulk:
    """Insert rows of `names`; `then` is an ON CONFLICT clause."""
    listed = ", ".join(names)
    return Bulk(
        names,
        [table.c[name] for name in names],
        f"INSERT INTO {table.name} ({listed}) SELECT {listed} FROM given"
        f" WHERE given.{names[0]} IS NOT NULL {then}",
    )


def upsert(table: Table, names: Sequence[str], changing: Sequence[str]) -> Bulk:
    """Insert rows of `names`, or where the key is there, set the `changing` ones."""
    key = ", ".join(column.name for column in table.primary_key)
    sets = ", ".join(f"{name} = excluded.{name}" for name in changing)
    return insert(table, names, f"ON CONFLICT ({key}) DO UPDATE SET {sets}")


def update(table: Table, key: Sequence[str], setting: Sequence[str]) -> Bulk:
    """Set the `setting` columns of the rows with these keys; rows are the key, then the settings."""
    names = (*key, *setting)
    sets = ", ".join(f"{name} = given.{name}" for name in setting)
    where = " AND ".join(f"{table.name}.{name} = given.{name}" for name in key)
    return Bulk(
        names,
        [table.c[name] for name in names],
        f"UPDATE {table.name} SET {sets} FROM given WHERE {where}",
    )
