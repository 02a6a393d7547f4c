"""Agencies that misbehave: they hang, reset after the request, answer 500, or lie."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key

_HANG_SECONDS = 12.0
"""Longer than the sender's total deadline."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that arrived whole, verified and decrypted, whatever was answered to it."""

    at: float
    notice_id: str
    agency_id: str
    role: str
    referral_number: str
    child_id: str
    version: int
    kind: str
    mood: str


class MoodyAgencies:
    """Every sample agency on one port. `calm` ends the misbehaviour."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._keys = private_keys(folder)
        self._senders: Sequence[Ed25519PublicKey] = [
            parse_public_key(line) for line in (folder / "senders.txt").read_text().split()
        ]
        self._random = random.Random(seed)
        self.calm = False
        self.arrivals: list[Arrival] = []
        self.refused: list[str] = []
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/agency/{agency_id}", self._receive)
        app.router.add_get("/readyz", self._ready)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        agency_id = request.match_info["agency_id"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        opened = open_notice(
            headers, body, agency_id, self._keys[agency_id], self._senders, time.time()
        )
        if not isinstance(opened, Opened):
            self.refused.append(opened.reason)
            return web.Response(status=opened.status)
        mood = self._mood()
        self.arrivals.append(_arrival(agency_id, opened.notice_id, opened.form, mood))
        return await self._behave(request, mood)

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response()

    def _mood(self) -> str:
        if self.calm:
            return "fine"
        moods, weights = ("fine", "hang", "reset", "500", "lie"), (80, 3, 6, 6, 5)
        return self._random.choices(moods, weights)[0]

    async def _behave(self, request: web.Request, mood: str) -> web.StreamResponse:
        if mood == "hang":
            await asyncio.sleep(_HANG_SECONDS)
        if mood == "reset" and request.transport is not None:
            request.transport.abort()
        if mood == "lie":
            response = web.StreamResponse(status=200, headers={"Content-Length": "1000"})
            await response.prepare(request)
            if request.transport is not None:
                request.transport.abort()
            return response
        return web.Response(status=500 if mood == "500" else 200)


def _arrival(agency_id: str, notice_id: str, form: dict[str, Any], mood: str) -> Arrival:
    return Arrival(
        time.time(),
        notice_id,
        agency_id,
        form["recipient"]["role"],
        form["referral_number"],
        (form.get("child") or {}).get("child_id", ""),
        form["version"],
        form["kind"],
        mood,
    )
