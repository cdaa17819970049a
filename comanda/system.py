"""The clock and the ids of a real server. Simulations and tests bring others."""

import secrets
from datetime import UTC, datetime

from comanda.actors.domain.messages import PIN_DIGITS


class SystemClock:
    """Wall-clock time."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)


class RandomIds:
    """Ids that cannot be guessed: 96 bits each. A PIN can be, so its tries are counted."""

    def member_id(self) -> str:
        """A new member's id."""
        return f"member_{secrets.token_urlsafe(12)}"

    def public_id(self) -> str:
        """A new cart line's id."""
        return f"item_{secrets.token_urlsafe(12)}"

    def join_pin(self) -> str:
        """A new dining session's PIN."""
        return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"

    def session_pid(self) -> str:
        """A new dining session's id."""
        return f"session_{secrets.token_urlsafe(12)}"
