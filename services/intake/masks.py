"""What no copy shows, whatever its profile lists: applied before a profile is (P4). Pure.

Three masks: an Address Confidentiality participant's real address and town (CGS 54-240a), who
among the people named is the reporter, and a suspected person who is a minor victim (CGS
53a-192a(b)), who moves into a group of its own and is shown by that group's fields.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from services.intake.address_words import pattern, without
from services.intake.codes import town_of
from services.intake.documents import Document
from services.intake.people import SuspectedPerson
from services.intake.towns import towns_in

WITHHELD = "[withheld]"
Fields = Mapping[str, Any]


class Shown(Document):
    """A document as profiles see it: every field that one may list."""

    suspected_minor_victims: list[SuspectedPerson] = Field(default=[])


def mask(document: Fields) -> dict[str, Any]:
    """The document without what no copy may show."""
    shown = _minors_apart(_reporter_unnamed(document))
    return _address_withheld(shown) if _protected(document) else shown


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


def _address_withheld(document: Fields) -> dict[str, Any]:
    real = _real_towns(document)
    withheld = {"residence_town", "residence_address", "substitute_address", "facility"}
    kept = {name: value for name, value in document.items() if name not in withheld}
    kept["parents"] = [
        {name: value for name, value in parent.items() if name != "address"}
        for parent in document.get("parents", [])
    ]
    kept["incident_towns"] = [
        each for each in document.get("incident_towns", []) if each not in real
    ]
    kept["incident_places"] = [
        place for place in document.get("incident_places", []) if not real & _towns(place)
    ]
    shown: dict[str, Any] = without(kept, _pattern(document), WITHHELD)
    if substitute := document.get("substitute_address"):
        shown["residence_address"] = substitute
    return shown


def _real_towns(document: Fields) -> frozenset[str]:
    """The town of residence, or every one that the address may mean."""
    town = document.get("residence_town")
    return frozenset([town]) if town else towns_in(document.get("residence_address") or "")


def _towns(place: Fields) -> set[str | None]:
    """Every town that a place gives away."""
    district, nation = place.get("district"), place.get("nation")
    return {
        place.get("town"),
        town_of("police_district", district),
        town_of("tribal_nation", nation),
    }


def _pattern(document: Fields) -> re.Pattern[str] | None:
    return pattern(document.get("residence_town"), document.get("residence_address") or "")


def without_address(document: Fields, told: Any) -> Any:
    """What is told beside the document (form DCF-823, a consult's outcome), masked as it is."""
    return without(told, _pattern(document), WITHHELD) if _protected(document) else told


def _protected(document: Fields) -> bool:
    return bool(document.get("address_confidential"))
