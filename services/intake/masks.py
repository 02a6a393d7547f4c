"""What no copy shows, whatever its profile lists: applied before a profile is (P4). Pure.

A child's copy withholds the homes of every participant of the same referral, its own child or
another (`beside`): the two may well live together.

Three masks: an Address Confidentiality participant's real address and town (CGS 54-240a), who
among the people named is the reporter, and a suspected person who is a minor victim (CGS
53a-192a(b)), who moves into a group of its own and is shown by that group's fields.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from services.intake.address_words import Secret, pattern, towns_of, without
from services.intake.codes import town_of
from services.intake.documents import Document
from services.intake.people import SuspectedPerson

WITHHELD = "[withheld]"
Fields = Mapping[str, Any]
_TYPED = ("country", "description")
"""What of an incident's place is typed; the rest is chosen from lists."""


class Shown(Document):
    """A document as profiles see it: every field that one may list."""

    suspected_minor_victims: list[SuspectedPerson] = Field(default=[])


def mask(document: Fields, beside: Iterable[Fields] = ()) -> dict[str, Any]:
    """The document without what no copy may show, neither of its child nor, of where they live,
    of those of the documents `beside` it."""
    shown = _minors_apart(_reporter_unnamed(document))
    for other in filter(_protected, beside):
        if other is not document:
            shown = _home_withheld(shown, other)
    return _address_withheld(shown, document) if _protected(document) else shown


def _reporter_unnamed(document: Fields) -> dict[str, Any]:
    """Nobody's roles say that they are the reporter."""

    def unnamed(person: Fields) -> dict[str, Any]:
        if "person_roles" not in person:
            return dict(person)
        roles = [role for role in person["person_roles"] if role != "reporter"]
        return {**person, "person_roles": roles}

    groups = {
        name: [unnamed(person) for person in document[name]]
        for name in ("parents", "suspected_persons")
        if name in document
    }
    return unnamed(document) | groups


def _minors_apart(document: Fields) -> dict[str, Any]:
    """One who is a child of this referral too keeps no name here: their own copy has it."""
    people = document.get("suspected_persons", [])
    minors = [person for person in people if _minor(person)]
    others = [person for person in people if not _minor(person)]
    nameless = [
        {name: value for name, value in person.items() if name in ("relationship", "person_roles")}
        if person.get("same_as")
        else person
        for person in minors
    ]
    return {**document, "suspected_persons": others, "suspected_minor_victims": nameless}


def _minor(person: Fields) -> bool:
    return bool(person.get("same_as")) or "minor_victim" in person.get("person_roles", [])


def _address_withheld(shown: Fields, document: Fields) -> dict[str, Any]:
    withheld = {"residence_town", "residence_address", "substitute_address", "facility"}
    kept = {name: value for name, value in shown.items() if name not in withheld}
    kept["parents"] = [
        {name: value for name, value in parent.items() if name != "address"}
        for parent in shown.get("parents", [])
    ]
    kept = _home_withheld(kept, document)
    if substitute := document.get("substitute_address"):
        kept["residence_address"] = substitute
    return kept


def _home_withheld(shown: Fields, participant: Fields) -> dict[str, Any]:
    """Without the participant's home in any field. Towns of a list stand whole or not at all."""
    real, secret = _real_towns(participant), _secret(participant)
    towns = [each for each in shown.get("incident_towns", []) if each not in real]
    places = [place for place in shown.get("incident_places", []) if not real & _towns(place)]
    told = {
        name: value
        for name, value in shown.items()
        if name not in ("incident_towns", "incident_places")
        and not (name == "residence_town" and value in real)
    }
    kept: dict[str, Any] = without(told, secret, WITHHELD)
    if "residence_town" in told:
        kept["residence_town"] = told["residence_town"]
    described = [
        {name: without(v, secret, WITHHELD) if name in _TYPED else v for name, v in place.items()}
        for place in places
    ]
    return kept | {"incident_towns": towns, "incident_places": described}


def _secret(participant: Fields) -> Secret | None:
    return pattern(participant.get("residence_town"), participant.get("residence_address") or "")


def _real_towns(document: Fields) -> frozenset[str]:
    """The town of residence, or every one that the address may mean."""
    town = document.get("residence_town")
    return frozenset([town]) if town else towns_of(document.get("residence_address") or "")


def _towns(place: Fields) -> set[str | None]:
    """Every town that a place gives away."""
    district, nation = place.get("district"), place.get("nation")
    return {
        place.get("town"),
        town_of("police_district", district),
        town_of("tribal_nation", nation),
    }


def without_address(document: Fields, told: Any, beside: Iterable[Fields] = ()) -> Any:
    """What is told beside the document (form DCF-823, a consult's outcome), masked as it is."""
    for participant in filter(_protected, [document, *beside]):
        told = without(told, _secret(participant), WITHHELD)
    return told


def _protected(document: Fields) -> bool:
    return bool(document.get("address_confidential"))
