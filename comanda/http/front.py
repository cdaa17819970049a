"""What the front's routes share: the house, the tokens, the limits, the settings told to clients."""

import math
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import trio

from comanda.actors.domain.messages import ClientSettings, RestaurantInfo
from comanda.actors.house import House
from comanda.actors.ports import SessionKey, StorageUnavailable

from .auth import MemberTokens, StaffTokens
from .callbacks import CallbackSignatures
from .limits import AddressCounts, Buckets, FrontLimits
from .menu_pages import MenuPages
from .metrics import Metrics
from .proxies import TrustedProxies

MAX_PID_CHARACTERS = 64
"""Longer is no session id of ours; storage need not be asked."""


READY_SECONDS = 1.0
"""An answer of `is_ready` holds so long: a probe writes, and anybody may ask."""

PROBE_SECONDS = 2.0
"""Storage that has not written by then is not ready for guests, who wait for each of its answers."""


@dataclass
class Front:
    """One server's front.

    `public_url` is the address that guests' phones use, where it is known; `listens_on` the host that
    the server is bound to.
    """

    house: House
    members: MemberTokens
    staff: StaffTokens
    metrics: Metrics
    callbacks: CallbackSignatures = field(default_factory=lambda: CallbackSignatures(()))
    limits: FrontLimits = field(default_factory=FrontLimits)
    client_settings: ClientSettings = field(default_factory=ClientSettings)
    public_url: str | None = None
    listens_on: str = "127.0.0.1"
    allowed_origins: tuple[str, ...] = ()
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    draining: bool = False

    def __post_init__(self) -> None:
        self.menu_pages = MenuPages()
        self._readiness = trio.Lock()
        self._ready = False
        self._ready_until = -math.inf
        limits = self.limits
        self.requests = Buckets(limits.requests_a_second, limits.request_burst)
        self.joins = Buckets(limits.joins_a_minute / 60, limits.join_burst)
        self.pins = Buckets(limits.wrong_pins_a_minute / 60, limits.wrong_pins)
        self.of_members = Buckets(limits.member_requests_a_second, limits.member_request_burst)
        self.of_staff = Buckets(limits.staff_requests_a_second, limits.staff_request_burst)
        self.connections = AddressCounts(limits.connections)

    async def drain(self, *, deadline_seconds: float, grace_seconds: float) -> None:
        """Take no new sessions, and have every session say good-bye; as `House.stop`."""
        self.draining = True
        await self.house.stop(deadline_seconds=deadline_seconds, grace_seconds=grace_seconds)

    def origin_allowed(self, origin: str | None, scheme: str, host: str) -> bool:
        """Whether a websocket handshake with this Origin is let in; none at all is no browser's.

        `scheme` (``http`` or ``https``) and `host` are those under which the server was asked.
        """
        if origin is None:
            return True
        ours = {f"{scheme}://{host}", *self.allowed_origins}
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            ours.add(f"{parts.scheme}://{parts.netloc}")
        return origin.lower() in {one.lower().rstrip("/") for one in ours}

    def restaurant_info(self, restaurant_id: int) -> RestaurantInfo:
        """A restaurant of this house, as phones and the staff's page are told of it."""
        restaurant = self.house.book.restaurant(restaurant_id)
        assert restaurant is not None
        menu = restaurant.menu
        return RestaurantInfo(restaurant_id, restaurant.name, menu.currency, menu.minor_digits)

    async def find_session(
        self, session_pid: str, likely: SessionKey | None = None
    ) -> tuple[SessionKey, bool] | None:
        """A session's key and whether it is open; None where there is none. As `House.find_session`.

        Raises `StorageUnavailable`.
        """
        if not 0 < len(session_pid) <= MAX_PID_CHARACTERS or not session_pid.isascii():
            return None
        return await self.house.find_session(session_pid, likely)

    async def is_ready(self) -> bool:
        """Whether storage can write. It is asked at most once in `READY_SECONDS`, whoever asks, and has
        `PROBE_SECONDS` to answer. Cancelling one who asks leaves the others to ask again.
        """
        async with self._readiness:
            if trio.current_time() >= self._ready_until:
                self._ready = False
                with trio.move_on_after(PROBE_SECONDS), suppress(StorageUnavailable):
                    await self.house.store.probe()
                    self._ready = True
                self._ready_until = trio.current_time() + READY_SECONDS
            return self._ready
