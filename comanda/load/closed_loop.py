"""One edit in flight a table: the next goes out when every member has heard of the last."""

from time import monotonic

from .member import Member
from .table import Command, Table


class ClosedLoop:
    """Keeps one table busy from `start` to `stop`; its members take turns."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._next = 0
        self._going = False
        table.on_whole = self._whole
        table.on_refused = self._whole

    def start(self) -> None:
        """Send the first edit. Again after `stop`: nothing, where one is in flight still."""
        self._going = True
        self._send()

    def stop(self) -> None:
        """Send nothing more."""
        self._going = False

    @property
    def settled(self) -> bool:
        """Whether nothing of this table is awaited any more."""
        return True

    def look(self) -> None:
        """Go on where a connection was lost with the edit that was in flight."""
        if self._going and self._table.quiet:
            self._send()

    def _whole(self, command: Command) -> None:
        if self._going:
            self._send()

    def _send(self) -> None:
        member = self._turn()
        if member is None or member.seat is None:
            return
        request_id = member.next_request_id()
        member.ask(self._table.view.edit(member.seat, request_id), request_id, monotonic())

    def _turn(self) -> Member | None:
        members = self._table.members
        for _ in members:
            member = members[self._next]
            self._next = (self._next + 1) % len(members)
            if member.seated and member.command is None:
                return member
        return None
