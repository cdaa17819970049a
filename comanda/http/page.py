"""The answers that a browser gets: HTML pages that are asked for anew, assets that are kept for good."""

from quart import Response, request
from werkzeug.exceptions import NotFound

from .addresses import is_plain_host
from .call import Call
from .problems import bare_response
from .static_files import StaticFile, static_tree

FOR_GOOD = "public, max-age=31536000, immutable"
"""A year, which is as long as caches honour; the hash in the address makes it right."""


async def get_table_page(call: Call, table_code: str) -> Response:
    """The page of a table, which says itself that there is none with this code; then its status is 404."""
    known = call.front.house.book.table(table_code) is not None
    return html_page(call, "index.html", 200 if known else 404)


def html_page(call: Call, name: str, status: int = 200) -> Response:
    """One of the HTML pages, with its policy and an ETag."""
    page = static_tree().pages[name]
    headers = {
        "ETag": f'W/"{page.digest[:32]}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": content_policy(request.host),
    }
    if status == 200 and call.if_none_match(page.digest[:32]):
        return bare_response(304, headers)
    return _response(page, status, headers)


async def get_asset(tree: str, name: str) -> Response:
    """A module, style or picture under the hash of all of them.

    Raises:
        NotFound: also for the hash of another version.
    """
    files = static_tree()
    asset = files.assets.get(name) if tree == files.tree else None
    if asset is None:
        raise NotFound("There is no such file in this version")
    return _response(asset, 200, {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"})


def content_policy(host: str) -> str:
    """What the page may load and whom it may talk to: this server, and nobody else.

    Older browsers do not count websockets to the same host as 'self', so it is named. A Host header
    that is no plain host and port is left out.
    """
    websockets = f" ws://{host} wss://{host}" if is_plain_host(host) else ""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'{websockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _response(file: StaticFile, status: int, headers: dict[str, str]) -> Response:
    if file.gzipped is not None and request.accept_encodings.quality("gzip") > 0:
        packed = {**headers, "Content-Encoding": "gzip"}
        return Response(file.gzipped, status, packed, content_type=file.content_type)
    return Response(file.body, status, headers, content_type=file.content_type)
