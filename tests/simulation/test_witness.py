"""The witness on a real database that two houses share."""

import pytest
from msgspec.structs import replace

from comanda.actors.domain.changes import Changes
from comanda.actors.ports import Loaded, SessionKey, StaleEpoch, Unit
from comanda.simulation.cuts import CutStore
from comanda.simulation.determinism import STARTS_AT
from comanda.simulation.lives import Life
from comanda.simulation.restaurants import RESTAURANTS
from comanda.simulation.shelf import Shelf
from comanda.simulation.witness import Witness


def _store(shelf: Shelf, witness: Witness) -> CutStore:
    return CutStore(shelf.connection, Life(None), witness, compares=lambda: False)


def _unit(loaded: Loaded) -> Unit:
    before = loaded.session
    return Unit(loaded.epoch, before, replace(before, seq=before.seq + 1), Changes())


async def _fence_off(store: CutStore, other: CutStore, witness: Witness) -> SessionKey:
    """`other` claims the session that `store` has, and `store` has a commit refused for it."""
    key = await store.open_session(RESTAURANTS[0].tables[0], "session_1", STARTS_AT)
    witness.watch(key)
    loaded = await store.activate(key)
    await store.commit(_unit(loaded))
    await other.activate(key)
    with pytest.raises(StaleEpoch):
        await store.commit(_unit(loaded))
    return key


async def test_a_session_that_another_house_has_claimed_has_a_failure_of_its_own(
    shelf: Shelf,
) -> None:
    """Profile all, seeds 739 and 1055: a paused house woke within an activation and claimed the table."""
    shelf.clear()
    witness = Witness(shelf.connection)
    key = await _fence_off(_store(shelf, witness), _store(shelf, witness), witness)
    assert len(witness.sessions[key.pid].failures) == 1


async def test_a_house_that_fences_itself_off_is_no_excuse(shelf: Shelf) -> None:
    shelf.clear()
    witness = Witness(shelf.connection)
    store = _store(shelf, witness)
    key = await _fence_off(store, store, witness)
    assert witness.sessions[key.pid].failures == []
