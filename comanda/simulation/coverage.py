"""What an evening has been through: marks, and the matrix of moments in which an order was.

Both are read off what was written down anyway; the product knows nothing of them.
"""

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .world import _World


class Coverage:
    def __init__(self) -> None:
        self.cells: Counter[str] = Counter()

    def died(self, world: "_World") -> None:
        return

    def marks_of(self, world: "_World") -> tuple[str, ...]:
        return ()
