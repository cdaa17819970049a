"""HTTP requests: good ones for every path that there is, and what can be wrong with each part of one."""

import base64
import hashlib
import hmac
import random
import time
from collections.abc import Callable

from msgspec import Struct

from .nonsense import as_json, flip_bits, spoil, spoil_bytes
from .world import World

METHODS = (
    "GET",
    "POST",
    "PATCH",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "get",
    "",
)
LONG_VALUES = (
    "x" * 8000,
    "x" * 20_000,
    "é" * 200,
    "\x01",
    "a\tb",
    ",",
    ";=;",
    '"',
    "0",
    "-1",
    "*",
    "null",
)

HEADERS = (
    ("Range", "bytes=0-0"),
    ("Range", "bytes=-1,5-2,999999999999-"),
    ("If-None-Match", "*"),
    ("If-None-Match", 'W/"a", "b", "'),
    ("If-Match", '"x"'),
    ("If-Modified-Since", "Thu, 99 Foo 0000 99:99:99 GMT"),
    ("If-Range", '"x"'),
    ("Accept", "text/plain;q=x, */*;q=0"),
    ("Accept-Encoding", "br, gzip;q=1.0, *;q=0"),
    ("Accept-Language", "zz-ZZ" * 300),
    ("Host", "evil.example:99999"),
    ("Host", "[::1"),
    ("Host", "a b"),
    ("Host", "\u00e9"),
    ("X-Forwarded-For", "127.0.0.1, 8.8.8.8"),
    ("X-Forwarded-For", "," * 3000),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("Forwarded", "for=127.0.0.1"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("Cookie", "session=" + "x" * 4000),
    ("Expect", "100-continue"),
    ("Expect", "the unexpected"),
    ("Connection", "close, keep-alive, upgrade"),
    ("Connection", "Content-Length"),
    ("Upgrade", "h2c"),
    ("Upgrade", "websocket"),
    ("TE", "trailers, deflate"),
    ("Origin", "null"),
    ("Content-Type", "application/json; charset=utf-16"),
    ("Content-Type", "multipart/form-data; boundary="),
    ("Content-Type", ";"),
    ("Content-Encoding", "gzip"),
    ("Content-Length", "5"),
    ("Authorization", "Basic \u00ff"),
    ("Authorization", "Bearer"),
    ("Authorization", "Bearer " + "." * 5000),
    ("webhook-timestamp", "1e999"),
    ("\u00e9", "x"),
    ("A B", "x"),
    ("", "x"),
)


class Request(Struct):
    """A request, still in its parts. `headers` are besides Host and Content-Length."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes | None = None
    host: bool = True

    def as_bytes(self) -> bytes:
        """What is sent."""
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        if self.host:
            lines.append("Host: 127.0.0.1")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None and not any(name == "Content-Length" for name, _ in self.headers):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "replace") + (self.body or b"")


class Requests:
    """Makes requests for one process's server."""

    def __init__(self, world: World) -> None:
        self._world = world

    def good(self, chance: random.Random) -> Request:
        """A good request to any path of the server, by whomever."""
        job, chosen = self._world.job, chance.choice(_GOOD)
        seats = self._world.seats
        seat = chance.choice(seats) if seats else None
        method, path, body, who = chosen
        tokens = {
            "": "",
            "member": seat.token if seat else "x.y",
            "staff": job.staff_token,
            "any": chance.choice(["", "x.y", job.staff_token, seat.token if seat else ""]),
        }
        named = path.format(
            table=chance.choice(job.tables),
            session=chance.choice([*self._world.neighbours[:3], seat.session if seat else "s"]),
            restaurant=chance.choice([1, job.restaurant_id, 3]),
            dish=chance.choice([456, 101, 9]),
            order=chance.randint(1, 60),
        )
        headers = [("Authorization", f"Bearer {tokens[who]}")] if tokens[who] else []
        if body is None:
            return Request(method, named, headers)
        headers.append(("Content-Type", "application/json"))
        return Request(method, named, headers, as_json(body))

    def spoilt(self, chance: random.Random) -> Request:
        """A request with one to three things wrong in it."""
        request = self.good(chance)
        for _ in range(chance.randint(1, 3)):
            chance.choice(_SPOILERS)(chance, request)
        return request

    def callback(self, chance: random.Random) -> tuple[Request, bool]:
        """What a POS might say of an order, and whether it is signed with the right secret.

        One that is speaks of an order that nobody has, or says what nobody can read.
        """
        right = chance.random() < 0.3
        number = 10**9 if right else chance.randint(1, 60)
        restaurant = self._world.job.restaurant_id if right else chance.choice([1, 2])
        fields = {
            "event_id": f'"evt-{chance.randrange(10**6)}"',
            "order_id": f'"ORD-{restaurant}-{number}"',
            "status": chance.choice(['"accepted"', '"rejected"']),
            "pos_reference": '"POS-\\u202e1"',
        }
        body = spoil(chance, fields) if right and chance.random() < 0.6 else as_json(fields)
        secret = base64.b64decode(self._world.job.pos_secret.removeprefix("whsec_"))
        headers = _signed(chance, body, secret, right=right)
        return Request("POST", "/api/pos/callbacks", headers, body), right


def _signed(
    chance: random.Random, body: bytes, secret: bytes, *, right: bool
) -> list[tuple[str, str]]:
    """The three headers of Standard Webhooks, good or wrong in one of many ways."""
    event, now = f"evt-{chance.getrandbits(32)}", int(time.time())
    way = (
        "right"
        if right
        else chance.choice(["none", "key", "old", "new", "flipped", "shape", "event"])
    )
    at = {"old": now - 301, "new": now + 600}.get(way, now)
    key = secret[::-1] if way == "key" else secret
    digest = hmac.digest(key, f"{event}.{at}.".encode() + body, hashlib.sha256)
    if way == "flipped":
        digest = flip_bits(chance, digest)
        if digest == hmac.digest(key, f"{event}.{at}.".encode() + body, hashlib.sha256):
            digest = digest[::-1]
    signature = "v1," + base64.b64encode(digest).decode()
    if way == "shape":
        signature = chance.choice(
            ["", "v1", "v1,", "v2" + signature[2:], signature[3:], "v1,ä", ",,,"]
        )
    headers = [
        ("webhook-id", event),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", signature),
    ]
    if way == "event":
        headers[0] = ("webhook-id", event + "1")
    if way == "none":
        headers = headers[: chance.randrange(3)]
    return [*headers, ("Content-Type", "application/json")]


_RESOLVE = {"outcome": '"rejected"', "reason": '"because"'}

_GOOD: tuple[tuple[str, str, dict[str, str] | None, str], ...] = (
    ("GET", "/api/tables/{table}", None, ""),
    ("POST", "/api/tables/{table}/join", {"name": '"Eve"'}, ""),
    ("GET", "/api/restaurants/{restaurant}/menu", None, ""),
    ("GET", "/api/sessions/{session}/cart", None, "member"),
    ("GET", "/api/sessions/{session}/orders", None, "member"),
    ("GET", "/api/restaurants", None, "any"),
    ("GET", "/api/restaurants/{restaurant}/tables", None, "staff"),
    ("GET", "/api/restaurants/{restaurant}/qr-codes?address=x", None, "any"),
    (
        "GET",
        "/api/restaurants/{restaurant}/orders?state=unknown,sent&limit=5&cursor=",
        None,
        "staff",
    ),
    ("POST", "/api/orders/ORD-{restaurant}-{order}/resolve", _RESOLVE, "staff"),
    ("PATCH", "/api/restaurants/{restaurant}/menu/{dish}", {"price": "612.50"}, "staff"),
    ("PATCH", "/api/restaurants/{restaurant}/menu/{dish}", {"available": "true"}, "staff"),
    ("GET", "/t/{table}", None, ""),
    ("GET", "/staff", None, ""),
    ("GET", "/healthz", None, ""),
    ("GET", "/readyz", None, ""),
    ("GET", "/openapi.json", None, ""),
    ("GET", "/asyncapi.json", None, ""),
    ("GET", "/static/x/cart.js", None, ""),
    ("GET", "/static/../../etc/passwd", None, ""),
)
"""Method, path, body and whose token goes with it. `/metrics` is left out: it costs the most."""


def _method(chance: random.Random, request: Request) -> None:
    request.method = chance.choice(METHODS)


def _path(chance: random.Random, request: Request) -> None:
    spoilt = spoil_bytes(chance, request.path.encode()).decode("latin-1")
    request.path = chance.choice(
        [
            spoilt.replace("\r", "").replace("\n", ""),
            request.path
            + chance.choice(["/", "//", "?", "?a=%00", "%00", "%ff", "%", "#x", "/..", ";x=1"]),
            "/" + request.path,
            request.path.replace("/", "%2F"),
            request.path + "?" + "&".join(f"limit={n}" for n in range(300)),
            request.path + "?cursor=" + "9" * 600,
            request.path + "x" * chance.choice([64, 1000, 9000, 17_000]),
            "http://evil.example" + request.path,
            "*",
            "",
        ]
    )


def _header(chance: random.Random, request: Request) -> None:
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        request.headers.append(chance.choice(HEADERS))


def _long_header(chance: random.Random, request: Request) -> None:
    name = chance.choice(
        ["X-A", "Authorization", "Content-Type", "If-None-Match", "Cookie", "Origin"]
    )
    request.headers.append((name, chance.choice(LONG_VALUES)))


def _many_headers(chance: random.Random, request: Request) -> None:
    request.headers += [(f"X-{n}", "y") for n in range(chance.choice([50, 500, 1000, 2500]))]


def _no_host(chance: random.Random, request: Request) -> None:
    request.host = False


def _body(chance: random.Random, request: Request) -> None:
    request.body = chance.choice(
        [
            spoil(chance, {"name": '"Eve"', "available": "true", "outcome": '"confirmed"'}),
            b"x" * chance.choice([1, 65_536, 65_537]),
            b" " * 65_530 + b"{}",
            chance.randbytes(200),
            b"",
        ]
    )
    request.headers = [one for one in request.headers if one[0] != "Content-Type"]
    kind = chance.choice(["application/json", "application/json", "text/plain", None])
    if kind is not None:
        request.headers.append(("Content-Type", kind))


def _other_token(chance: random.Random, request: Request) -> None:
    request.headers = [one for one in request.headers if one[0] != "Authorization"]
    token = chance.choice(["x", "a.b", "é", "x" * 6000, "e30.e30", "null", "W10.AAAA", "\x7f"])
    request.headers.append(("Authorization", f"Bearer {token}"))


_SPOILERS: tuple[Callable[[random.Random, Request], None], ...] = (
    *(_method, _path, _path, _header, _header, _header, _long_header, _no_host, _body, _body),
    *(_other_token, _many_headers),
)
