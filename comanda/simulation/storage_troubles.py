"""When storage fails: commits that are refused or whose outcome nobody knows, and outages."""

import trio

from comanda.storage.groups import Commit, Work

from .cuts import Trouble
from .evening import Outage, Plan
from .logbook import Logbook
from .witness import Witness

COMPARE_EVERY = 7
"""Every seventh commit the whole session is loaded and compared with memory: it costs ten commits."""


RECOVERY_SECONDS = 30.0
"""From a fault of storage until the last session has been restored: probes, restarts, their backoff."""


class StorageTroubles:
    """One evening's, as its plan has them, until `end`."""

    def __init__(self, plan: Plan, witness: Witness, logbook: Logbook) -> None:
        self.recovered: list[float] = []
        """When storage could be worked with again."""
        self._witness = witness
        self._logbook = logbook
        self._kinds = {fault.number: fault.kind for fault in plan.storage}
        self._commits = 0
        self._compared = 0
        self._answers = True
        self._ended = False

    def compares(self) -> bool:
        """Whether memory is compared with storage after this commit."""
        self._compared += 1
        return self._compared % COMPARE_EVERY == 0

    def of(self, work: Work) -> Trouble | None:
        """How storage fails with this work, if it does."""
        if not self._answers:
            return "refused"
        if not isinstance(work, Commit) or self._ended:
            return None
        self._commits += 1
        kind = self._kinds.get(self._commits)
        if kind is None:
            return None
        self._logbook.met(f"commit {kind}", f"storage: this commit is {kind}")
        self._witness.disturbed(trio.current_time(), trio.current_time() + RECOVERY_SECONDS)
        self.recovered.append(trio.current_time())
        return kind

    async def fail_for_a_while(self, outage: Outage) -> None:
        """Wait for the outage, and have storage answer nothing while it lasts."""
        await trio.sleep(outage.at)
        self._logbook.met("outage", "storage: an outage begins")
        began = trio.current_time()
        self._witness.disturbed(began, began + outage.seconds + RECOVERY_SECONDS)
        self._answers = False
        try:
            await trio.sleep(outage.seconds)
        finally:
            self._answers = True
            self._logbook.note("storage: answers again")
            self.recovered.append(trio.current_time())

    def end(self) -> None:
        """No commit fails any more."""
        self._ended = True
