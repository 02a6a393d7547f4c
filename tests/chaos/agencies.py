"""Agencies that misbehave: hanging, slow, resetting, answering 500, lying, or falling silent."""

import asyncio
import json
import random
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from deploy.machine.samples import private_keys
from deploy.machine.webhooks import Opened, open_notice, parse_public_key
from tests.chaos.caller import SILENT_TOWN

_HANG_SECONDS = 12.0
"""Longer than the sender's total deadline."""
_SILENT_SECONDS = 50.0
"""Then as long again not: retries wait ever longer, and shall come within the run."""
_SLOW_SECONDS = 3.0
STATEWIDE = ""
_WAITS = {"hang": _HANG_SECONDS, "slow": _SLOW_SECONDS}
_MOODS = {"fine": 77, "slow": 3, "hang": 3, "reset": 6, "500": 6, "lie": 5}
"""How often each, of a hundred: what is slow or resets is fine the next time, and flaps."""
ANSWERS = {"fine": 200, "slow": 200, "lie": 200, "500": 500, "hang": 200, "reset": None}
"""The status that a mood answers, to who waits for it."""


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
    marks: tuple[str, ...]
    """Of every child of whom it says anything."""

    @property
    def answered(self) -> bool:
        """A 2xx, in time. Only a sender that was frozen may be there for a later one."""
        return self.mood in ("fine", "slow", "lie")


class MoodyAgencies:
    """Every sample agency on one port. `calm` ends the misbehaviour."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._keys = private_keys(folder)
        self._senders: Sequence[Ed25519PublicKey] = [
            parse_public_key(line) for line in (folder / "senders.txt").read_text().split()
        ]
        self._random = random.Random(seed)
        self._began = time.time()
        self.towns = police_of(folder)
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
        now = time.time()
        opened = open_notice(headers, body, agency_id, self._keys[agency_id], self._senders, now)
        if not isinstance(opened, Opened):
            self.refused.append(opened.reason)
            return web.Response(status=opened.status)
        mood = self._mood(agency_id, now)
        self.arrivals.append(_arrival(now, agency_id, opened.notice_id, opened.form, mood))
        return await self._behave(request, mood)

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response()

    def _mood(self, agency_id: str, now: float) -> str:
        if self.calm:
            return "fine"
        silent = (now - self._began) % (2 * _SILENT_SECONDS) < _SILENT_SECONDS
        if silent and agency_id in self.towns[SILENT_TOWN]:
            return self._random.choice(("hang", "reset", "500"))
        return self._random.choices(list(_MOODS), list(_MOODS.values()))[0]

    async def _behave(self, request: web.Request, mood: str) -> web.StreamResponse:
        if mood in _WAITS:
            await asyncio.sleep(_WAITS[mood])
        if mood == "reset" and request.transport is not None:
            request.transport.abort()
        if mood == "lie":
            response = web.StreamResponse(status=200, headers={"Content-Length": "1000"})
            with suppress(ConnectionError):  # The sender may have died.
                await response.prepare(request)
            if request.transport is not None:
                request.transport.abort()
            return response
        return web.Response(status=500 if mood == "500" else 200)


def police_of(folder: Path) -> dict[str, set[str]]:
    """The police agencies of each town, from the sample directory: as each was changed last. The
    State Police as a whole, who stand in for others, under no town's name."""
    latest = {
        entry["agency_id"]: entry
        for entry in json.loads((folder / "directory.json").read_text())
        if entry["kind"] in ("municipal_police", "state_police")
    }
    found: dict[str, set[str]] = {}
    for agency_id, entry in latest.items():
        for town in entry.get("towns", ()):
            found.setdefault(town, set()).add(agency_id)
        if entry["kind"] == "state_police" and not (entry.get("towns") or entry.get("beats")):
            found.setdefault(STATEWIDE, set()).add(agency_id)
    return found


def _arrival(at: float, agency_id: str, notice_id: str, form: dict[str, Any], mood: str) -> Arrival:
    return Arrival(
        at,
        notice_id,
        agency_id,
        form["recipient"]["role"],
        form["referral_number"],
        (form.get("child") or {}).get("child_id", ""),
        form["version"],
        form["kind"],
        mood,
        tuple(sorted(set(re.findall(r"mark-\d+-\d+", json.dumps(form))))),
    )
