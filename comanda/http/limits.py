"""How often one connection or one address may ask: token buckets, all bounded, all settings."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import trio

MAX_BUCKETS = 20_000
"""Addresses, or tokens, remembered; what was silent longest is forgotten first, and starts afresh."""


@dataclass(frozen=True, slots=True)
class FrontLimits:
    """The front's limits. A restaurant's phones often share one address: those are generous.

    `messages_a_second` and `message_burst` bound one connection's frames: beyond them each is refused
    `rate_limited`, and the `flood_messages`-th refused before the connection has been quiet for a whole
    burst closes 1008. `bad_messages` in a row close 1008. `joins_a_minute`, `requests_a_second` with their
    bursts, and `connections` are per address, and so are `wrong_pins` at once and `wrong_pins_a_minute`
    from then on: all the tables of a restaurant mishear no more. A token has `member_requests_a_second`
    or `staff_requests_a_second`, with their bursts, of what its address has.
    `join_timeout_seconds`: from the handshake to the join frame. `early_messages`: how many frames may
    come behind the join before it is through, `early_characters` how long they may be together.
    """

    enabled: bool = True
    messages_a_second: float = 30.0
    message_burst: int = 120
    flood_messages: int = 300
    bad_messages: int = 3
    requests_a_second: float = 100.0
    request_burst: int = 400
    joins_a_minute: float = 240.0
    join_burst: int = 120
    wrong_pins: int = 30
    wrong_pins_a_minute: float = 10.0
    member_requests_a_second: float = 10.0
    member_request_burst: int = 60
    staff_requests_a_second: float = 50.0
    staff_request_burst: int = 200
    connections: int = 512
    join_timeout_seconds: float = 5.0
    early_messages: int = 64
    early_characters: int = 262_144


class Bucket:
    """A token bucket: `burst` at once, `rate` a second from then on."""

    __slots__ = ("_at", "_burst", "_clock", "_left", "_rate")

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = trio.current_time
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = float(burst)
        self._at = clock()

    @property
    def full(self) -> bool:
        """Whether nothing was taken for so long that the whole burst is there again."""
        return self._refill() >= self._burst

    def take(self) -> float:
        """Take one: 0 when there was one, else the seconds until there will be."""
        self._refill()
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate

    def give_back(self) -> None:
        """One that was taken need not have been."""
        self._left += 1

    def _refill(self) -> float:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left


class Buckets:
    """One bucket an address, or whatever else the key is, at most `MAX_BUCKETS` of them."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str) -> float:
        """As `Bucket.take`, of this key's."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._rate, self._burst)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take()

    def give_back(self, key: str) -> None:
        """As `Bucket.give_back`, to this key's. One that is forgotten meanwhile is full anyway."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.give_back()


class AddressCounts:
    """How many connections an address has open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[str, int] = {}

    def enter(self, address: str) -> bool:
        """Count one more, unless that is too many. Each True wants one `leave`."""
        count = self._counts.get(address, 0)
        if count >= self._most:
            return False
        self._counts[address] = count + 1
        return True

    def leave(self, address: str) -> None:
        """Count one less."""
        left = self._counts[address] - 1
        if left:
            self._counts[address] = left
        else:
            del self._counts[address]
