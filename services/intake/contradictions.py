"""What a schema cannot say of a referral: fields that contradict each other, the clock or the map.

Pure: `now` and the towns come in. Every flaw names its place and what would be right.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime, timedelta

from services.intake.codes import town_of
from services.intake.people import Reporter
from services.intake.places import FITS, IncidentPlace
from services.intake.schemas import AmendedReferral, Child, NewReferral
from services.intake.streets import same
from services.intake.strict_json import Flaw, Path
from shared.runtime.seen_text import plain

GRACE = timedelta(minutes=5)
"""How far the caller's clock may be ahead of ours."""

_NO_TOWN = "must be one of Connecticut's 169 towns, spelled as in the town list, or null"
_FUTURE = "must not be in the future"


def flaws(
    referral: NewReferral | AmendedReferral, now: datetime, towns: Collection[str]
) -> Iterator[Flaw]:
    """Everything that is wrong with the referral as a whole."""
    yield from moment_flaws(("received_at",), referral.received_at, now)
    yield from _reporter_flaws(referral.reporter)
    for index, child in enumerate(referral.children):
        path = ("children", index)
        yield from _age_flaws(child, path, now.date())
        yield from moment_flaws((*path, "missing_since"), child.missing_since, now)
        yield from _residence_flaws(child, path, towns)
        yield from _incident_flaws(child, path, now, towns)
    yield from _same_person_flaws(referral)
    yield from _household_flaws(referral.children)


def moment_flaws(path: Path, moment: datetime | None, now: datetime) -> Iterator[Flaw]:
    if moment is not None and moment > now + GRACE:
        yield Flaw(path, _FUTURE)


def _reporter_flaws(reporter: Reporter) -> Iterator[Flaw]:
    if not reporter.anonymous:
        return
    for name in ("name", "phone", "address"):
        if getattr(reporter, name) is not None:
            yield Flaw(("reporter", name), "must be left out when the reporter is anonymous")


def _age_flaws(child: Child, path: Path, today: date) -> Iterator[Flaw]:
    for name in ("date_of_birth", "victimised_on"):
        day = getattr(child, name)
        if day is not None and day > today:
            yield Flaw((*path, name), _FUTURE)
    for index, sibling in enumerate(child.siblings):
        if sibling.date_of_birth is not None and sibling.date_of_birth > today:
            yield Flaw((*path, "siblings", index, "date_of_birth"), _FUTURE)
    born, hurt = child.date_of_birth, child.victimised_on
    if born is not None and hurt is not None and hurt < born:
        yield Flaw((*path, "victimised_on"), "must not be before the date of birth")
    if "unknown" in child.race_ethnicity and len(child.race_ethnicity) > 1:
        yield Flaw((*path, "race_ethnicity"), "must hold unknown alone, or what is known")


def _residence_flaws(child: Child, path: Path, towns: Collection[str]) -> Iterator[Flaw]:
    if child.residence_town is not None:
        if child.residence_town not in towns:
            yield Flaw((*path, "residence_town"), _NO_TOWN)
        if child.residence_state not in (None, "CT"):
            detail = "must be left out when the residence is in another state than CT"
            yield Flaw((*path, "residence_town"), detail)
    if child.substitute_address is not None and not child.address_confidential:
        detail = "must be true when a substitute address is given"
        yield Flaw((*path, "address_confidential"), detail)


def _incident_flaws(
    child: Child, path: Path, now: datetime, towns: Collection[str]
) -> Iterator[Flaw]:
    for index, town in enumerate(child.incident_towns):
        if town not in towns:
            yield Flaw((*path, "incident_towns", index), _NO_TOWN)
    for index, place in enumerate(child.incident_places):
        here = (*path, "incident_places", index)
        yield from _place_flaws(place, here, child.incident_towns)
        yield from moment_flaws((*here, "occurred_at"), place.occurred_at, now)


def _place_flaws(place: IncidentPlace, path: Path, named: Collection[str]) -> Iterator[Flaw]:
    for name in ("town", "district", "nation", "state", "country"):
        if getattr(place, name) is not None and name not in FITS[place.kind]:
            yield Flaw((*path, name), f"must be left out for a place of the kind {place.kind}")
    if place.town is not None and place.town not in named:
        yield Flaw((*path, "town"), "must be one of the child's incident_towns")
    if place.state == "CT" and place.kind == "out_of_state":
        yield Flaw((*path, "state"), "must be another state than CT")
    if place.district is not None and place.town != town_of("police_district", place.district):
        yield Flaw((*path, "district"), "must lie in the town of this place")


def _same_person_flaws(referral: NewReferral | AmendedReferral) -> Iterator[Flaw]:
    marks = Counter(child.person_ref for child in referral.children if child.person_ref is not None)
    nobody = "must be the person_ref of a child of this referral"
    reporter = referral.reporter.same_as
    if reporter is not None and reporter not in marks:
        yield Flaw(("reporter", "same_as"), nobody)
    for index, child in enumerate(referral.children):
        if child.person_ref is not None and marks[child.person_ref] > 1:
            yield Flaw(("children", index, "person_ref"), "must be another for each child")
        for position, person in enumerate(child.suspected_persons):
            path = ("children", index, "suspected_persons", position, "same_as")
            if person.same_as is None:
                continue
            if person.same_as not in marks:
                yield Flaw(path, nobody)
            elif person.same_as == child.person_ref:
                yield Flaw(path, "must be another child than this one")


def _household_flaws(children: Sequence[Child]) -> Iterator[Flaw]:
    """A copy about a child at the same address would betray what the other's withholds."""
    protected = {_folded(child.residence_address) for child in children if _protects(child)}
    for index, child in enumerate(children):
        if not child.address_confidential and _folded(child.residence_address) in protected:
            detail = "must be true: a child at the same address takes part in the program"
            yield Flaw(("children", index, "address_confidential"), detail)


def _protects(child: Child) -> bool:
    return child.address_confidential and bool(_folded(child.residence_address))


def _folded(address: str | None) -> str:
    """`12 Elm Street, Apt 4` and `12 ELM ST. APARTMENT 4` are one."""
    words = re.findall(r"[^\W_]+", plain(address or "").casefold())
    return " ".join(same(word)[0] for word in words)
