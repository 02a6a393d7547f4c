"""Ask the running services what they know of themselves, all at once and with little patience."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.operations.places import Place
from shared.runtime.findings import Finding
from shared.runtime.ids import utc_now
from shared.runtime.logging import where
from shared.runtime.progress import Stage, Stopped, Way

_PATIENCE = 3.5
_FRESH = 10.0
ANOTHER_RUN = "another run of Hartline answers there. What it says is not about ours."
NOT_OURS = "what answers there is no operations port of Hartline's."


@dataclass(frozen=True, slots=True)
class Seen:
    """What one service said. `silent` is the reason when it said nothing at all."""

    service: str
    silent: str | None = None
    hangs: bool = False
    """It is there, and said nothing in time."""
    stranger: bool = False
    """Who answered is not ours, and was asked nothing more."""
    problems: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By metric and the value of its first label that is not the service."""
    way: Way | None = None
    clock: tuple[datetime, datetime, timedelta] | None = None
    """Our time in the middle of asking, its time, and half of how long it took."""
    checks: Sequence[Finding] | None = None
    """None: not asked, or it does not know how."""

    def knows_ages(self) -> bool:
        """Whether what it says of them is of now, and not of before its database went."""
        if self.silent is not None or self.way is None:
            return False
        read = self.metrics.get(("hartline_ages_refreshed_timestamp_seconds", ""))
        if read is None or self.clock is None:
            return True
        return self.clock[1].timestamp() - read < _FRESH

    def ages(self) -> dict[str, float]:
        name = "hartline_oldest_age_seconds"
        return {what: age for (metric, what), age in self.metrics.items() if metric == name}


async def ask_all(places: Sequence[Place], *, checks: bool) -> list[Seen]:
    """In the order of `places`. `checks`: have each look at itself too."""
    async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE) as client:
        return await asyncio.gather(*(_ask(client, place, checks=checks) for place in places))


def silence(error: httpx.HTTPError) -> str:
    """Why nobody answered, as the end of a sentence."""
    match error:
        case httpx.TimeoutException():
            return "it is there, and says nothing in time"
        case httpx.ConnectError():
            return "nothing listens there"
        case httpx.TransportError():
            return "the connection broke off"
        case _:
            return "its answer cannot be read"


async def _ask(client: httpx.AsyncClient, place: Place, *, checks: bool) -> Seen:
    try:
        ready = (await client.get(f"{place.url}/readyz")).json()
        if not place.is_ours(ready.get("run")):
            return Seen(place.service, silent=f"{place.url}: {ANOTHER_RUN}", stranger=True)
        problems = ready["problems"]
        metrics, way, found = await asyncio.gather(
            _metrics(client, place.url),
            _way(client, place.url),
            _checks(client, place.url) if checks else _nothing(),
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return Seen(place.service, silent=f"{place.url}: {NOT_OURS}", stranger=True)
    except httpx.HTTPError as error:
        hangs = isinstance(error, httpx.TimeoutException)
        says = f"{place.url} does not answer: {silence(error)}."
        return Seen(place.service, silent=says, hangs=hangs)
    except Exception as error:
        return Seen(place.service, silent=f"{place.url} could not be asked ({where(error)}).")
    return Seen(
        place.service,
        problems=problems,
        metrics=metrics,
        way=way[0],
        clock=way[1],
        checks=found,
    )


async def _nothing() -> None:
    return None


async def _metrics(client: httpx.AsyncClient, url: str) -> dict[tuple[str, str], float]:
    text = (await client.get(f"{url}/metrics")).text
    return {
        (sample.name, _label(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        if family.name.startswith("hartline_") and family.type in ("gauge", "counter")
        for sample in family.samples
    }


def _label(labels: Mapping[str, str]) -> str:
    return next((value for name, value in labels.items() if name != "service"), "")


async def _way(
    client: httpx.AsyncClient, url: str
) -> tuple[Way | None, tuple[datetime, datetime, timedelta] | None]:
    await client.get(f"{url}/livez")  # A connection that is open already: what follows is short.
    before, began = utc_now(), time.monotonic()
    answer = await client.get(f"{url}/way")
    took = timedelta(seconds=time.monotonic() - began)
    if answer.status_code != httpx.codes.OK:
        return None, None
    said: dict[str, Any] = answer.json()
    stages = [Stage(**stage) for stage in said["stages"]]
    stopped = [Stopped(**each) for each in said["stopped"]]
    theirs = datetime.fromisoformat(said["now"])
    return Way(stages, stopped), (before + took / 2, theirs, took / 2)


async def _checks(client: httpx.AsyncClient, url: str) -> list[Finding] | None:
    answer = await client.get(f"{url}/check")
    if answer.status_code != httpx.codes.OK:
        return None
    return [Finding.of_json(each) for each in answer.json()]
