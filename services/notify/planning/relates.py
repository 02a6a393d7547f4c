"""What a related notice is about: an earlier referral that its recipient holds (C9). Values."""

from dataclasses import dataclass

from shared.contracts.codes import Relation


@dataclass(frozen=True, slots=True)
class Relates:
    """The referral that a related notice names, by the number that its recipient holds."""

    referral_id: str
    number: str
    relation: Relation


def related_part(number: str, relation: str) -> dict[str, object]:
    """As it stands on the form."""
    return {"referral_number": number, "relation": relation}
