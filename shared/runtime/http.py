"""A service's HTTP application, and uvicorn as one of its roles."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from shared.runtime import problem
from shared.runtime.auth import TokenVerifier
from shared.runtime.guard import Guard, Limits
from shared.runtime.lifecycle import Role
from shared.runtime.ops import Readiness, livez, readyz

_DRAIN_SECONDS = 8


def create_app(
    title: str,
    verifier: TokenVerifier,
    *,
    readiness: Readiness | None = None,
    limits: Limits | None = None,
    development: bool = False,
) -> FastAPI:
    """An application that answers errors with problem details and nothing without a token.

    Only /livez and /readyz are open, and in development /openapi.json. Routes ask for their scope
    with `Depends(require("…"))`.
    """
    documents = "/openapi.json" if development else None
    app = FastAPI(
        title=title,
        openapi_url=documents,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problem.install(app)
    app.add_route("/livez", livez)
    app.add_route("/readyz", readyz(readiness or Readiness(), explain=False))
    app.add_middleware(
        Guard,
        verifier=verifier,
        public=["/livez", "/readyz", *filter(None, [documents])],
        limits=limits or Limits(),
    )
    return app


def serve(app: ASGIApp, host: str, port: int) -> Role:
    """A role that serves `app` until asked to stop, then ends the requests under way.

    A port that is taken fails the role, which is then tried again.
    """

    async def role(stop: asyncio.Event) -> None:
        with _listen(host, port) as listener:
            await serve_on(app, listener, stop)

    return role


async def serve_on(app: ASGIApp, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve `app` on a socket that listens already."""
    server = _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    )
    stopper = asyncio.create_task(_stop(server, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        stopper.cancel()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to `lifecycle`."""
        yield


async def _stop(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=1024)
    # Inherited by what it accepts. asyncio leaves it out for a socket it was handed, and then
    # every request that comes in two packets waits 40 ms for a delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
