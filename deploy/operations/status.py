"""The way of a referral as it is now: what needs a person first, then stage by stage."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from deploy.operations.asking import Seen
from deploy.operations.hosting import Host
from deploy.operations.saying import words
from deploy.operations.standing import NAMED
from deploy.operations.thresholds import Threshold
from shared.runtime import progress
from shared.runtime.findings import Level
from shared.runtime.progress import Stage, Stopped

STAGES = (
    ("accepted", "intake"),
    ("relayed", "intake"),
    ("planned", "notify"),
    (progress.REFUSED, "notify"),
    ("attempted", "notify"),
    ("delivered", "notify"),
    ("opened", "notify"),
    ("acknowledged", "notify"),
    ("in the log", "audit"),
)
_TRIED = "delivered"
"""What waits for this stage was attempted."""
_DO = {
    progress.REFUSED: ": they go to nobody; open their tasks",
    progress.TASK: ": open it",
}
_HALTS = ("pause", "stop", "restored")
_AGES_SHOWN = 12


def stopped_lines(host: Host) -> list[str]:
    """What is there and does nothing, and what does not stay, with what mends it."""
    loops = [
        f"LOOPS   {each.name}: {each.words}: {host.begins(each.name)}" for each in host.looping()
    ]
    return loops + [
        f"STOPPED {each.name}: process {each.pid} does nothing: {host.restart(each.name)}"
        for each in host.frozen()
    ]


def view(
    seen: Sequence[Seen],
    limits: Mapping[str, Threshold],
    now: datetime,
    frozen: Sequence[str] = (),
) -> list[str]:
    """The whole screen, worst first; `frozen` before all."""
    troubles = [*frozen, *(line for _, _, line in sorted(_troubles(seen, limits)))]
    head = f"Hartline at {now:%Y-%m-%d %H:%M:%S}Z: "
    head += f"{len(troubles)} thing(s) need somebody." if troubles else _calm(seen)
    return [
        head,
        *([""] if troubles else []),
        *troubles,
        "",
        f"  {'stage':14}{'last 24 h':>10}{'waiting':>10}   oldest",
        *_stages(seen),
        "",
        "Oldest of what waits:",
        *_oldest(seen, limits),
    ]


def _troubles(
    seen: Sequence[Seen], limits: Mapping[str, Threshold]
) -> list[tuple[int, float, str]]:
    """Each with its rank, lowest the worst, and what orders it among its like."""
    found = []
    for one in seen:
        if one.silent is not None:
            found.append((0, 0.0, f"DOWN    {one.service}: {one.silent}"))
        found += [(1, 0.0, f"UNREADY {one.service}: {n}: {p}") for n, p in one.problems.items()]
        for each in one.way.stopped if one.way else ():
            found.append((_rank(each), -each.seconds, _standing(one.service, each)))
        for what, age in one.ages().items():
            limit = limits.get(what)
            named = one.way is not None and what in NAMED
            if limit is not None and age > limit.seconds and not named:
                late = limit.level is Level.ACT
                line = f"{'LATE' if late else 'old':7} {one.service}: {what} for {words(age)}"
                alert = f"would page: {limit.alert}" if late else limit.alert
                found.append((4 if late else 5, -age, f"{line} ({alert})"))
    return found


def _rank(each: Stopped) -> int:
    return 2 if each.what in _DO else 3


def _standing(service: str, each: Stopped) -> str:
    line = f"{each.what.upper():7} {service}: {each.id} for {words(each.seconds)}"
    if each.what == progress.REFUSED and each.why:
        return f"{line}: refused; {each.why}; acknowledge their tasks"
    why = f" ({each.why})" if each.why else ""
    if each.what in _HALTS:
        return (
            f"HALT    {service}: {each.what} {each.id} for {words(each.seconds)}{why}: why says "
            "python -m services.notify controls list ; whom to telephone, "
            f"GET /v1/halts/{each.id}/notices (docs/runbook.md, held)"
        )
    return line + why + _DO.get(each.what, "")


def _calm(seen: Sequence[Seen]) -> str:
    if dumb := [one.service for one in seen if one.way is None]:
        return f"it is not known whether every notice is on its way: {', '.join(dumb)} cannot say."
    stages = [stage for one in seen if one.way for stage in one.way.stages]
    if refused := sum(each.done for each in stages if each.name == progress.REFUSED):
        return f"nothing is late; {refused} notice(s) of the last 24 h go to nobody (refused)."
    tried = sum(each.waiting for each in stages if each.name == _TRIED)
    if not tried:
        return "every notice is on its way."
    return f"nothing is late; {tried} notice(s) were tried and are not there: see the doctor."


def _stages(seen: Sequence[Seen]) -> list[str]:
    known = {(one.service, s.name): s for one in seen if one.way for s in one.way.stages}
    return [_stage(name, known.get((service, name))) for name, service in STAGES]


def _stage(name: str, stage: Stage | None) -> str:
    if stage is None:
        return f"  {name:14}{'unknown':>10}"
    waits = words(stage.oldest) if stage.waiting else "-"
    return f"  {name:14}{stage.done:>10}{stage.waiting:>10}   {waits}"


def _oldest(seen: Sequence[Seen], limits: Mapping[str, Threshold]) -> list[str]:
    dumb = [one.service for one in seen if not one.knows_ages()]
    ages = _ages(seen, limits)
    if dumb and len(dumb) == len(seen):
        return ["  unknown: no service can say", *ages]
    unknown = [f"  unknown: {', '.join(dumb)} cannot say what waits"] if dumb else []
    return [*unknown, *ages] or ["  nothing waits"]


def _ages(seen: Sequence[Seen], limits: Mapping[str, Threshold]) -> list[str]:
    """The nearest to its alert first."""
    aged = [
        (age / max(limits[what].seconds, 1.0), one.service, what, age)
        for one in seen
        for what, age in one.ages().items()
        if age >= 1 and what in limits
    ]
    return [
        f"  {service:10}{what:22}{words(age):>12}   alert at {words(limits[what].seconds)}"
        for _, service, what, age in sorted(aged, reverse=True)[:_AGES_SHOWN]
    ]
