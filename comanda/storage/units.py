"""Writing units of work, set by set: all the units of a group in a few statements.

Written once, synchronously, on a `Connection` in a transaction; the lane and the inline store run the
same. Rows are touched in sorted order, so that two groups never lock A, B and B, A.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from comanda.actors.ports import StaleEpoch, Unit

from . import bulk
from .changes import UnitRows
from .rows import last_order_text, micros
from .tables import dining_sessions, restaurants

Row = tuple[object, ...]

_s = dining_sessions.c
_fence = bulk.Bulk(
    ("pid", "epoch", "was", "seq", "updated_at", "next_position", "last_order"),
    (_s.pid, _s.epoch, _s.seq, _s.seq, _s.updated_at, _s.next_position, _s.last_order),
    "UPDATE dining_sessions SET seq = given.seq, updated_at = given.updated_at,"
    " next_position = given.next_position, last_order = given.last_order FROM given"
    " WHERE dining_sessions.pid = given.pid AND dining_sessions.epoch = given.epoch"
    " AND dining_sessions.seq = given.was RETURNING dining_sessions.pid",
)
_reserve = bulk.Bulk(
    ("restaurant_id", "more"),
    (restaurants.c.restaurant_id, restaurants.c.last_order_number),
    "UPDATE restaurants SET last_order_number = last_order_number + given.more FROM given"
    " WHERE restaurants.restaurant_id = given.restaurant_id"
    " RETURNING restaurants.restaurant_id, restaurants.last_order_number",
)


def write_units(connection: Connection, units: Sequence[Unit]) -> list[StaleEpoch | None]:
    """Write `units` in the running transaction; for each, None or why its fence refused it.

    A refused unit has written nothing; the others stand. Any other error spoils the transaction.
    """
    outcomes: list[StaleEpoch | None] = [None] * len(units)
    for wave in _waves(units):
        passed = _pass_fence(connection, [units[index] for index in wave])
        rows = UnitRows()
        for index in wave:
            unit = units[index]
            if unit.after.pid in passed:
                rows.collect(unit)
            else:
                outcomes[index] = StaleEpoch(
                    f"session {unit.after.pid} is not at epoch {unit.epoch}, seq {unit.before.seq}"
                )
        rows.write(connection)
    return outcomes


def reserve_numbers(connection: Connection, restaurant_ids: Sequence[int]) -> list[int | None]:
    """The next order number of each restaurant named, as often as it is named; None: unknown."""
    wanted = {number: restaurant_ids.count(number) for number in sorted(set(restaurant_ids))}
    last = {row[0]: row[1] for row in _reserve.run(connection, list(wanted.items()))}
    first = {restaurant_id: last[restaurant_id] - wanted[restaurant_id] for restaurant_id in last}
    numbers: list[int | None] = []
    for restaurant_id in restaurant_ids:
        if restaurant_id in first:
            first[restaurant_id] += 1
        numbers.append(first.get(restaurant_id))
    return numbers


def _waves(units: Sequence[Unit]) -> Iterator[list[int]]:
    """Indices of units that can be written set by set: of one session only one in a wave."""
    waves: list[list[int]] = []
    seen: dict[str, int] = {}
    for index, unit in enumerate(units):
        wave = seen.get(unit.after.pid, 0)
        seen[unit.after.pid] = wave + 1
        if wave == len(waves):
            waves.append([])
        waves[wave].append(index)
    for wave_of in waves:
        yield sorted(wave_of, key=lambda index: units[index].after.pid)


def _pass_fence(connection: Connection, units: Sequence[Unit]) -> set[str]:
    """Move the session rows on that are where their units think they are; their pids."""
    rows: list[Row] = []
    for unit in units:
        after = unit.after
        rows.append(
            (
                after.pid,
                unit.epoch,
                unit.before.seq,
                after.seq,
                micros(after.updated_at),
                after.next_position,
                last_order_text(after.last_order),
            )
        )
    return {row[0] for row in _fence.run(connection, rows)}
