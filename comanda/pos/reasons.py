"""Why an order did not reach a POS over HTTP, as the guests at the table read it.

They know a kitchen and no POS. What a POS says itself is told in its own words.
"""

from typing import Final

UNREACHABLE: Final = "The kitchen cannot be reached"
TOO_BUSY: Final = "The kitchen is too busy"
"""The POS said so: 429."""

TOO_MANY_ORDERS: Final = "The kitchen has too many orders at once"
"""The restaurant's calls were all taken for as long as one could wait."""
