"""Members who have a seat and misuse it: nonsense between good commands, floods; and one who just dines."""

import random

import msgspec
import trio

from .. import frames
from ..stock import Stock
from ..talk import open_talk
from ..world import World

ROUNDS = (1, 3)
COMMANDS_A_ROUND = (12, 24)
"""Three rounds are fewer frames than a connection may send at once."""

FLOOD_FRAMES = 460
"""A burst of 120 and 300 refused ones are the limits, then comes 1008."""

FLOOD_PIECE = 46
CLOSE_SECONDS = 10.0
"""For the server to have read it all, and to close."""


async def mutated_commands(world: World, stock: Stock, chance: random.Random) -> None:
    """Good and spoilt commands in turn, known `request_id`s again, and an end at any moment."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if not await talk.join(seat):
            return
        for _ in range(chance.randint(*ROUNDS)):
            many = chance.randint(*COMMANDS_A_ROUND)
            said = stock.commands(chance, many, spoilt_share=0.7)
            await talk.say("command", *said)
            if chance.random() < 0.4:
                await talk.all_heard()
        await talk.end()


async def flood(world: World, stock: Stock, chance: random.Random) -> None:
    """As many frames as the server takes before it closes: one of a kind, or all kinds."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if not await talk.join(seat):
            return
        speech = stock.speech
        pings = chance.random() < 0.2
        texts = [*speech.good[:20], frames.text(b'{"type":"ping"}')]
        one = frames.frame(frames.PING, b"?" * 125) if pings else chance.choice(texts)
        for _ in range(FLOOD_FRAMES // FLOOD_PIECE):
            await talk.say("flood", *[one] * FLOOD_PIECE)
        if pings:
            await talk.end()
        else:
            with trio.move_on_after(CLOSE_SECONDS):
                await talk.over.wait()


async def diner(world: World, stock: Stock, chance: random.Random) -> None:
    """Somebody who empties the cart, orders one dish well, and is gone at some moment of it."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if not await talk.join(seat):
            return
        mark = f"d{chance.getrandbits(40):x}"
        await talk.ask(
            "command",
            frames.text(b'{"type":"clear_cart"}'),
            frames.text(
                f'{{"type":"add_item","menu_item_id":456,"qty":1,"public_id":"{mark}",'
                f'"request_id":"{mark}"}}'.encode()
            ),
            until=mark.encode(),
        )
        path = f"/api/sessions/{seat.session}/cart"
        answer = await world.ask("cart", chance, "GET", path, token=seat.token)
        if answer.status != 200:
            return
        cart = msgspec.json.decode(answer.body)
        seen = [
            {key: one[key] for key in ("public_id", "menu_item_id", "qty", "note")}
            for one in cart["items"]
        ]
        order = {"type": "place_order", "cart_items": seen, "total": cart["total"]}
        order["request_id"] = f"o{mark}"
        said = frames.text(msgspec.json.encode(order))
        await talk.say("command", *([said] * chance.randint(1, 2)))
        await talk.end()
