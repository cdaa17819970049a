"""Who gets the callbacks: a real server that checks each signature with the library."""

import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio
from standardwebhooks import Webhook

from comanda.http.worker import WorkerLimits, bind, serve
from comanda.pos.simulator.courier import CallbackLimits, CallbackSettings
from comanda.webhooks import webhook_with

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

QUICK = CallbackLimits(first_pause_seconds=0.01, longest_pause_seconds=0.05)


class Receiver:
    """Answers with `answers` one after another, then with 204, but only while `gate` is open."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.ids: list[str] = []
        self.answers: deque[int] = deque()
        self.gate = trio.Event()
        self.gate.set()
        self._came = trio.Event()

    def settings(self, limits: CallbackLimits = QUICK) -> CallbackSettings:
        """What tells a simulator to send its callbacks here."""
        return CallbackSettings(self.url, webhook_with(SECRET), limits)

    @property
    def told(self) -> list[tuple[str, str]]:
        """The order and the status of each callback."""
        bodies = [cast(dict[str, Any], msgspec.json.decode(body)) for body in self.bodies]
        return [(body["order_id"], body["status"]) for body in bodies]

    async def until(self, count: int) -> None:
        """Until so many callbacks have come."""
        while len(self.bodies) < count:
            await self._came.wait()

    async def take(self) -> Response:
        """Raises, which the caller hears as a 500, when the signature is wrong."""
        body = cast(bytes, await request.get_data(cache=False, as_text=False))
        Webhook(SECRET).verify(body, dict(request.headers))
        assert request.headers["Content-Type"] == "application/json"
        self.bodies.append(body)
        self.ids.append(request.headers["webhook-id"])
        self._came.set()
        self._came = trio.Event()
        await self.gate.wait()
        answer = Response(b"", self.answers.popleft() if self.answers else 204)
        answer.headers["Location"] = "/elsewhere"
        return answer


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    """A receiver until the block's end; any error in it is the test's."""
    [socket] = bind("127.0.0.1", 0)
    receiver = Receiver(f"http://127.0.0.1:{socket.getsockname()[1]}/api/pos/callbacks")
    app = QuartTrio("receiver", static_folder=None)
    app.post("/api/pos/callbacks")(receiver.take)
    errors: list[object] = []

    def log_error(*what: object, **more: object) -> None:
        errors.append((what, more))

    shutdown = trio.Event()
    limits = WorkerLimits(graceful_seconds=1, close_timeout_seconds=1)
    async with trio.open_nursery() as nursery:

        async def serving(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            await serve(
                app,
                [socket],
                shutdown=shutdown,
                log_error=log_error,
                limits=limits,
                task_status=task_status,
            )

        await nursery.start(serving)
        yield receiver
        receiver.gate.set()
        shutdown.set()
    assert errors == [], errors


def id_is_fit(event_id: str) -> bool:
    """Standard Webhooks sign `id.timestamp.body`: a full stop in the id would be read as the separator."""
    return re.fullmatch(r"evt_[0-9a-f]{32}", event_id) is not None
