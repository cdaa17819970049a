"""The page's files, read and compressed once: assets under one hash of all of them, and HTML pages.

Modules import each other by relative paths, so the hash stands in the path before them:
`/static/{tree}/cart.js`. Whatever changes, every address changes, and a browser may keep each for good.
"""

import functools
import gzip
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

_IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.{1,2}/[^"']+)["']""")
_ENTRY = re.compile(r"""<script type="module" src="/static/([^"]+)">""")
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
    assets = {
        name: without_comments(source) if name.endswith(".js") else source
        for name, source in sources.items()
        if not name.endswith(".html")
    }
    digests = "".join(f"{_digest(source)} {name}\n" for name, source in assets.items())
    tree = _digest(digests.encode())[:16]
    pages = {
        name: _html(source.decode(), tree, assets).encode()
        for name, source in sources.items()
        if name not in assets
    }
    return StaticTree(
        tree,
        {name: _file(name, source) for name, source in assets.items()},
        {name: _file(name, source) for name, source in pages.items()},
    )


def modules_of(entry: str, assets: dict[str, bytes]) -> list[str]:
    """Every module that `entry` imports, directly or not, itself first.

    Raises:
        KeyError: one imports what is not there.
    """
    found = [entry]
    for name in found:
        base = Path(name).parent
        for imported in _IMPORT.findall(assets[name].decode()):
            path = _normal(base / imported)
            if path not in found:
                found.append(path)
    return found


def without_comments(source: bytes) -> bytes:
    """A module without the comments that stand on lines of their own, every line where it was.

    They are a sixth of what a phone would load, and it is not the phone that reads them.
    """
    return _COMMENT.sub(lambda comment: b"\n" * comment[0].count(b"\n"), source)


def _html(source: str, tree: str, assets: dict[str, bytes]) -> str:
    """The page with hashed addresses, its modules preloaded so that none waits for another."""
    entries = _ENTRY.findall(source)
    modules = [module for entry in entries for module in modules_of(entry, assets)]
    preloads = "".join(
        f'    <link rel="modulepreload" href="/static/{module}" />\n' for module in modules
    )
    return source.replace("  </head>", f"{preloads}  </head>").replace(
        "/static/", f"/static/{tree}/"
    )


def _normal(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)


def _file(name: str, body: bytes) -> StaticFile:
    gzipped = gzip.compress(body, _COMPRESSION, mtime=0)
    smaller = gzipped if len(gzipped) < len(body) else None
    return StaticFile(body, smaller, TYPES[Path(name).suffix], _digest(body))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
