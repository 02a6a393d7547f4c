"""`python -m services.deadlines` as a process of its own, beside an intake and a
notify that only have a watermark."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from deploy.machine.ports import free_ports
from shared.runtime import keys
from shared.runtime.server import serve_on
from tests.support import warm
from tests.support.databases import FreshDatabase
from tests.support.warm import WarmProcess

_READY_SECONDS = 90.0


@dataclass
class DeadlinesProcess:
    """One process; `start` it again after it died. Its stderr goes to one file."""

    environment: dict[str, str]
    ops_port: int
    stderr: Path
    failpoints: Path
    process: WarmProcess | None = None

    async def start(self, *roles: str) -> None:
        """Until it is ready, or has ended."""
        self.process = self.spawn(*roles)
        async with asyncio.timeout(_READY_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while self.process.poll() is None:
                try:
                    if (await client.get(self._ops("readyz"))).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    def spawn(self, *roles: str) -> WarmProcess:
        with self.stderr.open("ab") as stderr:
            return warm.start("services.deadlines.__main__", roles, self.environment, stderr=stderr)

    async def metrics(self) -> str:
        async with httpx.AsyncClient(trust_env=False) as client:
            return (await client.get(self._ops("metrics"))).text

    def arm(self, failpoint: str) -> None:
        (self.failpoints / failpoint).touch()

    async def ended(self) -> int:
        """Its exit code, negative for a signal."""
        assert self.process is not None
        return await asyncio.to_thread(self.process.wait, 20)

    async def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return await self.ended()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _ops(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ops_port}/{path}"


def deadlines_process(database: FreshDatabase, home: Path, neighbour_url: str) -> DeadlinesProcess:
    """Not started yet. Intake and notify are one server here."""
    issuer_key, jwks, failpoints = home / "issuer.jwk", home / "jwks.json", home / "failpoints"
    keys.make("issuer", issuer_key)
    jwks.write_text(json.dumps(keys.jwks(issuer_key)))
    failpoints.mkdir()
    port, ops_port = free_ports(2)
    inherited = {name: value for name, value in os.environ.items() if "HARTLINE" not in name}
    settings = {
        "HARTLINE_PROFILE": "development",
        "HARTLINE_BUS_DSN": database.dsns["bus"].app,
        "HARTLINE_ISSUER": "https://issuer.test",
        "HARTLINE_JWKS": str(jwks),
        "HARTLINE_LOCAL_ISSUER_KEY": str(issuer_key),
        "HARTLINE_INTAKE_URL": neighbour_url,
        "HARTLINE_NOTIFY_URL": neighbour_url,
        "HARTLINE_DEADLINES_DSN": database.dsns["deadlines"].app,
        "HARTLINE_DEADLINES_PORT": str(port),
        "HARTLINE_DEADLINES_OPS_PORT": str(ops_port),
        "HARTLINE_FAILPOINT_DIR": str(failpoints),
    }
    return DeadlinesProcess(inherited | settings, ops_port, home / "stderr.log", failpoints)


@asynccontextmanager
async def neighbour_with_a_watermark() -> AsyncIterator[str]:
    """Its base URL. It has emitted nothing, and says so."""

    async def watermark(request: Request) -> JSONResponse:
        subjects = request.query_params.getlist("subject")
        now = datetime.now(UTC).isoformat()
        return JSONResponse(
            {"oldest_unrelayed_at": None, "now": now, "sequences": dict.fromkeys(subjects, 0)}
        )

    app = Starlette(routes=[Route("/internal/v1/watermark", watermark)])
    stop = asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(serve_on(app, listener, stop))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        await serving
