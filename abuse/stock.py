"""What a process has ready to send: commands as frames, and good requests to spoil."""

import random

from .requests import Requests
from .speech import Speech
from .world import World


class Stock:
    """Made once for a process."""

    def __init__(self, world: World) -> None:
        self.speech = Speech(world.job)
        self.requests = Requests(world)

    def commands(self, chance: random.Random, many: int, spoilt_share: float) -> list[bytes]:
        """Frames of commands; never two spoilt ones side by side, since the third in a row ends a talk."""
        said: list[bytes] = []
        for _ in range(many):
            if chance.random() < spoilt_share:
                said.append(chance.choice(self.speech.spoilt))
            said.append(chance.choice(self.speech.good))
        return said
