"""All of Autobahn's cases against the worker, as Comanda hears and through ASGI: none fails.

`make autobahn` shows the reports.
"""

from __future__ import annotations

from typing import Any

import pytest

from comanda.http.worker import SOCKET_EXTENSION, MemberSocket, text_frame

from .. import test_worker
from ..test_worker import App, accept, serving
from .suite import COMPRESSED, LONGEST_BYTES, Verdict, play

fast = test_worker.fast  # All of it holds in both ways to read and write.

SUITE_SECONDS = 300
"""The whole suite takes 7 s on two idle cores; cases that wait decide it."""

CASES = 517
LONG_CASES = 21
LEAST_PART_BYTES = 64


async def heard_at_once(scope: Any, receive: Any, send: Any) -> None:
    """An echo endpoint that hears as Comanda does, in the reader's task."""
    found: MemberSocket = scope["extensions"][SOCKET_EXTENSION]
    found.on_text = lambda text: found.send_frame(text_frame(text.encode()))
    await accept(scope, receive, send)
    await receive()


async def through_asgi(scope: Any, receive: Any, send: Any) -> None:
    """An echo endpoint that knows ASGI alone."""
    await accept(scope, receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event["text"]})


def websockets_alone(endpoint: App) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await endpoint(scope, receive, send)

    return app


@pytest.mark.parametrize("endpoint", [heard_at_once, through_asgi])
async def test_no_case_of_the_whole_suite_fails(endpoint: App, fast: bool) -> None:
    app = websockets_alone(endpoint)
    async with serving(app, patience_seconds=SUITE_SECONDS) as served:
        report = await play(f"ws://127.0.0.1:{served.port}", long_declined=True)
        assert served.errors == []
    show(report, endpoint, fast)
    assert report.failed == {}
    assert len(report.verdicts) == CASES
    declined = [case for case, how in report.verdicts.items() if how is Verdict.NO_COMPRESSION]
    assert {f"{case.split('.')[0]}.*" for case in declined} == set(COMPRESSED)


@pytest.mark.parametrize("endpoint", [heard_at_once, through_asgi])
async def test_long_messages_pass_where_the_limits_let_them(endpoint: App, fast: bool) -> None:
    limits = {
        "message_bytes": LONGEST_BYTES,
        "outgoing_bytes": 2 * LONGEST_BYTES,
        "wordless_frames": LONGEST_BYTES // LEAST_PART_BYTES,
    }
    app = websockets_alone(endpoint)
    async with serving(app, patience_seconds=SUITE_SECONDS, **limits) as served:
        url = f"ws://127.0.0.1:{served.port}"
        report = await play(url, ["9.1.*", "9.3.*", "9.5.*"], long_declined=False)
        assert served.errors == []
    show(report, endpoint, fast)
    assert report.failed == {}
    assert set(report.verdicts.values()) == {Verdict.OK}
    assert len(report.verdicts) == LONG_CASES


def show(report: object, endpoint: App, fast: bool) -> None:
    way = "the fast way" if fast else "through streams"
    print(f"\n{endpoint.__name__}, {way}\n{report}")
