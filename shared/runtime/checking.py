"""A service's own look at itself: over the operations port, or as a command when it is not up.

    GET /check                       of a running service; the answer is kept for a second
    python -m services.X.check       the same from its settings, wherever it does not run

Both answer with a list of findings as JSON (shared/runtime/findings.py).
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.runtime.db import Database, unavailable
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import Finding, act, worst
from shared.runtime.logging import where
from shared.runtime.settings import ServiceSettings

Look = Callable[[], Awaitable[Sequence[Finding]]]
MEND = "Mend it (docs/settings.md), then start the service."
_PATIENCE = 3.0
_FRESH = 1.0


async def all_of(service: str, looks: Mapping[str, Look]) -> list[Finding]:
    """Every look side by side; one that fails is a finding itself."""
    found = await asyncio.gather(*(_one(f"{service}, {name}", looks[name]) for name in looks))
    return [finding for some in found for finding in some]


async def _one(about: str, look: Look) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await look()
    except Misconfigured as error:
        return [act(about, str(error), "Do what the sentence says.")]
    except Exception as error:
        if isinstance(error, TimeoutError) or unavailable(error):
            do = "Start PostgreSQL, or end it if it hangs (docs/runbook.md#postgresql-is-down)."
            return [act(about, "PostgreSQL does not answer.", do)]
        says = f"It could not be looked at ({where(error)})."
        return [act(about, says, "Call engineering; the other lines stand.")]


def check_route(service: str, looks: Mapping[str, Look]) -> Route:
    """For the operations port, which belongs on an inner network."""
    lock = asyncio.Lock()
    kept: tuple[float, list[Finding]] = (float("-inf"), [])

    async def answer(_: Request) -> Response:
        nonlocal kept
        async with lock:
            if time.monotonic() - kept[0] >= _FRESH:
                found = await all_of(service, looks)
                kept = (time.monotonic(), found)
            return JSONResponse([finding.as_json() for finding in kept[1]])

    return Route("/check", answer)


def run_check(
    service: str,
    load: Callable[[], ServiceSettings],
    opened: Callable[[], tuple[Database, Mapping[str, Look]]],
) -> int:
    """The command. Exit code as the worst that was found.

    `load` raises Misconfigured when the settings are wrong; only else `opened` is asked.
    """
    try:
        load()
    except Misconfigured as error:
        found = [act(f"{service}, settings", line, MEND) for line in _faults(error)]
    else:
        found = asyncio.run(_from(service, opened))
    sys.stdout.write(json.dumps([finding.as_json() for finding in found]) + "\n")
    return int(worst(found))


def _faults(error: Misconfigured) -> list[str]:
    """A line for each setting that is wrong, without the one that says where all are listed."""
    lines = str(error).splitlines()
    return [line for line in lines if not line.startswith("docs/")] or lines


async def _from(
    service: str, opened: Callable[[], tuple[Database, Mapping[str, Look]]]
) -> list[Finding]:
    db, looks = opened()
    try:
        return await all_of(service, looks)
    finally:
        await db.close()
