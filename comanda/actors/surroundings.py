"""What every dining session of a house shares."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .carrying import Carrying
from .claims import Claims
from .domain.messages import Told
from .door import Doors
from .ports import Clock, Ids, Menus, Pos, Store
from .pos_task import PosTimes
from .tally import Tally


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every dining session of a house shares. `frame` encodes what is told, once for all members."""

    store: Store
    pos: Pos
    menus: Menus
    clock: Clock
    ids: Ids
    frame: Callable[[Told], bytes]
    pos_times: PosTimes
    lock_limit_seconds: float
    rng: random.Random
    carrying: Carrying
    tally: Tally
    doors: Doors = field(default_factory=Doors)
    claims: Claims = field(default_factory=Claims)
