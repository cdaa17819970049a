"""The page's files, read and compressed once: assets under one hash of all of them, and HTML pages.

Modules import each other by relative paths, so the hash stands in the path before them:
`/static/{tree}/cart.js`. Whatever changes, every address changes, and a browser may keep each for good.
An HTML page loads its modules as one script and its styles as one sheet: `/static/{tree}/page/index.js`.
"""

import functools
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .bundle import one_script

STATIC: Final = Path(__file__).parent / "static"

TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""What is served, by suffix; a licence has none. Other files are for whoever builds on the page."""

_SCRIPT = re.compile(r'<script type="module" src="/static/([^"]+)">')
_STYLES = re.compile(r'(?:[ ]*<link rel="stylesheet" href="/static/[^"]+" />\n)+')
_STYLE = re.compile(r'href="/static/([^"]+)"')
_COMMENT = re.compile(
    rb"^[ \t]*(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)[ \t]*$", re.MULTILINE | re.DOTALL
)
"""A comment that has its lines for itself. A licence's begins with `/*!` and stays."""

_COMPRESSION = 9
"""The smallest; it is done once."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it goes out. `gzipped` is None where that would not be smaller; `digest` is of `body`."""

    body: bytes
    gzipped: bytes | None
    content_type: str
    digest: str


@dataclass(frozen=True, slots=True)
class StaticTree:
    """All files by their path below `static`, HTML pages apart by their name. `tree` hashes the assets."""

    tree: str
    assets: dict[str, StaticFile]
    pages: dict[str, StaticFile]


@functools.cache
def static_tree(folder: Path = STATIC) -> StaticTree:
    """The files of this installation. Read once a process."""
    sources = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }
    pages = {name: source.decode() for name, source in sources.items() if name.endswith(".html")}
    assets = {
        name: without_comments(source) if name.endswith(".js") else source
        for name, source in sources.items()
        if name not in pages
    }
    for name, page in pages.items():
        assets |= _wholes(name, page, assets)
    digests = "".join(f"{_digest(source)} {name}\n" for name, source in sorted(assets.items()))
    tree = _digest(digests.encode())[:16]
    return StaticTree(
        tree,
        {name: _file(name, source) for name, source in assets.items()},
        {name: _file(name, _html(name, page, tree).encode()) for name, page in pages.items()},
    )


def without_comments(source: bytes) -> bytes:
    """A module without the comments that stand on lines of their own, every line where it was.

    They are a sixth of what a phone would load, and it is not the phone that reads them.
    """
    return _COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), source)


def _wholes(name: str, page: str, assets: dict[str, bytes]) -> dict[str, bytes]:
    """What a page loads in the place of its modules and of its styles."""
    modules = {one: source.decode() for one, source in assets.items() if one.endswith(".js")}
    styles = [one for block in _STYLES.findall(page) for one in _STYLE.findall(block)]
    wholes = {}
    if entry := _SCRIPT.search(page):
        wholes[_whole(name, "js")] = one_script(entry[1], modules).encode()
    if styles:
        wholes[_whole(name, "css")] = b"".join(assets[style] for style in styles)
    return wholes


def _html(name: str, page: str, tree: str) -> str:
    """The page with the addresses of its one script and its one sheet, under the hash."""
    style = f'    <link rel="stylesheet" href="/static/{_whole(name, "css")}" />\n'
    script = f'<script type="module" src="/static/{_whole(name, "js")}">'
    page = _SCRIPT.sub(script, _STYLES.sub(style, page))
    return page.replace("/static/", f"/static/{tree}/")


def _whole(name: str, kind: str) -> str:
    return f"page/{name.removesuffix('.html')}.{kind}"


def _file(name: str, body: bytes) -> StaticFile:
    gzipped = gzip.compress(body, _COMPRESSION, mtime=0)
    smaller = gzipped if len(gzipped) < len(body) else None
    return StaticFile(body, smaller, TYPES[Path(name).suffix], _digest(body))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
