"""What one run does: how many cycles, how large a house, which disturbances, and every limit's reason."""

import random
from dataclasses import dataclass
from typing import Final

from comanda.failpoints import PLACES

LOCK_LIMIT_SECONDS: Final = 6.0
"""Short, so that orders in doubt get to the staff within a few cycles."""

POS_TIMEOUT_SECONDS: Final = 1.5
"""Short, so that silence is met often; a tenth of it would time out on a busy machine's own delays."""

CYCLES_AN_EVENING: Final = 50
"""After so many cycles the house settles, is checked, and begins anew in an empty folder: the evidence
stays small enough to be read, and a violation is found soon."""

START_SECONDS: Final = 30.0
"""A program that takes longer to be ready is taken for broken."""

PREPARE_SECONDS: Final = 120.0
"""For all tables to get their lines: two seconds for two hundred on a machine that does nothing else."""

PROGRESS_SECONDS: Final = 30.0
"""Within this time of everything running again somebody must be acknowledged (I15)."""

CYCLE_SECONDS: Final = 90.0
"""The whole of a cycle: the longest disturbance, two starts and the first acknowledgement."""

SETTLE_SECONDS: Final = 30.0
"""After the last fault everything settles within this and the lock limit (I15)."""

DOUBT_SLACK_SECONDS: Final = 10.0
"""How late the end of a lock may be told, outages of the server apart: its sweeps look every half
second and every five, and the machine is busy."""

DISTURBANCES: Final[dict[str, int]] = {
    "kill-server": 28,
    "failpoint": 28,
    "storage-faults": 6,
    "kill-pos": 12,
    "stop-server": 8,
    "stop-pos": 8,
    "cut-members": 14,
    "end-server": 4,
    "close-tables": 6,
}
"""What may happen in a cycle, and how often."""

SPECIAL_DISTURBANCES: Final = ("second-server",)
"""Only where they are asked for: the server itself refuses to be a second one on its database."""

COMMON_FAILPOINT_MOST: Final = 40
"""Commits are many: one of the first so many is the last."""

RARE_FAILPOINT_MOST: Final = 4
"""Steps of an order are few: one of the first so many is the last."""

STORAGE_FAULTS: Final = (
    "commit.before=error@{0}",
    "commit.after=error@{0}",
    "commit.before=sleep(0.5)@{0}",
    "commit.before=outage(1.5)@{0}",
    "commit.after=outage(1.5)@{0}",
)
"""Commits that fail before or after they are made, that take long, and a database that is gone a while."""

POS_FAULTS: Final[dict[str, float]] = {
    "hang": 0.04,
    "delay=2": 0.04,
    "delay=8": 0.02,
    "lost": 0.05,
    "reset": 0.05,
    "error-before": 0.04,
    "error-after": 0.05,
    "garbage": 0.04,
    "truncated": 0.04,
    "busy=1": 0.04,
    "pending=2": 0.05,
    "pending-reject=2": 0.03,
    "pending-twice=2": 0.03,
    "pending-early=1": 0.03,
    "pending-silent=2": 0.03,
    "accept-early": 0.03,
    "reject-then-accept=1": 0.02,
    "accept-then-reject=1": 0.02,
    "reject": 0.04,
    "key-reused": 0.03,
    "lookup-hang": 0.05,
    "lookup-delay=2": 0.05,
    "lookup-garbage": 0.05,
    "lookup-truncated": 0.03,
    "lookup-busy=1": 0.05,
    "lookup-down": 0.1,
    "lookup-not-found": 0.1,
    "void-hang": 0.05,
    "void-delay=2": 0.05,
    "void-lost": 0.1,
    "void-reset": 0.05,
    "void-error-before": 0.1,
    "void-error-after": 0.1,
    "void-garbage": 0.05,
    "void-truncated": 0.05,
    "void-busy=1": 0.05,
}
"""Every fault that the simulator knows, and the share of calls that meet it: about half meet one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. The same seed draws the same disturbances; what they meet is the machine's timing.

    Args:
        tables: with a session and lines, all carried through every recovery.
        active: tables of these whose members edit and order; two or three at each.
        only: disturbances to draw from; empty for all but the special ones.
        server_module: what is run as the server; another than `comanda` is broken on purpose.
        server_arguments: for `server_module`, before its `serve`.
    """

    cycles: int = 30
    seed: int = 1
    tables: int = 200
    active: int = 8
    only: tuple[str, ...] = ()
    server_module: str = "comanda"
    server_arguments: tuple[str, ...] = ()

    def draw(self, rng: random.Random) -> str:
        """The disturbance of one cycle."""
        if self.only:
            return rng.choice(self.only)
        return rng.choices(list(DISTURBANCES), list(DISTURBANCES.values()))[0]

    @property
    def repeated_by(self) -> str:
        """The command that repeats this run."""
        words = ["python -m chaos", f"--cycles {self.cycles}", f"--seed {self.seed}"]
        words += [f"--tables {self.tables}", f"--active {self.active}"]
        words += [f"--only {one}" for one in self.only]
        if self.server_module != "comanda":
            given = " ".join((self.server_module, *self.server_arguments))
            words.append(f"--server-module '{given}'")
        return " ".join(words)


def draw_failpoint(rng: random.Random) -> str:
    """A value for `COMANDA_FAILPOINTS`: which step of a server is its last."""
    name = rng.choice(PLACES)
    most = COMMON_FAILPOINT_MOST if name.startswith("commit.") else RARE_FAILPOINT_MOST
    return f"{name}=kill@{rng.randint(1, most)}"


def draw_storage_faults(rng: random.Random) -> str:
    """A value for `COMANDA_FAILPOINTS`: two storage faults that a server outlives."""
    chosen = rng.sample(STORAGE_FAULTS, 2)
    return "; ".join(fault.format(rng.randint(10, COMMON_FAILPOINT_MOST)) for fault in chosen)


def draw_pos_faults(rng: random.Random) -> dict[str, float]:
    """The POS's faults for a cycle: mostly all of them, at times none."""
    return {} if rng.random() < 0.2 else dict(POS_FAULTS)
