"""The table's page over real HTTP: its policy, its caching, its size, and that all it loads is there."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from comanda.http.bundle import modules_of
from comanda.http.page import FOR_GOOD, content_policy
from comanda.http.static_files import STATIC, static_tree, without_comments

from .server import Server

MOST_BYTES = 60_000
"""What a phone loads for the first cart, compressed."""

ADDRESS = re.compile(r"""(?:src|href)="([^"]+)\"""")
FOREIGN = re.compile(r"""["'`(](?:https?:)?//[\w.-]+""")


async def page_of(server: Server, **headers: str) -> httpx.Response:
    return await server.call("GET", "/t/demo-1", headers=headers)


def policy_of(response: httpx.Response) -> dict[str, list[str]]:
    """The Content-Security-Policy by directive."""
    parts = response.headers["content-security-policy"].split("; ")
    return {name: sources for name, *sources in (part.split() for part in parts)}


def our_files() -> Iterator[Path]:
    """The page's own source files."""
    for path in STATIC.rglob("*"):
        if path.suffix in (".js", ".css", ".html") and "vendor" not in path.parts:
            yield path


async def test_a_tables_code_leads_to_its_page(server: Server) -> None:
    page = await page_of(server)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.text.startswith("<!doctype html>")


async def test_an_unknown_code_gets_a_page_too_not_json(server: Server) -> None:
    page = await server.call("GET", "/t/nowhere", status=404)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-security-policy" in page.headers
    assert page.headers["cache-control"] == "no-cache"


async def test_the_policy_allows_this_server_and_nothing_inline(server: Server) -> None:
    host = f"127.0.0.1:{server.port}"
    page = await page_of(server)
    assert policy_of(page) == {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", f"ws://{host}", f"wss://{host}"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.test; script-src *", "a b", "x,y", "", "[::1"])
def test_a_host_that_is_none_does_not_get_into_the_policy(host: str) -> None:
    assert "connect-src 'self';" in content_policy(host)


@pytest.mark.parametrize("host", ["comanda.test", "192.168.1.7:8080", "[fe80::1]:8080"])
def test_a_plain_host_does(host: str) -> None:
    assert f"connect-src 'self' ws://{host} wss://{host};" in content_policy(host)


async def test_the_page_is_asked_for_anew_and_costs_nothing_where_it_is_known(
    server: Server,
) -> None:
    first = await page_of(server)
    assert first.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": first.headers["etag"]}
    again = await server.call("GET", "/t/demo-1", status=304, headers=known)
    assert again.headers["etag"] == first.headers["etag"]
    await server.call("GET", "/t/demo-1", headers={"If-None-Match": 'W/"another"'})


async def test_all_that_the_page_loads_is_there_and_kept_for_good(server: Server) -> None:
    page = await page_of(server)
    addresses = set(ADDRESS.findall(page.text))
    assert len(addresses) == 3  # a script, a sheet and an icon
    for address in addresses:
        assert address.startswith(f"/static/{static_tree().tree}/"), address
        asset = await server.http.get(address)
        assert asset.status_code == 200, address
        assert asset.headers["cache-control"] == FOR_GOOD
        assert asset.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "name", "entry"), [("/t/demo-1", "index", "app.js"), ("/staff", "staff", "staff.js")]
)
async def test_a_page_is_one_script_and_one_sheet_so_that_no_file_waits_for_another(
    server: Server, path: str, name: str, entry: str
) -> None:
    page = (await server.call("GET", path)).text
    folder = f"/static/{static_tree().tree}"
    loaded = [one for one in ADDRESS.findall(page) if not one.endswith(".svg")]
    assert loaded == [f"{folder}/page/{name}.css", f"{folder}/page/{name}.js"]
    script = static_tree().assets[f"page/{name}.js"].body.decode()
    assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)
    modules = {one: file.body.decode() for one, file in static_tree().assets.items()}
    assert {"call.js", "view.js", "vendor/preact.module.js"} <= set(modules_of(entry, modules))
    assert "ApiError extends Error" in script


