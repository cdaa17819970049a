"""The headers that keep browsers from misreading, framing, leaking or keeping an answer: on each of them."""

from typing import Any

import httpx

from .server import HOUSE_TOKEN, Member, Server

MAY_BE_KEPT = {"/api/restaurants/{restaurant_id}/menu", "/t/{table_code}", "/staff"}
"""These are asked for anew each time, and are known by their ETag."""

BODIES: dict[str, dict[str, Any]] = {
    "/api/tables/{table_code}/join": {"name": "Eve"},
    "/api/restaurants/{restaurant_id}/menu/{menu_item_id}": {"available": True},
}


def policy(response: httpx.Response) -> dict[str, list[str]]:
    """The Content-Security-Policy by directive."""
    parts = (part.split() for part in response.headers["content-security-policy"].split(";"))
    return {name: sources for name, *sources in parts}


def assert_hardened(response: httpx.Response, *, kept: str = "no-store") -> None:
    asked = (response.request.method, response.request.url.path, response.status_code)
    headers = response.headers
    assert headers["x-content-type-options"] == "nosniff", asked
    assert headers["referrer-policy"] == "no-referrer", asked
    assert headers.get_list("cache-control") == [kept], asked
    assert len(headers.get_list("content-security-policy")) == 1, asked
    assert policy(response)["frame-ancestors"] == ["'none'"], asked
    assert policy(response)["default-src"] == ["'none'"], asked
    if headers.get("content-type", "").startswith("text/html"):
        assert policy(response)["script-src"] == ["'self'"], asked
        assert policy(response)["base-uri"] == ["'none'"], asked


def filled(path: str, member: Member) -> str:
    """The path with what this house has in the places of its parameters."""
    for name, value in {
        "table_code": "demo-1",
        "session_pid": member.pid,
        "restaurant_id": "7",
        "menu_item_id": "456",
        "order_id": "ORD-7-1",
    }.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, path
    return path


async def test_every_answer_of_every_operation_has_them_to_whoever_asks(server: Server) -> None:
    succeeded = set()
    for path, method, operation in server.contract.operations():
        for whose in (None, "member", "staff"):
            ana = await server.join()  # the call that closes a table ends the session before
            token = {"member": ana.token, "staff": HOUSE_TOKEN}.get(whose or "")
            response = await server.http.request(
                method.upper(),
                filled(path, ana),
                headers={"Authorization": f"Bearer {token}"} if token else {},
                json=BODIES.get(path, {}) if "requestBody" in operation else None,
            )
            good = response.status_code < 300
            assert_hardened(
                response, kept="no-cache" if good and path in MAY_BE_KEPT else "no-store"
            )
            if good:
                succeeded.add((method, path))
    asked = {(method, path) for path, method, _ in server.contract.operations()}
    assert {path for _, path in asked - succeeded} == {
        "/api/orders/{order_id}/resolve",
        "/api/sessions/{session_pid}/forget",  # of a session that is open
        "/api/pos/callbacks",
    }


async def test_what_is_no_operation_has_them_too(server: Server) -> None:
    ana = await server.join()
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("DELETE", "/healthz", 405),
        ("GET", "/static/other/app.js", 404),
        ("GET", f"/ws/sessions/{ana.pid}", 400),
    ):
        response = await server.http.request(method, path)
        assert response.status_code == status
        assert_hardened(response)


async def test_an_answer_of_which_a_browser_has_this_version_has_them_too(server: Server) -> None:
    for path in ("/api/restaurants/7/menu", "/t/demo-1", "/staff"):
        etag = (await server.http.get(path)).headers["etag"]
        response = await server.http.get(path, headers={"If-None-Match": etag})
        assert response.status_code == 304
        assert_hardened(response, kept="no-cache")


async def test_the_pages_files_are_kept_for_good_and_framed_by_nobody(server: Server) -> None:
    page = (await server.http.get("/staff")).text
    [source] = [part.partition('"')[0] for part in page.split('src="')[1:]][:1]
    response = await server.http.get(source)
    assert response.status_code == 200
    assert_hardened(response, kept="public, max-age=31536000, immutable")


async def test_a_refused_handshake_has_them_too(server: Server) -> None:
    ana = await server.join()
    refusal = await server.handshake_refused(ana, headers={"Origin": "https://evil.example"})
    headers = {name.decode().lower(): value.decode() for name, value in refusal.headers}
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
