"""How long to wait before the next attempt to connect. Pure."""

from .settings import ClientLimits


def reconnect_delay(failed: int, chance: float, limits: ClientLimits) -> float:
    """Seconds before the next attempt after `failed` failed ones; `chance` is from [0, 1).

    Exponential, jittered between the half and the whole so that a restaurant's phones do not come back
    together. After `tries_before_lost` failures the pause may grow to the slow limit.
    """
    if failed == 0:
        return limits.first_retry_within_seconds * chance
    exponent = min(failed, 32)  # beyond, the limit holds anyway
    slow = failed >= limits.tries_before_lost
    longest = limits.slow_backoff_limit_seconds if slow else limits.backoff_limit_seconds
    delay = min(limits.backoff_base_seconds * 2.0**exponent, longest)
    return delay * (0.5 + 0.5 * chance)
