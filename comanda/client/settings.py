"""The client's own limits."""

from msgspec import Struct


class ClientLimits(Struct, frozen=True):
    """Every other bound of the client, with its reason."""

    open_timeout_seconds: float = 30.0
    """For the first connection: a few attempts, then the person should hear that it does not work."""

    http_timeout_seconds: float = 10.0
    """One HTTP call, from its first byte to its last."""

    max_http_bytes: int = 4 * 1024 * 1024
    """One HTTP answer: a long menu is some hundred KiB."""

    command_timeout_seconds: float = 60.0
    """A command's reply, reconnects included; as long as a cart can be locked."""

    max_commands_in_flight: int = 128
    """Half of the request ids that the server remembers for a member: a resend always finds its own."""

    write_timeout_seconds: float = 5.0
    """One frame of at most a few KiB; a socket that does not take it is broken."""

    close_timeout_seconds: float = 2.0
    """The goodbye; after it the socket is closed by force."""

    max_frame_bytes: int = 1024 * 1024
    """One frame of the server: 100 lines with full notes are some 150 KiB."""

    frame_queue: int = 64
    """Frames read from the socket before they are decoded."""

    silence_seconds: float = 30.0
    """Without a byte of the server for so long the client pings it."""

    pong_timeout_seconds: float = 10.0
    """Without a pong for so long the connection counts as lost."""

    first_retry_within_seconds: float = 0.5
    """The first attempt after a connection was lost comes within this time."""

    backoff_base_seconds: float = 0.5
    """Doubled with every further attempt, then jittered between the half and the whole."""

    backoff_limit_seconds: float = 4.0
    """The longest pause while the person waits and looks at "Reconnecting..."."""

    slow_backoff_limit_seconds: float = 20.0
    """The longest pause after the person was told; a tap ends it."""

    tries_before_lost: int = 3
    """Failed attempts before the connection is called lost."""

    stable_after_seconds: float = 5.0
    """A connection that lived for less counts towards the backoff, so that no two sides spin."""

    max_retry_after_seconds: float = 120.0
    """The longest wait that a server may ask for."""

    happenings_buffer: int = 1024
    """What a consumer of `events()` may leave unread; one that leaves more hears `FellBehind`."""

    max_consumers: int = 64
    """Consumers of `events()` at the same time."""
