"""One evening: a real server, honest tables, hostile processes, and who watches them all."""

import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import trio
from msgspec import Struct, field

from comanda.cli.load_server import CODE, OwnServer, own_server, street
from comanda.http.auth import hash_token
from comanda.load.driving import Driving, drive_in_detail
from comanda.load.plan import Plan as HonestPlan

from .crew import Crew
from .plan import (
    DESCRIPTORS_MOST,
    DROPS_A_MINUTE,
    EDITS_A_MINUTE,
    GROWTH_BYTES_MOST,
    HONEST_RESTAURANT,
    HOSTILE_RESTAURANT,
    LOOK_SECONDS,
    MEMBERS_A_TABLE,
    ORDERS_A_MINUTE,
    POS_DELAY_SECONDS,
    RAMP_SECONDS,
    REFRESHES_A_MINUTE,
    SETTLE_SECONDS,
    SHOW_SECONDS,
    TABLES_A_RESTAURANT,
    Plan,
)
from .watching import Memory, Watch, errors_in_log
from .words import Job, Neighbours, Tally

GONE_SECONDS = 60.0
"""For the server to let go of everybody, when all have gone: its own waits end within 40 s."""


class Evening(Struct):
    """What is known of an evening, while it lasts and afterwards. `violations` are sentences."""

    plan: Plan
    began: float
    total: Tally = field(default_factory=Tally)
    memory: Memory = field(default_factory=Memory)
    memory_now: int = 0
    answered: int = 0
    seconds: float = 0.0
    honest: Driving | None = None
    descriptors: tuple[int, int] = (0, 0)
    violations: list[str] = field(default_factory=list)


async def run_evening(plan: Plan, folder: Path, show: Callable[[Evening], None]) -> Evening:
    """Run it, all its files in the empty `folder`. When cancelled every process is ended.

    Raises:
        NotStarted, DriverFailed, CrewFailed: the run could not be made.
    """
    evening = Evening(plan, trio.current_time())
    staff, hostile_staff = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
    head = f"[[restaurants]]\nid = {HOSTILE_RESTAURANT}\n"
    menu = street(2 * TABLES_A_RESTAURANT).replace(
        head, f'{head}staff_token_sha256 = "{hash_token(hostile_staff)}"\n'
    )
    async with own_server(
        folder,
        2 * TABLES_A_RESTAURANT,
        pos_delay_seconds=POS_DELAY_SECONDS,
        menu=menu,
        rate_limits="on",
        environment={"COMANDA_STAFF_TOKEN": staff, "COMANDA_POS_SECRET": secret},
        command=plan.server_module,
    ) as server:
        watch = Watch(server, staff)
        jobs = [
            _job(plan, number, server, hostile_staff, secret) for number in range(plan.processes)
        ]
        evening.began = trio.current_time()
        await _play(evening, server, watch, jobs, show)
        evening.memory = watch.memory
        if server.exit_code is None:
            await _everybody_gone(evening, watch)
        evening.violations += await server.end()
        assert evening.honest is not None
        evening.violations += server.ledger_wrongs(evening.honest.orders, HONEST_RESTAURANT)
    evening.violations += errors_in_log(folder / "server.log")
    _judge(evening)
    return evening


def _job(plan: Plan, number: int, server: OwnServer, staff_token: str, secret: str) -> Job:
    first = TABLES_A_RESTAURANT + 1 + number
    return Job(
        port=int(server.url.rpartition(":")[2]),
        seed=plan.seed,
        number=number,
        processes=plan.processes,
        rate=plan.rate / plan.processes,
        only=plan.only,
        tables=tuple(
            CODE.format(n=n) for n in range(first, 2 * TABLES_A_RESTAURANT + 1, plan.processes)
        ),
        restaurant_id=HOSTILE_RESTAURANT,
        staff_token=staff_token,
        pos_secret=secret,
    )


