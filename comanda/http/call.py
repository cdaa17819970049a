"""One HTTP request as an endpoint sees it: who asks, with what, and how often."""

import hashlib
from typing import Any, NoReturn

import msgspec
from quart import Response, request

from comanda.actors.domain.messages import encode
from comanda.actors.ports import SessionKey

from .addresses import is_plain_host, local_addresses, phone_addresses
from .auth import BadToken, MemberPass, hash_token
from .callbacks import BadSignature
from .endpoints import Access
from .front import Front
from .limits import Buckets
from .problems import Refused, bare_response

MAX_QUERY_CHARACTERS = 512


class Call:
    """Wraps the current Quart request. Its checks raise `Refused`."""

    def __init__(self, front: Front) -> None:
        self.front = front

    @property
    def address(self) -> str:
        """The address that asks, as a trusted proxy says it where one stands between."""
        forwarded = request.headers.getlist("X-Forwarded-For")
        return self.front.proxies.address(request.remote_addr or "", forwarded)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as it was asked for; of a trusted proxy as that says."""
        forwarded = request.headers.getlist("X-Forwarded-Proto")
        return self.front.proxies.scheme(request.remote_addr or "", request.scheme, forwarded)

    def limit(self, buckets: Buckets) -> None:
        """Refuse an address that asks too often."""
        if self.front.limits.enabled:
            wait = buckets.take(self.address)
            if wait > 0:
                raise Refused("rate_limited", "Too many requests; slow down", retry_after=wait)

    def count(self, access: Access) -> None:
        """Count a request, of the token's holder and of the address; refuse where either asks too often.

        The token's first: what one token asks beyond its own limit takes nothing from the others behind
        the same address.
        """
        if access in ("member", "staff") and self.front.limits.enabled:
            self._count_token()
        self.limit(self.front.requests)

    def _count_token(self) -> None:
        """Only a token that opens something is counted, so nobody fills the memory with invented ones."""
        front, token = self.front, self._bearer()
        if token is None:
            return
        try:
            wait = front.of_members.take(front.members.read(token).member_id)
        except BadToken:
            if not front.staff.is_staff(token):
                return
            wait = front.of_staff.take(hash_token(token))
        if wait > 0:
            raise Refused("rate_limited", "Too many requests; slow down", retry_after=wait)

    async def body(self, kind: Any) -> Any:
        """The JSON body as `kind`, size and media type checked."""
        if request.mimetype != "application/json":
            raise Refused("unsupported_media_type", "The body must be application/json")
        return decoded_body(await self._data(), kind)

    async def _data(self) -> bytes:
        data = await request.get_data(cache=False)
        assert isinstance(data, bytes)
        return data

    async def signed_body(self, kind: Any) -> Any:
        """The JSON body as `kind`, which the POS has signed; the signature is checked before all else."""
        data = await self._data()
        try:
            self.front.callbacks.check(data, dict(request.headers.items()))
        except BadSignature as error:
            raise Refused("unauthorized", str(error)) from error
        return decoded_body(data, kind)

    def query(self, name: str, default: str) -> str:
        """A query parameter."""
        value: str = request.args.get(name, default)
        if len(value) > MAX_QUERY_CHARACTERS or "\x00" in value:
            raise Refused("bad_message", f"The parameter `{name}` cannot be read")
        return value

    def whole_number(self, name: str, default: int, least: int, most: int) -> int:
        """A query parameter between `least` and `most`."""
        text = self.query(name, str(default))
        digits = text.isascii() and text.isdigit() and len(text) < 10
        if not (digits and least <= int(text) <= most):
            raise Refused("bad_message", f"`{name}` is a number from {least} to {most}")
        return int(text)

    def if_none_match(self, etag: str) -> bool:
        """Whether the asker has this version already."""
        return bool(request.if_none_match.contains_weak(etag.strip('"')))

    def with_etag(self, answer: Any) -> Response:
        """The answer as JSON; a 304 where the asker has just this one already.

        For what is asked for again and again. As with all that says nothing else, nobody is to keep it.
        """
        body = encode(answer)
        etag = hashlib.sha256(body).hexdigest()[:32]
        headers = {"ETag": f'"{etag}"'}
        if self.if_none_match(etag):
            return bare_response(304, headers)
        return Response(body, 200, headers, content_type="application/json")

    def phone_addresses(self) -> tuple[str, ...]:
        """The addresses under which a phone may reach this server, the likeliest first."""
        host = request.host if is_plain_host(request.host) else "localhost"
        asked_under = f"{self.scheme}://{host}"
        front = self.front
        return phone_addresses(front.public_url, asked_under, front.listens_on, local_addresses())

    def websocket_url(self, path: str) -> str:
        """The absolute ws or wss address of `path`, as the asker can reach it."""
        base = self.front.public_url
        if base is None:
            base = f"{self.scheme}://{request.host}"
        return "ws" + base.rstrip("/").removeprefix("http") + path

    def token(self) -> str:
        """The bearer token."""
        token = self._bearer()
        if token is None:
            raise Refused("unauthorized", "A bearer token is needed")
        return token

    def _bearer(self) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return token.strip() or None if scheme.lower() == "bearer" else None

    async def member_key(self, session_pid: str) -> SessionKey:
        """The session that the asker's token opens, which must be `session_pid` and open."""
        token = self.token()
        try:
            member: MemberPass = self.front.members.read(token)
        except BadToken as error:
            if self.front.staff.is_staff(token):
                raise Refused("forbidden", "This is for the table's members") from error
            raise Refused("unauthorized", "The token is not valid") from error
        found = await self.front.find_session(session_pid, member.key)
        if found is None:
            raise Refused("not_found", "There is no such session")
        key, is_open = found
        if member.key != key:
            raise Refused("forbidden", "The token is for another session")
        if not is_open:
            raise Refused("unauthorized", "This table's session is closed")
        return key

    def any_staff(self) -> None:
        """Somebody of the staff asks, of whichever restaurant."""
        if not self.front.staff.is_staff(self.token()):
            self._no_staff()

    def staff_of(self, restaurant_id: int) -> str:
        """Somebody of this restaurant's staff asks; whose staff the token says they are."""
        token = self.token()
        whose = self.front.staff.whose(token, restaurant_id)
        if whose is None:
            if self.front.staff.is_staff(token):
                raise Refused("forbidden", "The token is another restaurant's")
            self._no_staff()
        return whose

    def _no_staff(self) -> NoReturn:
        try:
            self.front.members.read(self.token())
        except BadToken as error:
            raise Refused("unauthorized", "The staff token is not valid") from error
        raise Refused("forbidden", "This is for the staff")


def decoded_body(data: bytes, kind: Any) -> Any:
    """The JSON in `data` as `kind`.

    Raises:
        Refused: it is none, or not one of that kind.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        raise Refused("bad_message", f"The body is not valid: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Refused("bad_message", "The body is not JSON") from error
