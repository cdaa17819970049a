"""Serves an application with uvicorn and uvloop on a free port of loopback, and says where."""

import socket
from typing import Literal

import uvicorn
from fastapi import FastAPI

WebSockets = Literal["auto", "websockets"]


def serve(app: FastAPI, ws: WebSockets = "auto") -> None:
    """Serve until SIGTERM. `ws` is uvicorn's implementation of websockets."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(f"Serves at http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(
            app,
            loop="uvloop",
            ws=ws,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        uvicorn.Server(config).run(sockets=[listener])
