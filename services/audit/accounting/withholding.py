"""What of an accounting is given to whom. Pure.

One person withholds, or suspends on request of law enforcement until a day; lifting takes two,
unless the day has passed. To a parent who is the suspect nothing is given but that, and why (C35).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from services.audit.accounting.rows import How, Row
from shared.runtime.seen_text import same_person


class Audience(StrEnum):
    """For whom an accounting is made."""

    OFFICER = "officer"
    """The compliance officer's own: everything, with what would be withheld from others."""
    SUBJECT = "subject"
    """The person's own copy (CGS 4-193(d))."""
    PARENT = "parent"
    """A parent or guardian who is under no suspicion."""
    SUSPECT = "suspect"
    """A parent or other person who is alleged to have done it."""


class Ground(StrEnum):
    """Why a row is withheld. Our list."""

    REQUESTER_IS_SUSPECT = "requester_is_suspect"
    LAW_ENFORCEMENT_REQUEST = "law_enforcement_request"
    HARM_TO_CHILD = "harm_to_child"
    REPORTER_IDENTITY = "reporter_identity"
    COURT_ORDER = "court_order"


SUSPECT_CITATION = "CGS 17a-28"
"""Cited where nobody has cited anything better. Ours, for counsel to confirm (DOMAIN A3.14)."""
REPORTER_CITATION = "CGS 17a-28(f)"
_REPORTER = ("reporter", "source_type")


@dataclass(frozen=True, slots=True)
class Withholding:
    """One person's word that rows about a child are not given out."""

    withholding_id: str
    child_id: str
    disclosure_ids: tuple[str, ...]
    """Ids of rows; empty: all rows of this person."""
    ground: Ground
    citation: str
    agency_id: str | None
    until: datetime | None
    withheld_by: str
    withheld_at: datetime
    lift_asked_by: str | None = None
    lift_asked_at: datetime | None = None
    lifted_by: str | None = None
    lifted_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        return self.until is not None and now >= self.until

    def in_force(self, now: datetime) -> bool:
        return self.lifted_at is None and not self.expired(now)

    def due(self, now: datetime) -> bool:
        """It has expired by itself, and nobody has looked at it since."""
        return self.lifted_at is None and self.expired(now)

    def covers(self, row: Row) -> bool:
        """Of the accounting of the person it is about: under whichever id a row knows them."""
        return not self.disclosure_ids or row.id in self.disclosure_ids


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as its audience may see it. `whole`: nothing was taken out of it."""

    row: Row
    whole: bool
    reporter_protected: bool = False
    withheld_from_others: Ground | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Of this row nothing is said but why: neither who, nor what, nor when."""

    ground: Ground
    citation: str


def present(
    rows: Iterable[Row],
    audience: Audience,
    children: Collection[str],
    withholdings: Sequence[Withholding],
    now: datetime,
) -> list[Shown | Withheld]:
    """Each row for this audience. `children`: the ids of the person whom it is about."""
    holding = [each for each in withholdings if each.in_force(now)]
    return [_present(row, audience, children, holding) for row in rows]


def _present(
    row: Row, audience: Audience, children: Collection[str], holding: Sequence[Withholding]
) -> Shown | Withheld:
    bound = next((each for each in holding if each.covers(row)), None)
    match audience:
        case Audience.OFFICER:
            return Shown(row, True, withheld_from_others=bound.ground if bound else None)
        case Audience.SUSPECT:
            citation = SUSPECT_CITATION
            if bound is not None and bound.ground is Ground.REQUESTER_IS_SUSPECT:
                citation = bound.citation
            return Withheld(Ground.REQUESTER_IS_SUSPECT, citation)
        case Audience.SUBJECT | Audience.PARENT:
            if bound is not None:
                return Withheld(bound.ground, bound.citation)
            return _cut(row, children)
        case _:
            assert_never(audience)


def _cut(row: Row, children: Collection[str]) -> Shown:
    """Without the reporter, and without any other child of the same referral (P4)."""
    fields = tuple(name for name in row.fields if name.partition(".")[0] not in _REPORTER)
    own = tuple(child for child in row.child_ids if child in children)
    cut = replace(row, fields=fields, child_ids=own, rule=None)
    hidden = row.how is How.RECORD_READ
    return Shown(
        cut,
        whole=(fields, own) == (row.fields, row.child_ids) and not hidden,
        reporter_protected=fields != row.fields,
    )


@dataclass(frozen=True, slots=True)
class LiftAsked:
    """A second person must say so too."""

    withholding: Withholding


@dataclass(frozen=True, slots=True)
class Lifted:
    withholding: Withholding


@dataclass(frozen=True, slots=True)
class SamePerson:
    """Who asked cannot be the second one."""


@dataclass(frozen=True, slots=True)
class NotInForce:
    """It was lifted before."""


Lifting = LiftAsked | Lifted | SamePerson | NotInForce


def lift(held: Withholding, by: str, now: datetime) -> Lifting:
    """One person asks, another lifts. What has expired withholds nothing: one person settles it."""
    if held.lifted_at is not None:
        return NotInForce()
    if held.expired(now):
        return Lifted(replace(held, lifted_by=by, lifted_at=now))
    if held.lift_asked_by is None:
        return LiftAsked(replace(held, lift_asked_by=by, lift_asked_at=now))
    if same_person(held.lift_asked_by, by):
        return SamePerson()
    return Lifted(replace(held, lifted_by=by, lifted_at=now))
