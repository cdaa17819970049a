"""Failpoints: places in a running server where a test has it die, fail or wait.

Where none is set nothing of this is in the way: `app.serve` puts these around the ports that it wires,
and only then.
"""

from .ports import Failpoints
from .text import ACTIONS, PLACES, Failpoint, parse_failpoints

__all__ = ["ACTIONS", "PLACES", "Failpoint", "Failpoints", "parse_failpoints"]
