"""What was in force when: the directory as of a day, as far as a version of it knew. Pure.

A term holds the fields that change on a day, not the whole entry: an endpoint that changes today
stays changed when last month's plan for the first of January comes into effect.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.notify.directory.entries import AgencyEntry


@dataclass(frozen=True, slots=True)
class Term:
    """Fields of an agency from a day on, and the directory's version that knows of it."""

    agency_id: str
    version: int
    valid_from: date
    fields: Mapping[str, Any]
    """As JSON holds them. An agency's first term names all of them."""


def in_force(
    terms: Iterable[Term], as_of: date, version: int | None = None
) -> dict[str, AgencyEntry]:
    """Every agency that there is on that day, closed ones too, by id.

    Of two values of a field the one of the later day counts; of the same day, the one recorded
    later. `version`: leave out what was recorded after it.
    """
    known = [
        term
        for term in terms
        if term.valid_from <= as_of and (version is None or term.version <= version)
    ]
    fields: dict[str, dict[str, Any]] = {}
    for term in sorted(known, key=lambda term: (term.valid_from, term.version)):
        fields.setdefault(term.agency_id, {"agency_id": term.agency_id}).update(term.fields)
    return {agency_id: AgencyEntry.model_validate(each) for agency_id, each in fields.items()}


def changed_fields(before: AgencyEntry | None, after: AgencyEntry) -> dict[str, Any]:
    """What of `after` is not as in `before`, as a term holds it."""
    new = after.stored()
    if before is None:
        return new
    old = before.stored()
    return {name: value for name, value in new.items() if value != old[name]}
