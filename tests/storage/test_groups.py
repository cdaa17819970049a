"""A group in one transaction: who pays for a fault, and what each owner is told."""

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from outcome import Error, Maybe, Value
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError

from comanda.actors.domain.cart import CartLine
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.menu import Table
from comanda.actors.domain.messages import ResolveNow
from comanda.actors.ports import CommitUnknown, StaleEpoch, StorageUnavailable, Unit
from comanda.storage import menus, sessions
from comanda.storage.engines import sync_engine
from comanda.storage.groups import Call, Commit, Reserve, Work, settle
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import open_database

from .house import NOW, Party, key_of, restaurant, touched

LIMITS = StoreLimits(busy_seconds=0.05)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = sync_engine(open_database(url, LIMITS), LIMITS)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def parties(connection: Connection) -> list[Party]:
    """Six tables, somebody sits at each."""
    given = restaurant(tables=6)
    call(connection, lambda c: menus.install(c, [given], "menu"))
    seated = []
    for table in given.tables:
        open_it = partial(sessions.open_session, table=table, pid=f"S-{table.code}", now=NOW)
        key = call(connection, open_it)
        seated.append(Party(call(connection, partial(sessions.activate, key=key))))
    assert all(
        isinstance(done, Value) for done in commit(connection, *(p.arrives() for p in seated))
    )
    return seated


def call(connection: Connection, function: Callable[[Connection], Any]) -> Any:
    return settle(connection, [Call(function)])[0].unwrap()


def commit(connection: Connection, *units: Unit) -> list[Maybe[Any]]:
    return settle(connection, [Commit(unit) for unit in units])


def stored_seq(connection: Connection, party: Party) -> int:
    there = call(connection, lambda c: sessions.seq_of(c, party.session))
    assert there is not None
    return int(there[1])


def told(outcome: Maybe[Any]) -> BaseException:
    assert isinstance(outcome, Error)
    return outcome.error


def wrong(unit: Unit, **content: object) -> Unit:
    """The unit with something in its lines that cannot be."""
    changes = Changes()
    changes.add(unit.changes)
    for public_id, line in unit.changes.lines.items():
        changes.lines[public_id] = replace(line, **content)
    return replace(unit, changes=changes)


def operational(sentence: str = "disk I/O error") -> OperationalError:
    return OperationalError("COMMIT", None, sqlite3.OperationalError(sentence))


@contextmanager
def hooked(engine: Engine, name: str, hook: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, hook)
    try:
        yield
    finally:
        event.remove(engine, name, hook)


def test_one_units_violation_fails_no_neighbour(
    connection: Connection, parties: list[Party]
) -> None:
    units = [party.adds() for party in parties]
    units[2] = wrong(units[2], qty=0)
    units[5] = wrong(units[5], note="\ud800")  # no text that any database takes
    outcomes = commit(connection, *units)
    assert isinstance(told(outcomes[2]), IntegrityError)
    assert isinstance(told(outcomes[5]), UnicodeEncodeError)
    assert [at for at, outcome in enumerate(outcomes) if isinstance(outcome, Value)] == [0, 1, 3, 4]
    for at, party in enumerate(parties):
        assert stored_seq(connection, party) == (1 if at in (2, 5) else 2)


def test_a_violation_leaves_nothing_of_its_own_unit(
    connection: Connection, parties: list[Party]
) -> None:
    party = parties[0]
    (outcome,) = commit(connection, wrong(party.adds(), price_minor=-1))
    assert isinstance(told(outcome), IntegrityError)
    loaded = call(connection, lambda c: sessions.activate(c, key_of(party.session))).session
    assert (loaded.seq, loaded.lines, loaded.next_position) == (1, {}, 0)


def test_a_stale_unit_fails_alone_and_at_once(connection: Connection, parties: list[Party]) -> None:
    call(connection, lambda c: sessions.activate(c, key_of(parties[1].session)))
    outcomes = commit(connection, *(party.adds() for party in parties))
    assert isinstance(told(outcomes[1]), StaleEpoch)
    assert sum(isinstance(outcome, Value) for outcome in outcomes) == 5
    assert stored_seq(connection, parties[1]) == 1


def test_units_of_one_session_are_written_in_their_order(
    connection: Connection, parties: list[Party]
) -> None:
    party, other = parties[:2]
    units = [party.adds(), other.adds(), party.adds(9), party.adds(2)]
    assert all(isinstance(outcome, Value) for outcome in commit(connection, *units))
    loaded = call(connection, lambda c: sessions.activate(c, key_of(party.session)))
    assert loaded.session == party.session


