"""The one place where a server is put together, in one nursery."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import trio

from comanda.actors.domain.messages import ClientSettings
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import Pos, Store
from comanda.actors.pos_task import PosTimes
from comanda.actors.sweeps import SweepLimits
from comanda.config import Settings, SettingsUnusable
from comanda.exposure import check_exposure, is_exposed
from comanda.failpoints import Failpoints, parse_failpoints
from comanda.http.addresses import in_url
from comanda.http.auth import MemberTokens, StaffTokens
from comanda.http.callbacks import CallbackSignatures
from comanda.http.front import Front
from comanda.http.keys import load_or_make_keys, parse_keys
from comanda.http.limits import FrontLimits
from comanda.http.metrics import Metrics
from comanda.http.proxies import TrustedProxies
from comanda.http.quart_app import make_quart_app
from comanda.http.security_headers import EVERY_ANSWER
from comanda.http.wire import frame
from comanda.http.worker import WorkerLimits, bind, fast_way_misses
from comanda.http.worker import serve as serve_http
from comanda.logs import get_log, log_error, log_runtime
from comanda.menu_file import LoadedMenu, demo_menu, load_menu_file
from comanda.pos.dummy import DummyPos
from comanda.pos.webhook import open_webhook_pos
from comanda.storage.engines import sync_engine
from comanda.storage.owning import owned
from comanda.storage.store import open_store
from comanda.system import RandomIds, SystemClock
from comanda.table_codes import guessable
from comanda.tls import server_context
from comanda.webhooks import SecretUnfit

log = get_log("comanda.app")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that takes traffic. `table_codes` are the tables of its menu, in the menu's order.

    `url` is the public one where a setting names it; `port` is what the server listens on.
    `staff_can_sign_in`: there is a token with which they can.
    """

    url: str
    port: int
    table_codes: tuple[str, ...]
    house: House
    staff_can_sign_in: bool


