"""Who of a table is connected: the members' outlets, and what goes to all of them."""

from collections.abc import Callable

from .ports import Outlet

MAX_CONNECTIONS_A_MEMBER = 4
"""A phone, a tablet, and one of each that has not noticed yet that it is gone. The fifth is refused."""


class Seat:
    """One connection's place at the table. `leave` gives it back; twice does nothing more."""

    __slots__ = ("_audience", "member_id", "outlet")

    def __init__(self, audience: "Audience", member_id: str, outlet: Outlet) -> None:
        self._audience = audience
        self.member_id = member_id
        self.outlet = outlet

    def leave(self) -> None:
        """Synchronous, from any task of the Trio thread; never raises."""
        self._audience.remove(self)


class Audience:
    """The open connections of a session. `on_gone` is called when a member's last one has left."""

    __slots__ = ("_connections", "_on_gone", "_seats")

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._seats: dict[Seat, None] = {}
        self._connections: dict[str, int] = {}
        self._on_gone = on_gone

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def online(self) -> frozenset[str]:
        """Ids of the members who have a connection."""
        return frozenset(self._connections)

    def seat(self, member_id: str, outlet: Outlet) -> Seat | None:
        """A place for one more connection of a member; None beyond `MAX_CONNECTIONS_A_MEMBER`."""
        count = self._connections.get(member_id, 0)
        if count >= MAX_CONNECTIONS_A_MEMBER:
            return None
        seat = Seat(self, member_id, outlet)
        self._seats[seat] = None
        self._connections[member_id] = count + 1
        return seat

    def remove(self, seat: Seat) -> None:
        """Take a connection's place away."""
        if seat not in self._seats:
            return
        del self._seats[seat]
        left = self._connections[seat.member_id] - 1
        if left:
            self._connections[seat.member_id] = left
        else:
            del self._connections[seat.member_id]
            self._on_gone()

    def send(self, frames: bytes, *, besides: Seat | None = None) -> None:
        """Hand encoded events to every outlet (but that of `besides`), in one piece."""
        for seat in self._seats:
            if seat is not besides:
                seat.outlet.send(frames)

    def close(self, code: int, reason: str) -> None:
        """Close every connection and forget it."""
        seats = list(self._seats)
        self._seats.clear()
        self._connections.clear()
        for seat in seats:
            seat.outlet.close(code, reason)