def test_what_follows_a_failed_unit_of_the_same_session_is_stale(
    connection: Connection, parties: list[Party]
) -> None:
    party, other = parties[:2]
    bad = wrong(party.adds(), qty=100)
    outcomes = commit(connection, bad, party.adds(9), other.adds())
    assert isinstance(told(outcomes[0]), IntegrityError)
    assert isinstance(told(outcomes[1]), StaleEpoch)
    assert isinstance(outcomes[2], Value)


def test_a_group_larger_than_one_statement_is_written_whole(
    connection: Connection, parties: list[Party]
) -> None:
    party = parties[0]
    lines = {
        f"L{number}": CartLine(
            f"L{number}", number, 9, "Chai", 5000, 1, "", "pending", True, party.member_id
        )
        for number in range(600)
    }
    changes = Changes()
    changes.lines.update(lines)
    after = replace(party.session, seq=2, lines=lines, next_position=600)
    (outcome,) = commit(connection, Unit(party.epoch, party.session, after, changes))
    assert isinstance(outcome, Value)
    assert call(connection, lambda c: sessions.activate(c, key_of(after))).session == after


def test_numbers_units_and_calls_share_a_transaction(
    connection: Connection, parties: list[Party]
) -> None:
    works: list[Work] = [
        Reserve(7),
        Commit(parties[0].adds()),
        Reserve(99),
        Call(lambda c: sessions.find_session(c, "S-T1")),
        Reserve(7),
    ]
    outcomes = settle(connection, works)
    assert [outcomes[at].unwrap() for at in (0, 4)] == [1, 2]
    assert isinstance(told(outcomes[2]), LookupError)
    assert outcomes[3].unwrap() is not None
    assert stored_seq(connection, parties[0]) == 2


def test_an_error_before_the_commit_means_nothing_was_written(
    engine: Engine, connection: Connection, parties: list[Party]
) -> None:
    units = [party.adds() for party in parties]

    def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT INTO cart_items" in statement:
            raise operational()

    with hooked(engine, "before_cursor_execute", fail):
        outcomes = commit(connection, *units)
    assert all(isinstance(told(outcome), StorageUnavailable) for outcome in outcomes)
    assert all(stored_seq(connection, party) == 1 for party in parties)
    assert all(isinstance(outcome, Value) for outcome in commit(connection, *units))


def test_a_commit_that_failed_is_found_not_to_have_happened(
    engine: Engine, connection: Connection, parties: list[Party]
) -> None:
    units = [party.adds() for party in parties]
    faults = [operational()]

    def fail(_connection: Connection) -> None:
        if faults:
            raise faults.pop()

    with hooked(engine, "commit", fail):
        outcomes = commit(connection, *units)
    assert all(isinstance(told(outcome), StorageUnavailable) for outcome in outcomes)
    assert all(stored_seq(connection, party) == 1 for party in parties)
    assert all(isinstance(outcome, Value) for outcome in commit(connection, *units))


def test_a_commit_that_happened_in_spite_of_its_error_is_told_as_done(
    engine: Engine, connection: Connection, parties: list[Party]
) -> None:
    units = [party.adds() for party in parties]
    faults = [operational()]

    def commit_and_fail(connection: Connection) -> None:
        if faults:
            connection.connection.commit()
            raise faults.pop()

    with hooked(engine, "commit", commit_and_fail):
        outcomes = commit(connection, *units)
    assert all(isinstance(outcome, Value) for outcome in outcomes)
    assert all(stored_seq(connection, party) == 2 for party in parties)


@pytest.mark.parametrize("happened", [False, True])
def test_a_commit_of_which_nothing_can_be_found_out_is_unknown(
    engine: Engine, connection: Connection, parties: list[Party], happened: bool
) -> None:
    works: list[Work] = [Commit(parties[0].adds()), Reserve(7)]

    def fail(connection: Connection) -> None:
        if happened:
            connection.connection.commit()
        raise operational()

    with hooked(engine, "commit", fail):
        outcomes = settle(connection, works)
    assert isinstance(told(outcomes[0]), CommitUnknown)
    assert isinstance(told(outcomes[1]), StorageUnavailable)  # a gap in the numbers harms nobody
    assert stored_seq(connection, parties[0]) == (2 if happened else 1)


