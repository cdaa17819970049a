"""What one run does, and every bound's reason."""

from typing import Final

from msgspec import Struct

HONEST_RESTAURANT: Final = 1
HOSTILE_RESTAURANT: Final = 2
"""Whoever is hostile has the staff's token of the second restaurant, and none of the first."""

TABLES_A_RESTAURANT: Final = 50
MEMBERS_A_TABLE: Final = 3

EDITS_A_MINUTE: Final = 30.0
ORDERS_A_MINUTE: Final = 6.0
REFRESHES_A_MINUTE: Final = 3.0
DROPS_A_MINUTE: Final = 1.0
"""Of an honest table. An evening in a hurry: an hour's dinner in ten minutes."""

RAMP_SECONDS: Final = 12.0
"""Over which the honest sit down. All come from one address, which may have 120 joins at once and then
four a second."""

SETTLE_SECONDS: Final = 30.0
"""For honest orders in flight when the time is over: what a POS may take, and more."""

POS_DELAY_SECONDS: Final = 0.5

WARM_UP_SHARE: Final = 0.25
WARM_UP_SECONDS_MOST: Final = 60.0
"""Memory is measured from then on: by then every kind of attack has come by many times, and what is
bounded is as full as it gets."""

GROWTH_BYTES_MOST: Final = 50 * 1024 * 1024
"""From after the warm-up to the end: more is a leak."""

DESCRIPTORS_MOST: Final = 32
"""More at the end, when everybody has gone, than before anybody came: the database's connections."""

LOOK_SECONDS: Final = 1.0
SHOW_SECONDS: Final = 5.0
"""Between two looks at the server; between two lines of progress."""


class Plan(Struct, frozen=True, kw_only=True):
    """One run. The same seed has the same attacks in the same order on each lane; what they meet is timing.

    Args:
        seconds: from the first honest join until the honest ask for nothing more.
        rate: hostile frames and requests a second, of all processes together, at most.
        processes: of hostile clients.
        tables: that are honest.
        only: kinds of attacks to choose from; empty for all.
        server_module: what is run as the server, with words before its `serve`; another than `comanda` is
            broken on purpose.
    """

    seconds: float = 60.0
    seed: int = 1
    rate: float = 3200.0
    processes: int = 4
    tables: int = 40
    only: tuple[str, ...] = ()
    server_module: tuple[str, ...] = ("comanda",)

    @property
    def warm_up_seconds(self) -> float:
        """After which memory is measured first."""
        return min(self.seconds * WARM_UP_SHARE, WARM_UP_SECONDS_MOST)

    @property
    def repeated_by(self) -> str:
        """The command that repeats this run."""
        words = [f"python -m abuse --seconds {self.seconds:g} --seed {self.seed}"]
        words += [f"--rate {self.rate:g} --processes {self.processes} --tables {self.tables}"]
        words += [f"--only {one}" for one in self.only]
        if self.server_module != ("comanda",):
            words.append(f"--server-module '{' '.join(self.server_module)}'")
        return " ".join(words)