async def test_the_sheet_is_the_pages_styles_in_their_order() -> None:
    styles = re.findall(r'stylesheet" href="/static/([^"]+)"', (STATIC / "staff.html").read_text())
    whole = static_tree().assets["page/staff.css"].body
    assert whole == b"".join((STATIC / style).read_bytes() for style in styles)
    assert styles[-1] == "staff.css"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("cart.js", "text/javascript; charset=utf-8"),
        ("menu.css", "text/css; charset=utf-8"),
        ("vendor/LICENSE-preact", "text/plain; charset=utf-8"),
    ],
)
async def test_an_asset_says_what_it_is(server: Server, name: str, content_type: str) -> None:
    asset = await server.http.get(f"/static/{static_tree().tree}/{name}")
    assert asset.headers["content-type"] == content_type
    source = (STATIC / name).read_bytes()
    assert asset.content == (without_comments(source) if name.endswith(".js") else source)


def test_a_module_goes_out_without_its_comments_and_every_line_where_it_was() -> None:
    source = b"/*! MIT */\n// why\n/**\n * What.\n */\nlet a = 1; // stays\n  /** b */ let b;\n"
    bare = b"/*! MIT */\n\n\n\n\nlet a = 1; // stays\n  /** b */ let b;\n"
    assert without_comments(source) == bare


def test_what_is_taken_for_a_comment_stands_in_no_template() -> None:
    for path in our_files():
        lines = path.read_bytes().splitlines(keepends=True)
        bare = without_comments(b"".join(lines)).splitlines(keepends=True)
        for number, (line, left) in enumerate(zip(lines, bare, strict=True)):
            if line != left:
                assert b"".join(bare[:number]).count(b"`") % 2 == 0, f"{path.name}:{number + 1}"


async def test_an_asset_is_compressed_for_whom_can_read_that(server: Server) -> None:
    path = f"/static/{static_tree().tree}/cart.js"
    plain = await server.http.get(path, headers={"Accept-Encoding": "identity"})
    refused = await server.http.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    packed = await server.http.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.content == packed.content == refused.content
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert {one.headers["vary"] for one in (plain, packed)} == {"Accept-Encoding"}


@pytest.mark.parametrize(
    "path",
    [
        "/static/{tree}/nothing.js",
        "/static/0123456789abcdef/cart.js",
        "/static/{tree}/package.json",
        "/static/{tree}/vendor/packages.toml",
        "/static/{tree}/index.html",
        "/static/{tree}/../page.py",
        "/static/{tree}/%2e%2e/page.py",
        "/static/cart.js",
        "/static/{tree}/",
    ],
)
async def test_what_is_no_asset_of_this_version_is_not_found(server: Server, path: str) -> None:
    await server.refused("not_found", 404, "GET", path.format(tree=static_tree().tree))


async def test_the_page_with_all_it_loads_is_small(server: Server) -> None:
    page = await page_of(server)
    size = len(gzip.compress(page.content))
    for address in set(ADDRESS.findall(page.text)):
        asset = await server.http.get(address)
        size += int(asset.headers["content-length"])
    assert size < MOST_BYTES, f"{size} bytes compressed"


def test_no_file_of_the_page_names_another_host_or_has_a_script_or_style_inline() -> None:
    for path in our_files():
        source = path.read_text("utf-8")
        assert not FOREIGN.search(source), path.name
        if path.suffix == ".html":
            assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", source), (
                path.name
            )


def test_a_changed_file_changes_every_address(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text('import "./other.js";\n')
    (tmp_path / "other.js").write_text("export {};\n")
    (tmp_path / "index.html").write_text(
        '  <head>\n    <script type="module" src="/static/app.js"></script>\n  </head>\n'
    )
    before = static_tree.__wrapped__(tmp_path)
    (tmp_path / "other.js").write_text("export default 1;\n")
    after = static_tree.__wrapped__(tmp_path)
    assert before.tree != after.tree
    assert before.pages["index.html"].digest != after.pages["index.html"].digest
    assert f"/static/{after.tree}/page/index.js" in after.pages["index.html"].body.decode()


def test_a_module_that_imports_what_is_not_there_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text('import "./gone.js";\n')
    (tmp_path / "index.html").write_text('<script type="module" src="/static/app.js"></script>')
    with pytest.raises(KeyError, match=r"gone\.js"):
        static_tree.__wrapped__(tmp_path)
