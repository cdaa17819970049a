"""Many seeds, one after another or side by side, added up so that ranges can be stopped and merged."""

import gc
import hashlib
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from msgspec import Struct
from msgspec.structs import replace

from .evening import ProfileName
from .outcome import Outcome
from .planning import plan_evening
from .shelf import Shelf, open_shelf
from .world import play

TWICE_EVERY = 100
"""One seed in a hundred is played twice, and must be the same evening."""

FAILURES_KEPT = 50
"""Of so many failed seeds the violations are kept; a hundred would say no more."""

COLLECT_EVERY = 20
"""Evenings between two garbage collections: automatic ones cost a tenth of the time."""

_DIGEST_SPAN = 2**256


class Failure(Struct, frozen=True):
    """A seed that has broken something: sentences by the invariant's name."""

    seed: int
    violations: dict[str, list[str]]


class Tally(Struct):
    """What a range of seeds came to. Two tallies of different seeds add up in any order.

    `faults`, `marks` and `cells` count the seeds that have met each. `digest` is a sum over the seeds, so
    that it does not depend on who played which when.
    """

    profile: ProfileName
    next_seed: int
    seeds: int = 0
    orders: int = 0
    fewest_orders: int = 0
    virtual_seconds: float = 0.0
    played_twice: int = 0
    digest: str = "0" * 64
    faults: dict[str, int] = {}
    marks: dict[str, int] = {}
    cells: dict[str, int] = {}
    failed: int = 0
    failures: list[Failure] = []

    def add(self, outcome: Outcome) -> None:
        """One more seed; seeds come in their order."""
        self.fewest_orders = (
            min(self.fewest_orders, outcome.orders) if self.seeds else outcome.orders
        )
        self.next_seed = outcome.seed + 1
        self.seeds += 1
        self.orders += outcome.orders
        self.virtual_seconds += outcome.virtual_seconds
        self.played_twice += outcome.seed % TWICE_EVERY == 0
        self.digest = _sum(self.digest, _digest_of(outcome))
        for counts, met in (
            (self.faults, outcome.faults),
            (self.marks, outcome.marks),
            (self.cells, outcome.cells),
        ):
            for name in met:
                counts[name] = counts.get(name, 0) + 1
        if outcome.violations:
            self.failed += 1
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append(Failure(outcome.seed, outcome.violations))

    def merge(self, other: "Tally") -> None:
        """Another range's; the caller sees to it that no seed is in both.

        Raises:
            ValueError: it is of another profile.
        """
        if other.profile != self.profile:
            raise ValueError(f"a tally of {other.profile} does not add to one of {self.profile}")
        if other.seeds:
            fewest = [one.fewest_orders for one in (self, other) if one.seeds]
            self.fewest_orders = min(fewest)
        self.next_seed = max(self.next_seed, other.next_seed)
        self.seeds += other.seeds
        self.orders += other.orders
        self.virtual_seconds += other.virtual_seconds
        self.played_twice += other.played_twice
        self.digest = _sum(self.digest, other.digest)
        for ours, theirs in (
            (self.faults, other.faults),
            (self.marks, other.marks),
            (self.cells, other.cells),
        ):
            for name, times in theirs.items():
                ours[name] = ours.get(name, 0) + times
        self.failed += other.failed
        self.failures = (self.failures + other.failures)[:FAILURES_KEPT]


def _digest_of(outcome: Outcome) -> str:
    text = f"{outcome.profile} {outcome.seed} {outcome.digest}"
    return hashlib.sha256(text.encode()).hexdigest()


def _sum(one: str, other: str) -> str:
    return f"{(int(one, 16) + int(other, 16)) % _DIGEST_SPAN:064x}"


def play_seed(shelf: Shelf, seed: int, profile: ProfileName) -> Outcome:
    """One seed's evening; of one in `TWICE_EVERY` a second time, to see that it is the same."""
    outcome = play(shelf, plan_evening(seed, profile))
    if seed % TWICE_EVERY == 0:
        again = play(shelf, plan_evening(seed, profile))
        if again.digest != outcome.digest:
            broken = {"the_same_seed_is_the_same_evening": ["its two traces differ"]}
            return replace(outcome, violations=outcome.violations | broken)
    return outcome


def play_seeds(
    seeds: Iterable[int], profile: ProfileName, processes: int
) -> Generator[Outcome, None, None]:
    """The seeds' outcomes in their order, played in so many processes (1: in this one).

    Several processes end with the generator, and SIGTERM is a `KeyboardInterrupt` while they live: the
    default would end this process alone, and leave them and what they share behind.
    """
    if processes == 1:
        with open_shelf() as shelf, _rare_collections():
            for number, seed in enumerate(seeds, start=1):
                yield play_seed(shelf, seed, profile)
                if number % COLLECT_EVERY == 0:
                    gc.collect()
        return
    context = multiprocessing.get_context("spawn")
    with (
        _sigterm_interrupts() as heed_sigterm,
        context.Pool(processes, _Worker.begin, (profile,)) as pool,
    ):
        heed_sigterm()  # not in the midst of starting a process, which would complain
        yield from pool.imap(_Worker.play, seeds, chunksize=4)


@contextmanager
def _sigterm_interrupts() -> Iterator[Callable[[], None]]:
    """SIGTERM is a `KeyboardInterrupt`, but not before the block calls what it is given."""
    asked = heeded = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        if heeded:
            raise KeyboardInterrupt

    def heed() -> None:
        nonlocal heeded
        heeded = True
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield heed
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _rare_collections() -> Iterator[None]:
    gc.collect()
    gc.freeze()  # what is loaded by now stays: no collection need look at it
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


class _Worker:
    """What a process of the pool keeps between two seeds."""

    shelf: Shelf
    profile: ProfileName
    stack = ExitStack()
    played = 0

    @classmethod
    def begin(cls, profile: ProfileName) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who owns the pool: it ends us
        cls.profile = profile
        cls.shelf = cls.stack.enter_context(open_shelf())
        cls.stack.enter_context(_rare_collections())

    @classmethod
    def play(cls, seed: int) -> Outcome:
        cls.played += 1
        if cls.played % COLLECT_EVERY == 0:
            gc.collect()
        return play_seed(cls.shelf, seed, cls.profile)
