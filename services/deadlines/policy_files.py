"""Policy files: read, and refused with file, line and what would be right."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.deadlines.calendars import CONNECTICUT, Calendar
from services.deadlines.facts import FactKind
from services.deadlines.policy import Policy, first_gap
from services.deadlines.policy_parts import Basis
from services.deadlines.yaml_models import Flaw, line_of, read_model
from shared.runtime.errors import Misconfigured

SHIPPED = Path(__file__).parent / "policies"
HOLIDAYS = Path(__file__).parent / "holidays"

Calendars = Mapping[str, Calendar]


@dataclass(frozen=True, slots=True)
class _Read:
    """A file that holds a policy."""

    file: Path
    policy: Policy


def load(folder: Path = SHIPPED, holidays: Path = HOLIDAYS) -> tuple[Policy, ...]:
    """Every policy of a folder, one per *.yaml file. Raises Misconfigured, a line per flaw."""
    _need_time_zones()
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise Misconfigured(f"{folder} holds no policy (*.yaml): no clock would ever run.")
    calendars = load_calendars(holidays)
    results = {file: read(file, calendars) for file in files}
    flaws = [flaw for result in results.values() if isinstance(result, list) for flaw in result]
    found = [_Read(file, each) for file, each in results.items() if isinstance(each, Policy)]
    flaws += [*_clashes(found)]
    if flaws:
        raise Misconfigured("\n".join(str(flaw) for flaw in flaws))
    return tuple(each.policy for each in found)


def load_calendars(folder: Path = HOLIDAYS) -> Calendars:
    """Every calendar of a folder, by name. Raises Misconfigured, a line per flaw."""
    results = {file: read_model(file, Calendar) for file in sorted(folder.glob("*.yaml"))}
    flaws = [flaw for result in results.values() if isinstance(result, list) for flaw in result]
    found: dict[str, Calendar] = {}
    for file, each in results.items():
        if not isinstance(each, Calendar):
            continue
        if each.calendar in found:
            flaws.append(Flaw(file, 1, f"there is a calendar {each.calendar} already: rename it."))
        found[each.calendar] = each
    if flaws:
        raise Misconfigured("\n".join(str(flaw) for flaw in flaws))
    return found


def read(file: Path, calendars: Calendars, content: str | None = None) -> Policy | list[Flaw]:
    """One policy, or all that is wrong with it; it carries its calendar with it from then on."""

    def with_calendar(data: dict[Any, Any]) -> str | None:
        length = data.get("length")
        if not isinstance(length, dict) or (name := length.get("calendar")) is None:
            return None
        if (calendar := calendars.get(str(name))) is None:
            known = ", ".join(sorted(calendars))
            return f"there is no such calendar: known are {known}; others go into {HOLIDAYS.name}/."
        length["calendar"] = calendar
        return None

    return read_model(file, Policy, content, with_calendar, _unfit)


def _unfit(policy: Policy) -> Iterator[tuple[str, str]]:
    """What nobody means. Versions that were once registered are read without it."""
    if (
        Basis.CONSULT_COMPLETED in policy.basis
        and FactKind.CONSULT_COMPLETED in policy.satisfied.by
    ):
        yield "satisfied.by", "consult.completed starts this clock and would meet it at once"
    days = policy.length.days or policy.length.days_after_month_end
    if days and max(policy.warnings, default=0) >= _shortest(days):
        yield "warned.before_minutes", "a warning lies before the clock's beginning: shorten it"
    if policy.rewrites and policy.effective_from is None:
        yield "rewrites", "`rewrites` needs an `effective_from`: clocks go over on that day"


def _shortest(days: int) -> int:
    """Minutes of a clock of days that began as one day ended, where clocks are put forward."""
    return days * 24 * 60 - 60


def _need_time_zones() -> None:
    try:
        ZoneInfo(CONNECTICUT)
    except ZoneInfoNotFoundError:
        raise Misconfigured(
            f"This machine knows no time zone {CONNECTICUT}: install its time zone data (tzdata)."
        ) from None


def _clashes(found: list[_Read]) -> Iterator[Flaw]:
    for one, other in combinations(found, 2):
        if one.policy.key == other.policy.key:
            mend = f"{one.file.name} has this policy and version too: count the version up."
            yield _flaw(other, "version", mend)
        elif one.policy.collides_with(other.policy):
            yield _flaw(
                other,
                "effective_from",
                f"on some days it and {one.file.name} would both govern {one.policy.duty}: "
                "let `effective_from`, `effective_to` or `applies` keep them apart.",
            )
        if one.policy.policy == other.policy.policy:
            yield from _versions(one, other)
    for each in found:
        yield from _gap(each, found)


def _versions(one: _Read, other: _Read) -> Iterator[Flaw]:
    """What is wrong between two versions of one policy."""
    if one.policy.duty != other.policy.duty:
        mend = f"its duty is `{one.policy.duty}` in {one.file.name}: another is a new policy."
        yield _flaw(other, "duty", mend)
    if twice := set(one.policy.rewrites) & set(other.policy.rewrites):
        mend = f"{one.file.name} rewrites {min(twice)} too: one version goes over to one other."
        yield _flaw(other, "rewrites", mend)


def _gap(late: _Read, found: list[_Read]) -> Iterator[Flaw]:
    """Whether this version begins later than the day after those before it end."""
    versions = [each.policy for each in found if each.policy.policy == late.policy.policy]
    until = [each for each in versions if each.begins <= late.policy.begins]
    earlier = [each for each in until if each.begins < late.policy.begins]
    if (day := first_gap(until)) is not None and first_gap(earlier) is None:
        mend = f"no version of {late.policy.policy} governs from {day} on: begin then."
        yield _flaw(late, "effective_from", mend)


def _flaw(read: _Read, key: str, mend: str) -> Flaw:
    return Flaw(read.file, line_of(read.file.read_text(encoding="utf-8"), key), mend)
