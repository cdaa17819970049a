"""`SqlStore` alone: groups through the thread, faults of the file beneath it, its end."""

import sqlite3

import pytest
import trio
import trio.testing
from msgspec.structs import replace
from sqlalchemy.exc import IntegrityError

from comanda.actors.ports import StorageUnavailable, Store
from comanda.storage.lane import WATCH_SECONDS
from comanda.storage.store import StoreLimits, open_store

from .house import Party, key_of, restaurant, seat

TABLES = 60


async def seated(store: Store) -> list[Party]:
    """A full house, somebody at each table."""
    await store.install([restaurant(tables=TABLES)], "menu")
    parties = [await seat(store, number) for number in range(1, TABLES + 1)]
    async with trio.open_nursery() as nursery:
        for party in parties:
            nursery.start_soon(store.commit, party.arrives())
    return parties


async def test_commits_at_once_share_transactions(url: str) -> None:
    async with open_store(url) as store:
        parties = await seated(store)
        before = store.groups
        async with trio.open_nursery() as nursery:
            for party in parties:
                nursery.start_soon(store.commit, party.adds())
        assert store.groups - before < TABLES / 2
        for party in parties:
            assert (await store.activate(key_of(party.session))).session == party.session


async def test_a_bug_in_one_actor_fails_no_other_ones_commit(url: str) -> None:
    async with open_store(url) as store:
        parties = await seated(store)
        failed: list[str] = []

        async def commit(party: Party, wrong: bool) -> None:
            unit = party.adds()
            if wrong:
                for public_id, line in unit.changes.lines.items():
                    unit.changes.lines[public_id] = replace(line, qty=0)
            try:
                await store.commit(unit)
            except IntegrityError:
                failed.append(party.session.pid)

        async with trio.open_nursery() as nursery:
            for number, party in enumerate(parties):
                nursery.start_soon(commit, party, number % 20 == 7)
        assert sorted(failed) == ["S28", "S48", "S8"]
        for party in parties:
            loaded = (await store.activate(key_of(party.session))).session
            assert loaded.seq == (1 if party.session.pid in failed else 2)


def test_a_unit_behind_a_group_that_meets_a_lock_hears_before_its_time_is_out() -> None:
    limits = StoreLimits()
    # Else it would be of unknown outcome, and its table restored, though nothing was written.
    assert 2 * limits.busy_seconds + 2 * WATCH_SECONDS < limits.wait_seconds


async def test_a_locked_file_is_unavailable_and_reads_go_on(url: str) -> None:
    async with open_store(url, StoreLimits(busy_seconds=0.05)) as store:
        await store.install([restaurant()], "menu")
        party = await seat(store)
        unit = party.arrives()
        other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageUnavailable, match="locked"):
                await store.commit(unit)
            with pytest.raises(StorageUnavailable):
                await store.probe()
            with pytest.raises(StorageUnavailable):
                await store.activate(key_of(party.session))
            assert await store.find_session("S1") is not None
        finally:
            other.close()
        await store.probe()
        await store.commit(unit)


async def test_a_full_disk_is_unavailable_and_reads_go_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_store(url) as store:
        await store.install([restaurant()], "menu")
        party = await seat(store)
        await store.commit(party.arrives())
    file = sqlite3.connect(url.removeprefix("sqlite:///"))
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.close()
    monkeypatch.setattr(
        "comanda.storage.engines._PRAGMAS", (f"PRAGMA max_page_count = {pages + 4}",)
    )
    async with open_store(url) as store:
        party = Party(await store.activate(key_of(party.session)))
        with pytest.raises(StorageUnavailable, match="full"):
            await _fill(store, party)
        loaded = await store.activate(key_of(party.session))
        assert 0 < len(loaded.session.lines) < len(party.session.lines)


async def _fill(store: Store, party: Party) -> None:
    for _ in range(100):
        unit = party.adds()
        for public_id, line in unit.changes.lines.items():
            unit.changes.lines[public_id] = replace(line, note="n" * 3000)
        await store.commit(unit)


async def test_a_crowd_larger_than_the_queue_is_refused_and_the_rest_is_served(url: str) -> None:
    async with open_store(url, StoreLimits(queued_max=5)) as store:
        await store.install([restaurant()], "menu")
        told: list[bool] = []

        async def reserve() -> None:
            try:
                await store.reserve_order_number(7)
            except StorageUnavailable:
                told.append(False)
            else:
                told.append(True)

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(reserve)
        assert len(told) == 50
        assert 5 <= sum(told) < 50


async def test_a_closed_store_is_unavailable(url: str) -> None:
    async with open_store(url) as store:
        await store.probe()
    with pytest.raises(StorageUnavailable, match="closed"):
        await store.probe()
    with pytest.raises(StorageUnavailable, match="closed"):
        await store.restaurants()


async def test_closing_when_cancelled_still_finishes_what_is_queued(url: str) -> None:
    with trio.CancelScope() as scope:
        async with open_store(url) as store:
            await store.install([restaurant()], "menu")
            party = await seat(store)
            unit = party.arrives()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(store.commit, unit)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
    assert scope.cancelled_caught
    async with open_store(url) as store:
        assert (await store.activate(key_of(party.session))).session.seq in (0, 1)
