"""The operations port: is it alive, is it ready, and how old is what waits."""

import asyncio
import platform
import time
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared import __version__
from shared.runtime import metrics
from shared.runtime.exposition import exposition
from shared.runtime.meaning import meaning

Check = Callable[[], Awaitable[str | None]]
"""None when all is well, otherwise a sentence that says what is wrong. No personal data."""

AgesOf = Callable[[], Awaitable[Mapping[str, float]]]
"""The oldest age, in seconds, of each thing that can wait; 0 when nothing does."""

_PATIENCE = 2.0
_FRESH = 1.0


class Readiness:
    """Whether this process can do its work. The answer is kept for a second."""

    def __init__(self, **checks: Check) -> None:
        self._checks = dict(checks)
        self._lock = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._found_at = float("-inf")

    def add(self, name: str, check: Check) -> None:
        self._checks[name] = check

    async def problems(self) -> dict[str, str]:
        """What is wrong, by the name of the check. Takes at most two seconds."""
        async with self._lock:
            if time.monotonic() - self._found_at >= _FRESH:
                said = await asyncio.gather(*map(_ask, self._checks.values()))
                named = zip(self._checks, said, strict=True)
                self._found = {name: problem for name, problem in named if problem}
                self._found_at = time.monotonic()
            return self._found


async def _ask(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await check()
    except Exception as error:
        return f"does not answer: {meaning(error)}"


class Ages:
    """The oldest age of everything that can wait in one service (P9), read when scraped."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._sources: list[AgesOf] = []
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")

    def add(self, source: AgesOf) -> None:
        self._sources.append(source)

    async def refresh(self) -> None:
        """Read every source, in at most two seconds. One that fails leaves its last ages, and the
        refresh's timestamp, standing."""
        async with self._lock:
            if time.monotonic() - self._read_at < _FRESH:
                return
            self._read_at = time.monotonic()
            done = await asyncio.gather(*map(self._read, self._sources))
        if all(done):
            metrics.AGES_REFRESHED.labels(self._service).set_to_current_time()

    async def _read(self, source: AgesOf) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                ages = await source()
        except Exception:
            return False
        for what, seconds in ages.items():
            metrics.OLDEST_AGE.labels(self._service, what).set(max(0.0, seconds))
        return True


async def livez(_: Request) -> Response:
    return JSONResponse({"status": "alive"})


def readyz(
    readiness: Readiness, *, explain: bool, run: str | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """The probe; what is wrong is told only where `explain` says so (the operations port), and
    whose run it is."""

    async def answer(_: Request) -> Response:
        problems = await readiness.problems()
        body: dict[str, object] = {"status": "not ready" if problems else "ready"}
        if explain:
            body |= {"problems": problems} | ({"run": run} if run else {})
        return JSONResponse(body, 503 if problems else 200)

    return answer


def operations(
    service: str, readiness: Readiness, ages: Ages, *, run: str | None = None
) -> Starlette:
    """The operations port's application; serve it with `shared.runtime.http.serve`. `run` tells
    who asks that it has found the run of Hartline that it looks for."""
    metrics.BUILD.labels(service, __version__, platform.python_version()).set(1)

    async def scrape(_: Request) -> Response:
        await ages.refresh()
        return Response(exposition(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/readyz", readyz(readiness, explain=True, run=run)),
            Route("/metrics", scrape),
        ]
    )
