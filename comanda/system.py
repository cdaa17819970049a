"""The clock and the ids of a real server. Simulations and tests bring others."""

import secrets
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time."""

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return datetime.now(UTC)


class RandomIds:
    """Ids that cannot be guessed: 96 bits each."""

    def member_id(self) -> str:
        """A new member's id."""
        return f"member_{secrets.token_urlsafe(12)}"

    def public_id(self) -> str:
        """A new cart line's id."""
        return f"item_{secrets.token_urlsafe(12)}"

    def session_pid(self) -> str:
        """A new dining session's id."""
        return f"session_{secrets.token_urlsafe(12)}"
