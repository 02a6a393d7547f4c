"""While something held: an acceptance, or what an agency was told. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from services.deadlines.facts import FactKind


class Spell(NamedTuple):
    """While an acceptance held, or an agency a notice. `end` is null as long as it does."""

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment < self.end)


class Telling(NamedTuple):
    """An agency was told of a child, by one notice."""

    kind: FactKind
    at: datetime
    consult_outcome: bool
    """By the outcome of a consult, which is no notice of the referral itself."""
    notice_id: str | None
    planned_at: datetime
    """When its notice was planned; of one whose plan is not known, when it was told."""


class Departure(NamedTuple):
    """An agency is to be told nothing further: it gave a notice back, is in conflict, or was never
    meant. It goes for all that was planned for it before."""

    notice_id: str | None
    at: datetime

    def ends(self, telling: Telling) -> bool:
        return self.notice_id == telling.notice_id or telling.planned_at < self.at


def edges(found: Iterable[Spell]) -> set[datetime]:
    """When any of them began or ended."""
    return {at for each in found for at in each if at is not None}


def acceptances(decisions: Mapping[int, tuple[bool, datetime]]) -> list[Spell]:
    """When the acceptance held: at any time the decision with the highest number made by then."""
    found: list[Spell] = []
    holding = 0
    for number, (accepted, at) in sorted(decisions.items(), key=lambda each: (each[1][1], each[0])):
        if number < holding:
            continue
        holding = number
        running = bool(found) and found[-1].end is None
        if accepted and not running:
            found.append(Spell(at, None))
        elif not accepted and running:
            found[-1] = Spell(found[-1].start, at)
    return [each for each in found if each.end != each.start]


def holdings(told: Iterable[Telling], departed: Iterable[Departure]) -> list[Spell]:
    """When an agency held what it was told of a child: until it left."""
    found: list[Spell] = []
    left = sorted(departed, key=lambda each: each.at)
    for each in sorted(told, key=lambda each: each.at):
        end = next((departure.at for departure in left if departure.ends(each)), None)
        if end is not None and end <= each.at:
            continue
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end < each.at):
            found.append(Spell(each.at, end))
        elif last.end is not None:
            found[-1] = Spell(last.start, None if end is None else max(end, last.end))
    return found