def test_a_unit_that_moved_no_seq_proves_nothing(
    engine: Engine, connection: Connection, parties: list[Party]
) -> None:
    party = parties[0]
    unit = party.decided(ByMember(party.member_id, ResolveNow(request_id="r")))
    faults = [operational()]

    def fail(_connection: Connection) -> None:
        if faults:
            raise faults.pop()

    with hooked(engine, "commit", fail):
        (outcome,) = commit(connection, unit)
    assert isinstance(told(outcome), CommitUnknown)


def test_a_neighbour_proves_it_for_a_unit_that_moved_no_seq(
    engine: Engine, connection: Connection, parties: list[Party]
) -> None:
    party = parties[0]
    units = [
        party.decided(ByMember(party.member_id, ResolveNow(request_id="r"))),
        parties[1].adds(),
    ]
    faults = [operational()]

    def commit_and_fail(connection: Connection) -> None:
        if faults:
            connection.connection.commit()
            raise faults.pop()

    with hooked(engine, "commit", commit_and_fail):
        outcomes = commit(connection, *units)
    assert all(isinstance(outcome, Value) for outcome in outcomes)


def test_a_full_database_takes_nothing_and_recovers(
    connection: Connection, parties: list[Party]
) -> None:
    pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    connection.rollback()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()
    connection.rollback()
    party = parties[0]
    unit = party.adds()
    while True:
        (outcome,) = commit(connection, wrong(unit, note="n" * 4000))
        if isinstance(outcome, Error):
            break
        unit = party.adds()
    assert isinstance(outcome.error, StorageUnavailable)
    assert "full" in str(outcome.error)
    assert stored_seq(connection, party) == unit.before.seq
    connection.exec_driver_sql("PRAGMA max_page_count = 100000").close()
    connection.rollback()
    assert isinstance(commit(connection, unit)[0], Value)


@pytest.mark.parametrize("moves_seq", [True, False])
def test_a_commit_that_finds_no_space_has_not_happened(
    connection: Connection, parties: list[Party], url: str, moves_seq: bool
) -> None:
    """The log may not grow: the error comes from COMMIT, as on a disk that is full."""
    log = Path(url.removeprefix("sqlite:///") + "-wal")
    party = parties[0]
    asks = ByMember(party.member_id, ResolveNow(request_id="r"))
    unit = party.adds() if moves_seq else party.decided(asks)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
    try:
        (outcome,) = commit(connection, unit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(told(outcome), StorageUnavailable)
    assert stored_seq(connection, party) == 1
    assert isinstance(commit(connection, unit)[0], Value)


def test_a_work_that_reads_first_has_the_writers_lock_already(
    connection: Connection, parties: list[Party], url: str
) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=0)
    refusals: list[str] = []

    def read_then_write(connection: Connection) -> None:
        menus.all_restaurants(connection)
        try:
            other.execute("UPDATE restaurants SET name = 'Other'")
        except sqlite3.OperationalError as error:
            refusals.append(str(error))
        connection.execute(text("UPDATE restaurants SET name = 'Ours'"))

    try:
        call(connection, read_then_write)
    finally:
        other.close()
    assert refusals == ["database is locked"]
    assert call(connection, menus.all_restaurants)[7].name == "Ours"


def test_a_lock_that_another_program_holds_is_an_outage_until_it_goes(
    connection: Connection, parties: list[Party], url: str
) -> None:
    unit = parties[0].adds()
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        (outcome,) = commit(connection, unit)
        assert isinstance(told(outcome), StorageUnavailable)
        assert "locked" in str(told(outcome))
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert isinstance(commit(connection, unit)[0], Value)
    assert isinstance(commit(connection, touched(unit))[0], Value)


def test_a_call_that_fails_leaves_nothing(connection: Connection, parties: list[Party]) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("UPDATE restaurants SET name = 'half'"))
        raise KeyError("a bug")

    works: list[Work] = [Call(half), Commit(parties[0].adds())]
    outcomes = settle(connection, works)
    assert isinstance(told(outcomes[0]), KeyError)
    assert isinstance(outcomes[1], Value)
    there = call(connection, menus.all_restaurants)
    assert there[7].name == "Trattoria"


def test_a_table_of_an_unknown_restaurant_is_not_opened(connection: Connection) -> None:
    with pytest.raises(LookupError, match="no restaurant 5"):
        call(connection, lambda c: sessions.open_session(c, Table("X", "X", 5), "S", NOW))
