"""What must get on record is told to storage again until it is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from .ports import StorageUnavailable

T = TypeVar("T")


async def until_saved(save: Callable[[], Awaitable[T]], repeat_seconds: float) -> T:
    """`save`'s value, once storage does not refuse it any more; other errors are raised.

    Without an end of its own: whoever waits bounds it. When cancelled nobody knows whether it was saved.
    """
    while True:
        try:
            return await save()
        except StorageUnavailable:
            await trio.sleep(repeat_seconds)
