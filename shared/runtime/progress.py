"""How far work has come, stage by stage, and what stands still: `GET /way` on the operations port.

Numbers, ages and opaque ids only: the port asks for no token.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.runtime.ids import utc_now

_PATIENCE = 2.0
_FRESH = 1.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Stage:
    """`done` in the last 24 hours; `waiting` for it now, the oldest for `oldest` seconds."""

    name: str
    done: int
    waiting: int = 0
    oldest: float = 0.0


PARKED, FORKED, UNREADABLE = "parked", "fork", "unreadable"
REFUSED, TASK = "refused", "task"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What goes on only when a person has looked. `what` is PARKED, FORKED, UNREADABLE, REFUSED
    (a notice that goes to nobody), TASK (another that cannot wait) or a kind of halt; `id`, of the
    two that are counted, how many; `why`, of a notice, whose office was told in its place."""

    what: str
    id: str
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One service's part of it, in order."""

    stages: Sequence[Stage]
    stopped: Sequence[Stopped] = ()


def way_route(read: Callable[[], Awaitable[Way]]) -> Route:
    """The answer is kept for a second; 503 when it cannot be read in two."""
    lock = asyncio.Lock()
    kept: tuple[float, Way | None] = (float("-inf"), None)

    async def answer(_: Request) -> Response:
        nonlocal kept
        async with lock:
            if time.monotonic() - kept[0] >= _FRESH:
                kept = (time.monotonic(), await _bounded(read))
            way = kept[1]
        if way is None:
            return JSONResponse({"problem": "the database does not answer"}, 503)
        return JSONResponse({"now": utc_now().isoformat(), **asdict(way)})

    return Route("/way", answer)


async def _bounded(read: Callable[[], Awaitable[Way]]) -> Way | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await read()
    except Exception:
        return None