async def serve(
    settings: Settings,
    *,
    shutdown: trio.Event,
    pos: Pos | None = None,
    task_status: trio.TaskStatus[Running] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until `shutdown` is set, then end gracefully: ``running = await nursery.start(serve, …)``.

    At the end members hear `server_closing` and 1012, and what was told is durable; an order in flight
    is settled by the next start. When cancelled, connections are reset; nothing durable is lost either.

    Args:
        pos: the restaurant's POS; None takes the one that the settings name.

    Raises:
        MenuFileError, SettingsUnusable, KeyFileUnusable, DatabaseUnusable: with a sentence for a person.
        StorageUnavailable: storage failed before traffic was taken.
        OSError: the address or port cannot be had.
    """
    menu = _menu(settings)
    staff_tokens = settings.read_staff_tokens()
    pos_token = settings.read_pos_token()
    callbacks = _callbacks(settings)
    failpoints = _failpoints(settings)
    tls = server_context(settings)
    sockets = bind(settings.host, settings.port)
    async with AsyncExitStack() as stack:
        for sock in sockets:
            stack.callback(sock.close)
        bound_to = [sock.getsockname()[0] for sock in sockets]
        check_exposure(bound_to, staff_tokens, menu.restaurants)
        if settings.menu is not None:
            _tell_of_codes(menu, is_exposed(bound_to, settings.public_url))
        stack.enter_context(owned(settings.database_path))
        make_engine = sync_engine if failpoints is None else failpoints.make_engine
        database = await stack.enter_async_context(
            open_store(settings.database, make_engine=make_engine)
        )
        store: Store = database
        signing_keys = _signing_keys(settings)
        await store.install(menu.restaurants, menu.digest)
        if pos is None:
            pos = await stack.enter_async_context(_open_pos(settings, pos_token))
        if failpoints is not None:
            store, pos = failpoints.around_store(store), failpoints.around_pos(pos)
        house = _house(settings, store, pos)
        front = _front(
            settings,
            house,
            Metrics(house, database.figures),
            MemberTokens(signing_keys),
            StaffTokens(staff_tokens, house.book),
            callbacks,
        )
        port: int = sockets[0].getsockname()[1]
        url = settings.public_url or _url(settings.host, port, tls=tls is not None)
        codes = tuple(table.code for one in menu.restaurants for table in one.tables)
        missing = fast_way_misses()
        if tls is not None:
            log.info(
                "this server speaks TLS, and serves websockets the slow way, at twice the cost"
            )
        elif missing is not None:
            log.warning("websockets are served the slow way, at twice the cost", missing=missing)
        async with trio.open_nursery() as nursery:
            await nursery.start(house.run)
            stop_http = trio.Event()
            nursery.start_soon(_stop_in_order, settings, shutdown, front, stop_http)

            async def serving(task_status: trio.TaskStatus[None]) -> None:
                await serve_http(
                    make_quart_app(front),
                    sockets,
                    shutdown=stop_http,
                    log_error=log_error,
                    limits=WorkerLimits(graceful_seconds=settings.stop_deadline),
                    answer_headers=EVERY_ANSWER,
                    ssl_context=tls,
                    task_status=task_status,
                )
                nursery.cancel_scope.cancel()

            await nursery.start(serving)
            log.info("server started", url=url, pid=os.getpid())
            task_status.started(Running(url, port, codes, house, front.staff.there_are_any()))
        log.info("server stopped")


async def _stop_in_order(
    settings: Settings, shutdown: trio.Event, front: Front, stop_http: trio.Event
) -> None:
    """No new sessions, then every session says good-bye, then the sockets go."""
    await shutdown.wait()
    log.info("server draining")
    await front.drain(deadline_seconds=settings.stop_deadline, grace_seconds=settings.drain_grace)
    stop_http.set()


def _tell_of_codes(menu: LoadedMenu, exposed: bool) -> None:
    """The demonstration's codes are made to be guessed; a restaurant's are not."""
    weak = guessable(table.code for one in menu.restaurants for table in one.tables)
    if exposed and weak:
        log.warning(
            "tables have codes that can be guessed", tables=len(weak), others_by="comanda codes"
        )


def _failpoints(settings: Settings) -> Failpoints | None:
    """Those that the settings name; None, and nothing is wrapped, where they name none."""
    if not settings.failpoints:
        return None
    failpoints = Failpoints(parse_failpoints(settings.failpoints))
    log.warning(
        "failpoints are set: this server dies or fails on purpose", failpoints=settings.failpoints
    )
    return failpoints


def _menu(settings: Settings) -> LoadedMenu:
    if settings.menu is not None:
        return load_menu_file(settings.menu)
    return demo_menu(settings.demo_tables)


@asynccontextmanager
async def _open_pos(settings: Settings, token: str | None) -> AsyncIterator[Pos]:
    """The POS that the settings name, for as long as the server runs."""
    if settings.pos == "dummy":
        yield DummyPos(settings.pos_delay, settings.pos_success_rate, settings.pos_seed)
        return
    async with open_webhook_pos(
        settings.pos,
        token,
        calls_per_restaurant=settings.pos_calls_per_restaurant,
        call_timeout_seconds=settings.pos_timeout,
    ) as pos:
        yield pos


def _house(settings: Settings, store: Store, pos: Pos) -> House:
    ids = RandomIds()
    return House(
        store=store,
        pos=pos,
        clock=SystemClock(),
        ids=ids,
        new_pid=ids.session_pid,
        new_pin=ids.join_pin if settings.join_pin == "on" else None,
        frame=frame,
        pos_times=PosTimes(call_timeout_seconds=settings.pos_timeout),
        limits=HouseLimits(
            lock_limit_seconds=settings.lock_limit,
            max_live=settings.max_live_sessions,
            mailbox_capacity=settings.mailbox_capacity,
            sweeps=SweepLimits(
                forgotten_after_seconds=settings.session_idle_hours * 3600,
                forget_guests_after_seconds=settings.retention_days * 86_400,
            ),
        ),
        rng=random.Random(),
        on_event=log_runtime,
    )


def _signing_keys(settings: Settings) -> tuple[bytes, ...]:
    """Those of the environment, else those of the file."""
    if settings.signing_keys is not None:
        return parse_keys(settings.signing_keys.get_secret_value(), "COMANDA_SIGNING_KEYS")
    return load_or_make_keys(settings.signing_key_file)


def _callbacks(settings: Settings) -> CallbackSignatures:
    try:
        return CallbackSignatures(settings.read_pos_secrets())
    except SecretUnfit as error:
        raise SettingsUnusable(f"pos_secret: {error}") from error


def _front(
    settings: Settings,
    house: House,
    metrics: Metrics,
    members: MemberTokens,
    staff: StaffTokens,
    callbacks: CallbackSignatures,
) -> Front:
    return Front(
        house=house,
        members=members,
        staff=staff,
        metrics=metrics,
        callbacks=callbacks,
        limits=FrontLimits(
            enabled=settings.rate_limits == "on",
            messages_a_second=settings.messages_per_second,
            message_burst=settings.message_burst,
            flood_messages=settings.flood_messages,
            requests_a_second=settings.requests_per_second,
            request_burst=settings.request_burst,
            joins_a_minute=settings.joins_per_minute,
            join_burst=settings.join_burst,
            member_requests_a_second=settings.member_requests_per_second,
            member_request_burst=settings.member_request_burst,
            staff_requests_a_second=settings.staff_requests_per_second,
            staff_request_burst=settings.staff_request_burst,
            connections=settings.connections_per_address,
            join_timeout_seconds=settings.join_timeout,
        ),
        client_settings=ClientSettings(
            order_timeout_seconds=settings.order_timeout,
            reconnect_timeout_seconds=settings.reconnect_timeout,
            poll_interval_seconds=settings.poll_interval,
            retry_limit=settings.retry_limit,
            retry_delay_seconds=settings.retry_delay,
        ),
        public_url=settings.public_url,
        listens_on=settings.host,
        allowed_origins=settings.allowed_origin,
        proxies=TrustedProxies(settings.trusted_proxies),
    )


def _url(host: str, port: int, *, tls: bool) -> str:
    scheme = "https" if tls else "http"
    name = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"{scheme}://{in_url(name)}:{port}"
