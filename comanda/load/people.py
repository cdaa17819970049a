"""Members who behave like people."""

from collections.abc import Callable

from .plan import Plan
from .table import Table
from .tally import Tally


class People:
    def __init__(self, table: Table, plan: Plan, tally: Callable[[], Tally]) -> None:
        pass

    settled = True

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        pass

    def look(self) -> None:
        pass
