"""Good input for each decoder, from which a fuzzer sets out. Small: it finds the rest by itself."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

COMMANDS: Sequence[bytes] = (
    b'{"type":"join","token":"a.b"}',
    b'{"type":"add_item","menu_item_id":456,"qty":2,"note":"hot","public_id":"a-1","request_id":"r"}',
    b'{"type":"update_item","public_id":"a-1","qty":3,"note":"\\u202e"}',
    b'{"type":"remove_item","public_id":"a-1","request_id":null}',
    b'{"type":"clear_cart","a_later_field":{"of":["any","kind"]}}',
    b'{"type":"place_order","cart_items":[{"public_id":"a","menu_item_id":1,"qty":1,"note":""}],'
    b'"total":6.25e2,"special_instructions":"window"}',
    b'{"type":"resolve_now"}',
    b'{"type":"ping","request_id":"\xc3\xa9"}',
)

TOLD: Sequence[bytes] = (
    b'{"type":"ack","request_id":"r","seq":4}',
    b'{"type":"error","request_id":null,"code":"bad_message","message":"x","retry_after":1.5}',
    b'{"type":"cart_updated","seq":4,"by_member":null,"items":[],"removed":["a"],"total":6.25,'
    b'"timestamp":"2024-01-15T10:30:00Z"}',
    b'{"type":"presence","members":[{"member_id":"m","name":"Ana","online":true}]}',
    b'{"type":"menu_updated","items":[{"menu_item_id":4,"price":12.50,"available":false}]}',
    b'{"type":"server_closing","retry_after":1,"timestamp":"2024-01-15T10:30:00Z"}',
    b'{"type":"session_closed","seq":9,"reason":"x","timestamp":"2024-01-15T10:30:00Z"}',
)

MENU = b"""[[restaurants]]
id = 3
name = "Chez Nous"
currency = "EUR"
[[restaurants.sections]]
name = "Plats"
items = [ { id = 1, name = "Soupe", price = 4.50, description = "", available = false } ]
[[restaurants.tables]]
code = "a-1"
label = "T1"
"""

SESSION = b"""title = "t"
members = ["Ana"]
[[steps]]
member = "Ana"
do = "join"
[[steps]]
everyone = true
do = "add"
item = 456
as = "a"
[[steps]]
members = ["Ana"]
do = "expect"
sees = ["cart_updated"]
cart = { locked = false }
"""

CALLBACK = (
    b'1700000000          v1,AAAA\n{"event_id":"e","order_id":"ORD-7-1","status":"accepted",'
    b'"pos_reference":"P","message":null,"occurred_at":"2024-01-15T10:30:00Z","retryable":true}'
)


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A short frame of a client, its mask zero."""
    return bytes([(0x80 if final else 0) | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def seeds(decoder: str) -> list[bytes]:
    """Good input for the decoder of this name."""
    match decoder:
        case "command":
            return list(COMMANDS)
        case "told":
            return list(TOLD)
        case "menu":
            demo = resources.files("comanda").joinpath("demo_menu.toml").read_bytes()
            return [MENU, demo[:3000]]
        case "session":
            examples = sorted((Path(__file__).parents[1] / "examples").glob("*.toml"))
            return [SESSION, *(path.read_bytes() for path in examples)]
        case "callback":
            return [CALLBACK]
    long_text = b"\x81\xfe\x00\x96" + bytes(4) + b"x" * 150
    return [
        b"\x05" + frame(1, b"hello") + frame(9, b"?") + frame(8, b"\x03\xe8bye"),
        b"\x09" + frame(1, b"he", final=False) + frame(10, b"") + frame(0, b"llo"),
        b"\x80" + long_text + frame(2, b"x"),
        b"\x02" + b"\x81\xff" + (2000).to_bytes(8, "big") + bytes(4),
    ]