async def _play(
    evening: Evening,
    server: OwnServer,
    watch: Watch,
    jobs: Sequence[Job],
    show: Callable[[Evening], None],
) -> None:
    """The honest dine from beginning to end, and the hostile are there all the while."""
    crew = Crew()
    evening.total = crew.total
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, evening, server, watch, crew, nursery.cancel_scope, show)
        async with trio.open_nursery() as hostile:
            hostile.start_soon(crew.run, jobs)
            await _dine(evening, server)
            evening.seconds = trio.current_time() - evening.began
            watch.look(warm=True)
            await crew.leave()
        nursery.cancel_scope.cancel()


async def _dine(evening: Evening, server: OwnServer) -> None:
    plan = evening.plan
    ramp = min(RAMP_SECONDS, plan.seconds / 3)

    def take(driving: Driving) -> None:
        evening.honest = driving

    evening.honest = await drive_in_detail(
        HonestPlan(
            server=server.url,
            tables=plan.tables,
            members=MEMBERS_A_TABLE,
            seconds=plan.seconds - ramp,
            edits_a_minute=EDITS_A_MINUTE,
            orders_a_minute=ORDERS_A_MINUTE,
            refreshes_a_minute=REFRESHES_A_MINUTE,
            drops_a_minute=DROPS_A_MINUTE,
            ramp_seconds=ramp,
            settle_seconds=SETTLE_SECONDS,
            seed=plan.seed,
            table_code=CODE,
        ),
        server_pid=server.pid,
        stop=trio.Event(),
        show=take,
    )


async def _watch(
    evening: Evening,
    server: OwnServer,
    watch: Watch,
    crew: Crew,
    scope: trio.CancelScope,
    show: Callable[[Evening], None],
) -> None:
    """Look at the server each second; where it has ended, so has the evening."""
    shown = 0.0
    while server.exit_code is None:
        await trio.sleep(LOOK_SECONDS)
        now = evening.seconds = trio.current_time() - evening.began
        evening.memory_now = watch.look(warm=now >= evening.plan.warm_up_seconds)
        if now >= shown + SHOW_SECONDS:
            shown = now
            show(evening)
            await _tell_neighbours(evening, watch, crew)
    evening.violations.append(f"the server has ended by itself, with code {server.exit_code}")
    scope.cancel()


async def _tell_neighbours(evening: Evening, watch: Watch, crew: Crew) -> None:
    try:
        sessions = await watch.sessions(HONEST_RESTAURANT)
    except (httpx.HTTPError, ValueError) as error:
        evening.violations.append(f"the staff had no answer: {type(error).__name__}: {error}")
        return
    if sessions:
        await crew.tell(Neighbours(sessions))


async def _everybody_gone(evening: Evening, watch: Watch) -> None:
    """When all have left: nobody may be left over at the server, and it must say that it was well."""
    before = watch.descriptors
    with trio.move_on_after(GONE_SECONDS):
        while watch.open_descriptors() > before + DESCRIPTORS_MOST:  # noqa: ASYNC110  # another process's
            await trio.sleep(LOOK_SECONDS)
    evening.descriptors = (before, watch.open_descriptors())
    try:
        evening.violations += await watch.troubles()
        evening.answered = await watch.answered_commands()
    except (httpx.HTTPError, ValueError) as error:
        evening.violations.append(f"no metrics: {type(error).__name__}: {error}")


def _judge(evening: Evening) -> None:
    """What has gone wrong, from what is known at the end."""
    found = evening.violations
    found += evening.total.violations
    before, after = evening.descriptors
    if after > before + DESCRIPTORS_MOST:
        found.append(
            f"{after} descriptors are open when all have gone; {before} were, before they came"
        )
    growth = evening.memory.growth
    if growth > GROWTH_BYTES_MOST:
        found.append(f"memory has grown by {growth / 2**20:.0f} MB after the warm-up")
    honest = evening.honest
    if honest is None or not honest.total.edits or not honest.total.orders:
        found.append("the honest tables did not get to order anything")
        return
    figures = honest.figures
    found += figures.wrongs
    if figures.given_up:
        found.append(f"{figures.given_up} honest tables never got to sit down")
    if figures.unsettled:
        found.append(f"{figures.unsettled} honest tables never came to rest")
    found += [f"honest members saw {name}" for name in figures.errors if name == "close 1011"]
