"""Joining a table and leaving it, over memory streams on virtual time."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from comanda.client import (
    ApiError,
    ClientLimits,
    ClientSettings,
    CouldNotConnect,
    resume_table,
)

from .fake_server import URL
from .sitting import a_server, ana_at


async def test_joining_brings_seat_snapshot_and_settings(autojump_clock: MockClock) -> None:
    async with a_server() as server, ana_at(server) as table:
        assert table.connected
        assert table.member_id == "member_2"
        assert [member.name for member in table.store.members] == ["Ben", "Ana"]
        assert table.store.seq == server.seq
        assert table.settings == ClientSettings()
        assert table.restaurant is not None
        assert table.restaurant.name == "Roma"
    assert server.close_codes == [1000]


async def test_a_refused_join_over_http_is_told_as_it_is(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        with pytest.raises(ApiError) as refused:
            async with resume_table(
                URL, "session_1", "member_1", "forged", surroundings=server.surroundings()
            ):
                pytest.fail("nobody was let in")
        assert (refused.value.status, refused.value.code) == (401, "unauthorized")


async def test_a_server_without_websockets_is_given_up_within_the_limit(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        server.reachable = False
        with pytest.raises(CouldNotConnect):
            async with ana_at(server):
                pytest.fail("there is no connection")
        assert server.refused_connections > 3


async def test_a_server_that_never_answers_the_join_is_given_up_and_tried_again(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        server.accepts_joins = False
        with pytest.raises(CouldNotConnect):
            async with ana_at(server):
                pytest.fail("there is no connection")
        assert server.connections >= 3


async def test_an_exception_of_the_caller_comes_out_as_it_went_in(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        with pytest.raises(LookupError, match="mine"):
            async with ana_at(server):
                raise LookupError("mine")
        await trio.testing.wait_all_tasks_blocked()
        assert server.close_codes == [1000]


async def test_a_cancelled_caller_still_sends_the_close_frame(autojump_clock: MockClock) -> None:
    async with a_server() as server:
        left_at = trio.current_time() + 5
        with trio.move_on_after(5):
            async with ana_at(server):
                await trio.sleep_forever()
        assert trio.current_time() == left_at  # nobody waits for an answer to it
        await trio.testing.wait_all_tasks_blocked()
        assert server.close_codes == [1000]


async def test_leaving_waits_for_the_servers_goodbye_within_a_bound(
    autojump_clock: MockClock,
) -> None:
    async with a_server() as server:
        async with ana_at(server):
            server.freeze()
            left_at = trio.current_time()
        assert trio.current_time() - left_at == ClientLimits().close_timeout_seconds
