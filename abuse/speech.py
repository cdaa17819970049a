"""Commands: good ones, and ones that are not. Made once for a process and said again and again."""

import random

from . import frames
from .nonsense import Fields, as_json, spoil
from .words import Job

DISHES = (101, 102, 103, 104, 456, 457, 458, 459, 460)
PUBLIC_IDS = 150
REQUEST_IDS = 400
"""Few, so that ids are used twice, with the same content and with other."""

GOOD = 300
SPOILT = 1500
"""Payloads that are kept ready: to make one takes longer than to send ten."""


def a_command(chance: random.Random) -> Fields:
    """A good command of any kind, each value written as JSON."""
    fields = chance.choice(_KINDS)(chance)
    if chance.random() < 0.7:
        fields["request_id"] = f'"r-{chance.randrange(REQUEST_IDS)}"'
    return fields


def _public_id(chance: random.Random) -> str:
    return f'"h-{chance.randrange(PUBLIC_IDS)}"'


def _add(chance: random.Random) -> dict[str, str]:
    fields = {"type": '"add_item"', "menu_item_id": str(chance.choice(DISHES))}
    fields["qty"] = str(chance.randint(1, 99))
    if chance.random() < 0.6:
        fields["note"] = chance.choice(['""', '"No onions"', '"\\u202e\\u0007"', f'"{"ö" * 280}"'])
    if chance.random() < 0.8:
        fields["public_id"] = _public_id(chance)
    return fields


def _update(chance: random.Random) -> dict[str, str]:
    fields = {"type": '"update_item"', "public_id": _public_id(chance)}
    fields["qty"] = str(chance.randint(1, 99))
    return fields


def _remove(chance: random.Random) -> dict[str, str]:
    return {"type": '"remove_item"', "public_id": _public_id(chance)}


def _order(chance: random.Random) -> dict[str, str]:
    line = f'{{"public_id":{_public_id(chance)},"menu_item_id":456,"qty":1,"note":""}}'
    lines = ",".join([line] * chance.randint(0, 3))
    fields = {"type": '"place_order"', "cart_items": f"[{lines}]", "total": "625.00"}
    if chance.random() < 0.3:
        fields["special_instructions"] = '"by the \\u2066window"'
    return fields


def _other(chance: random.Random) -> dict[str, str]:
    return {"type": chance.choice(['"clear_cart"', '"resolve_now"', '"ping"', '"ping"'])}


_KINDS = (_add, _add, _add, _add, _update, _update, _remove, _order, _other)


class Speech:
    """A process's stock of payloads, all from its seed, as frames."""

    def __init__(self, job: Job) -> None:
        chance = random.Random(f"{job.seed}:{job.number}:speech")
        self.good = [frames.text(as_json(a_command(chance)), chance) for _ in range(GOOD)]
        self.spoilt = [frames.text(spoil(chance, a_command(chance)), chance) for _ in range(SPOILT)]
