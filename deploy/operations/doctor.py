"""The doctor: everything that can be looked at, in plain words, the worst first."""

import asyncio
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from deploy.operations.asking import Seen, ask_all
from deploy.operations.hosting import Host, Unknown, stuck
from deploy.operations.looking import awaited, looked
from deploy.operations.places import Place
from deploy.operations.recovering import PROMPT, eased
from deploy.operations.saying import words
from deploy.operations.standing import NAMED, standing
from deploy.operations.thresholds import Threshold, thresholds
from shared.runtime.checking import MEND
from shared.runtime.findings import AGAIN, Finding, act, clock, look, well

_COMMAND_SECONDS = 8.0
_NOT_OVER = "While PostgreSQL or Kafka hangs that is usual: mend that first, then look again."
_CALENDAR = "hartline_deadlines_calendar_ends_seconds"
_NINETY_DAYS = 90 * 86_400.0
_SLOW_SECONDS = 20.0
_PAGE = "docs/runbook.md#a-service-does-not-answer"


async def examine(places: Sequence[Place], host: Host | None = None) -> list[Finding]:
    """Every finding, the worst first, then in the order of the services. `host`: who has started
    them, if they run here."""
    host = host or Unknown()
    seen, bus = await asyncio.gather(ask_all(places, checks=True), awaited("the bus", _bus(places)))
    limits = thresholds()
    own = await asyncio.gather(
        *(
            awaited(f"{one.service}, its own looks", _of_service(one, place, host))
            for one, place in zip(seen, places, strict=True)
        )
    )
    found = looked("this machine's processes", lambda: stuck(host))
    found += [finding for some in own for finding in some] + bus
    found += [finding for one in seen if one.silent is None for finding in running(one, limits)]
    found = [host.typed(finding) for finding in eased(found)]
    return sorted(found, key=lambda finding: -finding.level)


async def _of_service(seen: Seen, place: Place, host: Host) -> list[Finding]:
    """Its own look at itself; from its settings, where it does not answer."""
    if seen.checks is not None:
        return list(seen.checks)
    said = seen.silent or f"{place.url} has no /check: it runs another version."
    module = f"services.{place.service}.check"
    if place.environment is None:
        do = f"Start it; if it does not stay up, run python -m {module} where its settings are."
        return [act(f"{place.service}, process", said, _begin(seen, host) if seen.stranger else do)]
    file = f" of {place.file}" if place.file else ""
    do = f"{_begin(seen, host)} What follows was looked at from its settings{file}."
    found = [_placed(each, place, host) for each in await _command(place, module)]
    return [act(f"{place.service}, process", said, do), *found]


def _placed(finding: Finding, place: Place, host: Host) -> Finding:
    """A setting that is wrong, with the file to mend it in."""
    if finding.do != MEND:
        return finding
    file = f" in {place.file}" if place.file else ""
    return replace(finding, do=f"Mend it{file} (docs/settings.md){host.mended()}.")


def _begin(seen: Seen, host: Host) -> str:
    """What to do about a process that says nothing: it is away, or it is there and hangs."""
    if seen.stranger:
        return (
            "Ours could not have that port, and its log ends with that. Set another, or start all "
            "of ours anew: `make down` and `make up` take ports that nobody has."
        )
    if seen.hangs:
        return (
            "It hangs. If PostgreSQL is mentioned too, mend that first; else "
            f"{host.restart(seen.service)} ({_PAGE})."
        )
    return f"{host.begins(seen.service)} ({_PAGE})."


async def _bus(places: Sequence[Place]) -> list[Finding]:
    known = next((place for place in places if place.environment is not None), None)
    if known is None:
        do = "Give --settings, or run python -m deploy.operations.topics where they are."
        return [look("the bus", "No service's settings are here: not looked at.", do)]
    if known.settings.get("HARTLINE_BUS", "postgresql") == "postgresql":
        return [well("the bus", "is in PostgreSQL: there are no topics to configure.")]
    return await _command(known, "deploy.operations.topics")


async def _command(place: Place, module: str) -> list[Finding]:
    """What `python -m module` finds with the service's settings and no others."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        env=place.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_COMMAND_SECONDS):
            out, _ = await process.communicate()
        return [Finding.of_json(each) for each in json.loads(out)]
    except TimeoutError:
        process.kill()
        await process.wait()
        says = f"A look from its settings was not over after {_COMMAND_SECONDS:.0f} s."
        return [act(f"{place.service}, settings", says, _NOT_OVER)]
    except (ValueError, KeyError):
        says = f"python -m {module} gave no answer."
        return [act(f"{place.service}, settings", says, "Call engineering with this line.")]


def running(seen: Seen, limits: Mapping[str, Threshold]) -> list[Finding]:
    """What can be seen from outside a running service: readiness, ages, clock, calendars."""
    looks: dict[str, Callable[[], list[Finding]]] = {
        "readiness": lambda: _unready(seen),
        "ages": lambda: old(seen, limits),
        "what is slow": lambda: slow(seen, limits),
        "what stands still": lambda: standing(seen),
        "its host's clock": lambda: _clock(seen),
        "calendars": lambda: _calendars(seen),
    }
    return [
        finding
        for name, look in looks.items()
        for finding in looked(f"{seen.service}, {name}", look)
    ]


def _unready(seen: Seen) -> list[Finding]:
    return [
        act(f"{seen.service}, {name}", problem, "docs/runbook.md; it takes no work until then.")
        for name, problem in seen.problems.items()
    ]


def _clock(seen: Seen) -> list[Finding]:
    return [] if seen.clock is None else [clock(f"{seen.service}, its host's clock", *seen.clock)]


def old(seen: Seen, limits: Mapping[str, Threshold]) -> list[Finding]:
    """Every age beyond its alert's threshold, but of what the service names one by one."""
    over = [
        Finding(
            limits[what].level,
            f"{seen.service}, {what}",
            f"{limits[what].says} The oldest has waited {words(age)}.",
            limits[what].do,
        )
        for what, age in sorted(seen.ages().items())
        if what in limits and age > limits[what].seconds and not (seen.way and what in NAMED)
    ]
    return over or [well(f"{seen.service}, ages", "Nothing has waited for too long.")]


def slow(seen: Seen, limits: Mapping[str, Threshold]) -> list[Finding]:
    """What takes a moment in health, has taken longer, and is no alert yet."""
    return [
        look(
            f"{seen.service}, {what}",
            f"The oldest has waited {words(age)}; usual is a second or two.",
            f"{AGAIN}; if it grows: {limits[what].do} It alerts at {words(limits[what].seconds)}.",
        )
        for what, age in sorted(seen.ages().items())
        if what in PROMPT and _SLOW_SECONDS < age <= limits[what].seconds
    ]


def _calendars(seen: Seen) -> list[Finding]:
    ends = (value for (name, _), value in seen.metrics.items() if name == _CALENDAR)
    known = filter(math.isfinite, ends)
    left = min(known, default=math.inf) if seen.service == "deadlines" else math.inf
    if left >= _NINETY_DAYS:
        return []
    do = "Write the next years into a new version of services/deadlines/holidays."
    return [look(f"{seen.service}, calendars", f"Holidays are known for {words(left)} more.", do)]
