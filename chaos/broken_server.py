"""`python -m chaos.broken_server FAULT serve …`: the real server with one thing broken on purpose.

The proof must find each of these; one that finds nothing has proved nothing.
"""

import sys
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import trio
from msgspec.structs import replace

import comanda.app
import comanda.storage.units as units
from comanda.actors.domain import decide
from comanda.actors.domain.inputs import Decision
from comanda.actors.domain.messages import Ack
from comanda.actors.domain.order import Order, PosOutcome, Rejected, Unknown
from comanda.actors.ports import StaleEpoch, Unit
from comanda.actors.pos_task import PosTask
from comanda.cli import main
from comanda.pos.webhook import WebhookPos
from comanda.storage import bulk
from comanda.storage.store import SqlStore
from comanda.storage.tables import dining_sessions

COMMIT_LATE_SECONDS = 0.5
"""How long after its acknowledgement a change is made durable, where that comes first."""


def new_key_per_attempt() -> None:
    """Each attempt after the first goes out under a key of its own."""
    submit = WebhookPos.submit

    async def broken(self: WebhookPos, order: Order) -> PosOutcome:
        if order.attempt > 1:
            key = f"{order.order_id}-{order.attempt}"
            payload = order.payload.replace(order.order_id.encode(), key.encode())
            order = replace(order, order_id=key, payload=payload)
        return await submit(self, order)

    _put(WebhookPos, "submit", broken)


def timeout_is_failure() -> None:
    """Silence of the POS is taken for a refusal, and the cart is unlocked."""
    ask = PosTask._ask_pos

    async def broken(self: PosTask, order: Order) -> PosOutcome:
        outcome = await ask(self, order)
        if isinstance(outcome, Unknown):
            return Rejected("timeout", "POS system unavailable", True)
        return outcome

    _put(PosTask, "_ask_pos", broken)


def acknowledge_before_commit() -> None:
    """A commit is said to be durable a moment before it is."""
    commit = SqlStore.commit
    waiting: deque[Unit] = deque()

    async def later(store: SqlStore) -> None:
        await trio.sleep(COMMIT_LATE_SECONDS)
        while waiting:
            with suppress(StaleEpoch):  # nobody is there any more who could be told
                await commit(store, waiting.popleft())

    async def broken(self: SqlStore, unit: Unit) -> None:
        await trio.lowlevel.checkpoint()
        if not waiting:
            trio.lowlevel.spawn_system_task(later, self)
        waiting.append(unit)

    _put(SqlStore, "commit", broken)


def no_request_memory() -> None:
    """A `request_id` that comes again is worked on again."""

    def broken(decision: Decision, member_id: str, request_id: str, fingerprint: bytes) -> Decision:
        return replace(decision, reply=Ack(request_id, decision.session.seq))

    _put(decide, "_remember", broken)


def no_owner() -> None:
    """A second server may serve the same database. Broken alone, the fence still holds it all together."""
    _put(comanda.app, "owned", lambda path: nullcontext())


def no_fence() -> None:
    """Commits of a stale activation are written; and, to have one, a second server may start."""
    no_owner()
    real = units._fence
    _put(
        units,
        "_fence",
        bulk.Bulk(
            ("pid", "epoch", "was", "seq", "updated_at", "next_position", "last_order"),
            _types_of(real),
            "UPDATE dining_sessions SET seq = given.seq, updated_at = given.updated_at,"
            " next_position = given.next_position, last_order = given.last_order FROM given"
            " WHERE dining_sessions.pid = given.pid RETURNING dining_sessions.pid",
        ),
    )


BROKEN: dict[str, Callable[[], None]] = {
    "new-key-per-attempt": new_key_per_attempt,
    "timeout-is-failure": timeout_is_failure,
    "acknowledge-before-commit": acknowledge_before_commit,
    "no-request-memory": no_request_memory,
    "no-owner": no_owner,
    "no-fence": no_fence,
}


def _put(where: object, name: str, what: object) -> None:
    """Replace `name`, which must be there: a fault that breaks nothing would prove nothing."""
    getattr(where, name)
    setattr(where, name, what)


def _types_of(fence: bulk.Bulk) -> tuple[Any, ...]:
    columns = dining_sessions.c
    return (
        columns.pid,
        columns.epoch,
        columns.seq,
        columns.seq,
        columns.updated_at,
        columns.next_position,
        columns.last_order,
    )


if __name__ == "__main__":
    BROKEN[sys.argv.pop(1)]()
    main()
