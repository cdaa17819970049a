"""What cannot wait for a session's actor: decided upon what storage has, and committed, without one."""

from .domain.changes import Changes
from .domain.decide import decide
from .domain.inputs import Context, Decision, Input
from .noting import note
from .ports import SessionKey, Unit
from .surroundings import Surroundings


async def decide_unattended(around: Surroundings, key: SessionKey, said: Input) -> Changes:
    """Decide upon `said` for a session that can have no actor now; what has changed, durably.

    Nobody is told, since nobody can be connected to it: who comes back finds it in the snapshot. It
    claims an epoch, as an activation does, so that never two decide upon the same state.

    Raises:
        NoSuchSession: there is none with this key.
        StaleEpoch: the session has an actor again; nothing was written.
        StorageUnavailable, CommitUnknown: it is to be looked at again.
    """
    loaded = await around.store.activate(key)
    context = Context(
        now=around.clock.now(),
        menu=around.menus.current(key.restaurant_id),
        ids=around.ids,
        lock_limit_seconds=around.lock_limit_seconds,
    )
    decision = decide(loaded.session, said, context)
    if not isinstance(decision, Decision) or decision.session is loaded.session:
        return Changes()
    await around.store.commit(
        Unit(loaded.epoch, loaded.session, decision.session, decision.changes)
    )
    note(around.tally, key, loaded.session, [(said, decision)])
    return decision.changes
