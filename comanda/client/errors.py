"""What a caller of the client can run into, as exceptions."""


class ClientError(Exception):
    """The root of everything that the client raises itself."""


class CommandRefused(ClientError):
    """A legitimate no: `code` is for programs, the text a sentence for a person.

    `retry_after` is in seconds, where the refusal carries it. Nothing has changed; the command may be
    tried again as a new one.
    """

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after


class CartLockedError(CommandRefused):
    """An order is being processed: by the cart store's own guard, or by the server."""

    def __init__(self, message: str = "Order already being processed") -> None:
        super().__init__("cart_locked", message)


class TooManyCommands(ClientError):
    """As many commands as the limits allow wait for their replies; nothing was sent."""


class CommandLost(ClientError):
    """The wait for a reply was given up: whether the command had its effect is not known.

    It is not sent again. The store tells the truth with the next event or snapshot.
    """


class OrderPassed(ClientError):
    """The order was accepted, but came and went while the client was cut off: its id is not known."""


class TableClosed(ClientError):
    """This membership has ended for good: the party has left, the token is void, or policy says so.

    `code` is the websocket's close code (1008, 4401, 4404, 4410), or 1000 after the table was left.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class CouldNotConnect(ClientError):
    """No websocket could be opened within the limit."""


class FellBehind(ClientError):
    """A consumer of happenings has let its buffer run full; it has missed some."""


class ApiError(ClientError):
    """The server has answered an HTTP call with a problem (RFC 9457).

    `status` is HTTP's, `code` one of the protocol's, `retry_after` in seconds where it was given.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
