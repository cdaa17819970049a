"""The staff have a session's guests forgotten over HTTP."""

from comanda.actors.domain.order import Unknown

from .server import HOUSE_TOKEN, Server, TestPos


async def test_a_closed_sessions_guests_are_forgotten_when_the_staff_say_so(
    server: Server,
) -> None:
    ana = await server.join(name="Rosalind")
    async with server.phone(ana) as phone:
        await phone.add(note="no salt")
        await phone.order(special_instructions="ring the bell")
        await phone.until("order_confirmed")
    path = f"/api/sessions/{ana.pid}/forget"
    problem = await server.refused("conflict", 409, "POST", path, token=HOUSE_TOKEN)
    assert "close it first" in problem["detail"]
    await server.close_table(ana)
    for _ in range(2):
        await server.call("POST", path, token=HOUSE_TOKEN, status=204)
    orders = await server.call("GET", "/api/restaurants/7/orders", token=HOUSE_TOKEN)
    for word in ("Rosalind", "no salt", "ring the bell"):
        assert word not in orders.text
    (order,) = orders.json()["orders"]
    assert (order["placed_by_name"], order["state"]) == ("a guest", "confirmed")


async def test_an_order_that_waits_for_the_staff_is_settled_first(
    server: Server, pos: TestPos
) -> None:
    pos._answers.append(Unknown("no answer"))
    ana = await server.join()
    async with server.phone(ana) as phone:
        await phone.add()
        await phone.order()
        await phone.until("order_processing", stage="unknown")
    await server.close_table(ana)
    path = f"/api/sessions/{ana.pid}/forget"
    problem = await server.refused("conflict", 409, "POST", path, token=HOUSE_TOKEN)
    assert "settle it first" in problem["detail"]


async def test_only_the_staff_may_have_guests_forgotten(server: Server) -> None:
    ana = await server.join()
    path = f"/api/sessions/{ana.pid}/forget"
    await server.refused("unauthorized", 401, "POST", path)
    await server.refused("forbidden", 403, "POST", path, token=ana.token)
    nobody = "/api/sessions/nobody/forget"
    await server.refused("not_found", 404, "POST", nobody, token=HOUSE_TOKEN)
