"""The lane to the database thread: Trio tasks put works in, asyncio tasks over there take them out.

SQLAlchemy's async engine needs asyncio, so it lives in one thread with a loop of its own. A lane hands
over *all* that waits at once, so that many commits share one fsync; and each side is woken once for a
whole batch, not once for each work.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from enum import Enum, auto
from time import monotonic
from typing import Any, Generic, TypeVar

import trio
from outcome import Error, Maybe

from comanda.actors.ports import CommitUnknown, StorageUnavailable

W = TypeVar("W")

SIZES = 14
"""Sizes of batches are counted by their powers of two: up to 8,191 works, above all that may wait."""

WATCH_SECONDS = 0.25
"""How often waits are looked at: a wait ends at most this much later than it should."""

Serve = Callable[[Sequence[W]], Awaitable[list[Maybe[Any]]]]
"""Does a batch of works and says what became of each; it runs in the database thread."""


class _Stage(Enum):
    QUEUED = auto()
    TAKEN = auto()
    LEFT = auto()


class _Job(Generic[W]):
    """One work, and the task that waits for it."""

    __slots__ = ("deadline", "outcome", "stage", "task", "weight", "work")

    def __init__(self, work: W, weight: int, deadline: float, task: trio.lowlevel.Task) -> None:
        self.work = work
        self.weight = weight
        self.deadline = deadline
        self.task: trio.lowlevel.Task | None = task
        self.stage = _Stage.QUEUED
        self.outcome: Maybe[Any] | None = None


class Lane(Generic[W]):
    """A bounded queue from Trio to the database thread, and the way back for answers.

    Made in Trio, served by `serve_all` in the thread. Whatever happens, each work is answered once.
    """

    def __init__(
        self,
        serve: Serve[W],
        *,
        queued_max: int,
        batch_weight_max: int,
        wait_seconds: float,
        crowd_min: int = 0,
        crowd_interval_seconds: float = 0.0,
    ) -> None:
        """Args:
        serve: does a batch.
        queued_max: works that may wait.
        batch_weight_max: how much of their weight one batch takes.
        wait_seconds: how long a caller waits for its answer.
        crowd_min: from so many works within `WATCH_SECONDS` on they come as a crowd.
        crowd_interval_seconds: from one batch's begin to the next one's, in a crowd.
        """
        self._serve = serve
        self._queued_max = queued_max
        self._batch_weight_max = batch_weight_max
        self._wait_seconds = wait_seconds
        self._crowd_min = crowd_min
        self._crowd_interval_seconds = crowd_interval_seconds
        self._crowded = False
        self._token = trio.lowlevel.current_trio_token()
        self._lock = threading.Lock()  # guards what both threads touch, never held while waiting
        self._queue: deque[_Job[W]] = deque()
        self._taken: list[_Job[W]] = []
        self._answered: deque[_Job[W]] = deque()
        self._thread_called = False
        self._trio_called = False
        self._closing = False
        self._broken: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._called = asyncio.Event()
        self._hurried = asyncio.Event()
        self.sizes = [0] * SIZES
        self.works = 0
        self.busy_seconds = 0.0

    @property
    def batches(self) -> int:
        """Batches taken so far."""
        return sum(self.sizes)

    @property
    def waiting(self) -> int:
        """Works that nobody has taken yet."""
        return len(self._queue)

    async def do(self, work: W, weight: int = 1, *, at_once: bool = False) -> Any:
        """Have `work` done, and return or raise what came of it. `at_once`: not even in a crowd does it
        wait for others.

        Cancelled or out of time, the work is withdrawn if it still waits. If it was taken, it goes on
        by itself: after a cancelled wait nothing is known of it.

        Raises:
            StorageUnavailable: the lane is full or closed, or the work was withdrawn, out of time.
            CommitUnknown: it was taken, and its time ran out or the thread died.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        deadline = monotonic() + self._wait_seconds
        job = _Job(work, weight, deadline, trio.lowlevel.current_task())
        self._put(job, at_once)
        return await trio.lowlevel.wait_task_rescheduled(lambda _: self._abort(job))

    def _put(self, job: _Job[W], at_once: bool) -> None:
        with self._lock:
            if self._broken is not None:
                raise StorageUnavailable(self._broken)
            if self._closing:
                raise StorageUnavailable("storage is closing")
            if len(self._queue) >= self._queued_max:
                raise StorageUnavailable("too much waits for storage")
            self._queue.append(job)
            call, self._thread_called = not self._thread_called, True
            if call:
                self._call_thread()
            if at_once:
                self._hurry_thread()

    def _abort(self, job: _Job[W]) -> trio.lowlevel.Abort:
        with self._lock:
            if job.stage is _Stage.QUEUED:
                self._queue.remove(job)
                job.stage = _Stage.LEFT
            job.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _answer(self) -> None:
        """In Trio: wake everybody whose answer is there."""
        with self._lock:
            self._trio_called = False
            answered, self._answered = self._answered, deque()
        for job in answered:
            if job.task is not None:
                task, job.task = job.task, None
                assert job.outcome is not None
                trio.lowlevel.reschedule(task, job.outcome)

    # --- in the database thread -----------------------------------------------------------------

    async def serve_all(self) -> None:
        """Serve until the lane is closed and empty. Runs in the database thread."""
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._thread_called:
                self._called.set()
        watching = asyncio.create_task(self._watch())
        try:
            await self._serve_batches()
        finally:
            watching.cancel()

    async def _serve_batches(self) -> None:
        began = 0.0
        while True:
            await self._called.wait()
            wait = began + self._crowd_interval_seconds - monotonic()
            if self._crowded and wait > 0 and not self._closing:
                await self._gather(wait)
            batch = self._take()
            if batch:
                self.sizes[len(batch).bit_length()] += 1
                self.works += len(batch)
                began = monotonic()
                outcomes = await self._serve([job.work for job in batch])
                self.busy_seconds += monotonic() - began
                self._settle(batch, outcomes)
            elif self._closing:
                return

    async def _gather(self, seconds: float) -> None:
        """Let others come, until the time is up or somebody comes who is in a hurry."""
        timer = asyncio.get_running_loop().call_later(seconds, self._hurried.set)
        await self._hurried.wait()
        timer.cancel()

    async def _watch(self) -> None:
        """Answer those whose time has run out, and see whether there is a crowd.

        One watch for all: a scope a wait costs too much.
        """
        before = self.works
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._expire(monotonic())
            self._crowded = self.works - before >= self._crowd_min
            before = self.works

    def _expire(self, now: float) -> None:
        late: list[_Job[W]] = []
        with self._lock:
            while self._queue and self._queue[0].deadline <= now:  # the oldest stands first
                job = self._queue.popleft()
                job.outcome = Error(StorageUnavailable("storage is too slow; nothing was written"))
                late.append(job)
            for job in self._taken:
                if job.stage is _Stage.TAKEN and job.deadline <= now:
                    job.outcome = Error(CommitUnknown("storage has not answered in time"))
                    late.append(job)
            for job in late:
                job.stage = _Stage.LEFT
        if late:
            self._give(late)

    def break_off(self, why: str) -> None:
        """Answer all who wait, now and later: the thread is at its end. Any thread may call it."""
        with self._lock:
            self._broken = why
            self._loop = None
            taken = [job for job in self._taken if job.stage is _Stage.TAKEN]
            for job in taken:
                job.outcome = Error(CommitUnknown(why))
            for job in self._queue:
                job.outcome = Error(StorageUnavailable(why))
            left = [*taken, *self._queue]
            for job in left:
                job.stage = _Stage.LEFT
            self._taken = []
            self._queue.clear()
        self._give(left)

    def close(self) -> None:
        """Take no more; what is queued will be served. Called in Trio."""
        with self._lock:
            self._closing = True
            self._thread_called = True
            self._call_thread()
            self._hurry_thread()

    def _call_thread(self) -> None:
        if self._loop is not None:  # else it looks for itself when it starts
            self._loop.call_soon_threadsafe(self._called.set)

    def _hurry_thread(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._hurried.set)

    def _take(self) -> list[_Job[W]]:
        """All that waits, up to a batch; the oldest always."""
        batch: list[_Job[W]] = []
        weight = 0
        with self._lock:
            while self._queue:
                weight += self._queue[0].weight
                if batch and weight > self._batch_weight_max:
                    break
                job = self._queue.popleft()
                job.stage = _Stage.TAKEN
                batch.append(job)
            self._taken = batch
            if not self._queue and not self._closing:
                self._thread_called = False
                self._called.clear()
                self._hurried.clear()
        return batch

    def _settle(self, batch: list[_Job[W]], outcomes: list[Maybe[Any]]) -> None:
        done: list[_Job[W]] = []
        with self._lock:
            self._taken = []
            for job, outcome in zip(batch, outcomes, strict=True):
                if job.stage is _Stage.TAKEN:  # else its time ran out, and it has its answer
                    job.stage = _Stage.LEFT
                    job.outcome = outcome
                    done.append(job)
        self._give(done)

    def _give(self, jobs: list[_Job[W]]) -> None:
        with self._lock:
            self._answered.extend(jobs)
            call, self._trio_called = not self._trio_called, True
        if call:
            with suppress(trio.RunFinishedError):  # nobody is left to hear it
                self._token.run_sync_soon(self._answer)


class DatabaseThread:
    """One thread with an asyncio loop in it, for as long as `main` runs.

    A daemon: a disk that hangs must not keep the process from ending.
    """

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[str], None]):
        """Args:
        main: what runs in the thread.
        ended: told when it has ended, however, with why; called in the thread.
        """
        self._main = main
        self._ended = ended
        self._token = trio.lowlevel.current_trio_token()
        self._done = trio.Event()
        self._thread = threading.Thread(target=self._run, name="comanda-database", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def wait_ended(self, seconds: float) -> bool:
        """Wait until `main` has ended, at most `seconds`, whether or not the caller is cancelled."""
        with trio.move_on_after(seconds, shield=True):
            await self._done.wait()
            self._thread.join()  # nothing is left for it to do but to return
            return True
        return False

    def _run(self) -> None:
        why = "storage is closed"
        try:
            asyncio.run(self._main())
        except BaseException as error:
            why = f"the database thread has died: {error!r}"
        finally:
            self._ended(why)
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._done.set)
