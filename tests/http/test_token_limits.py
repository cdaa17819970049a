"""How often one token may ask over HTTP: what it asks beyond that is nobody else's loss."""

from pathlib import Path
from typing import Any

import pytest

from comanda.http import limits

from .server import HOUSE_TOKEN, Server, serving

FEW: dict[str, Any] = {
    "member_requests_per_second": 0.001,
    "member_request_burst": 3,
    "staff_requests_per_second": 0.001,
    "staff_request_burst": 3,
    "requests_per_second": 0.001,
    "request_burst": 12,
}
"""What comes back within a test is nothing."""


async def asked_until_refused(server: Server, path: str, token: str) -> int:
    """How many answers there are before the first 429, which says when to come back."""
    for number in range(20):
        response = await server.http.get(path, headers={"Authorization": f"Bearer {token}"})
        if response.status_code == 429:
            assert response.json()["code"] == "rate_limited"
            assert int(response.headers["Retry-After"]) >= 1
            return number
        assert response.status_code == 200
    raise AssertionError("nobody was ever refused")


async def test_one_members_flood_uses_nothing_up_for_the_others_of_the_address(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, **FEW) as server:
        ana, ben = await server.join(), await server.join(name="Ben")
        path = f"/api/sessions/{ana.pid}/cart"
        assert await asked_until_refused(server, path, ana.token) == 3
        for _ in range(30):
            await server.refused("rate_limited", 429, "GET", path, token=ana.token)
        await server.call("GET", path, token=ben.token)
        await server.call("GET", "/api/restaurants/7/menu")


async def test_the_staff_have_a_limit_of_their_own(tmp_path: Path) -> None:
    async with serving(tmp_path, **FEW) as server:
        ana = await server.join()
        assert await asked_until_refused(server, "/api/restaurants", HOUSE_TOKEN) == 3
        await server.cart(ana)


async def test_a_token_that_knocks_at_the_wrong_door_is_counted_too(tmp_path: Path) -> None:
    async with serving(tmp_path, **FEW) as server:
        ana = await server.join()
        for _ in range(3):
            await server.refused("forbidden", 403, "GET", "/api/restaurants", token=ana.token)
        await server.refused("rate_limited", 429, "GET", "/api/restaurants", token=ana.token)


async def test_an_invented_token_is_counted_by_its_address_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, **FEW) as server:
        path = "/api/sessions/session_q/cart"
        for number in range(12):
            await server.refused("unauthorized", 401, "GET", path, token=f"invented-{number}")
        await server.refused("rate_limited", 429, "GET", path, token="invented-13")


async def test_without_rate_limits_a_token_has_none(tmp_path: Path) -> None:
    async with serving(tmp_path, **FEW, rate_limits="off") as server:
        ana = await server.join()
        for _ in range(20):
            await server.cart(ana)


async def test_only_so_many_tokens_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_BUCKETS", 2)
    async with serving(tmp_path, **{**FEW, "member_request_burst": 1}) as server:
        guests = [await server.join(name=f"Guest {number}") for number in range(3)]
        for guest in guests:
            await server.cart(guest)
        path = f"/api/sessions/{guests[0].pid}/cart"
        await server.refused("rate_limited", 429, "GET", path, token=guests[2].token)
        await server.cart(guests[0])  # forgotten: it starts afresh
