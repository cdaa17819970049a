"""A POS whose calls are counted, timed and logged on their way; it changes nothing about them."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from comanda.logs import get_log

from .domain.order import Order, PosOutcome
from .ports import Pos
from .tally import Tally

log = get_log("comanda.pos")

UNANSWERED = "unanswered"
"""The outcome of a call that was given up: out of time, or the server ended."""


class _Call:
    """What has come of one call."""

    outcome = UNANSWERED


class CountedPos:
    """Fulfils the `Pos` port with another; `tally` takes what it counts."""

    def __init__(self, pos: Pos, tally: Tally) -> None:
        self._pos = pos
        self._tally = tally

    async def submit(self, order: Order) -> PosOutcome:
        """As the port has it."""
        with self._counted("submit", order) as call:
            outcome = await self._pos.submit(order)
            call.outcome = _word(outcome)
        return outcome

    async def look_up(self, order: Order) -> PosOutcome | None:
        """As the port has it."""
        with self._counted("look_up", order) as call:
            outcome = await self._pos.look_up(order)
            call.outcome = "nothing" if outcome is None else _word(outcome)
        return outcome

    async def void(self, order: Order) -> bool:
        """As the port has it."""
        with self._counted("void", order) as call:
            promised = await self._pos.void(order)
            call.outcome = "promised" if promised is True else "not_promised"
        return promised

    @contextmanager
    def _counted(self, name: str, order: Order) -> Iterator[_Call]:
        call = _Call()
        began = trio.current_time()
        try:
            yield call
        except Exception:
            call.outcome = "failed"
            raise
        finally:
            seconds = trio.current_time() - began
            self._tally.pos_calls[name, call.outcome] += 1
            self._tally.pos_seconds[name].observe(seconds)
            tell = log.debug if name == "look_up" else log.info
            tell(
                "POS called",
                call=name,
                outcome=call.outcome,
                session=order.session_pid,
                order=order.order_id,
                attempt=order.attempt,
                seconds=round(seconds, 3),
            )


def _word(outcome: PosOutcome) -> str:
    """An outcome by its tag; what is none of the port's counts as `unknown`, as the house takes it."""
    config = getattr(outcome, "__struct_config__", None)
    tag = None if config is None else config.tag
    return tag if isinstance(tag, str) else "unknown"
