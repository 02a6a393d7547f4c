"""What an entry can be found by: whose it is, whom it names, by what right. Pure.

A trace is 64 bits of a digest of a facet and a value, so that the index to the log is narrow and
says nothing by itself. Two values could share one: whoever finds an entry by its trace looks at
its leaf.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any


class Facet(StrEnum):
    """What an entry can be searched by."""

    SUBJECT = "subject"
    """A child; or the referral, call, record or export that it is about."""
    AGENCY = "agency"
    ACTOR = "actor"
    AUTHORITY = "authority"


_FACETS: Mapping[str, Facet] = {
    **dict.fromkeys(
        ("child_id", "referral_id", "call_id", "record_id", "export_id"), Facet.SUBJECT
    ),
    "agency_id": Facet.AGENCY,
    "actor": Facet.ACTOR,
    "approved_by": Facet.ACTOR,
    "authority": Facet.AUTHORITY,
}
_LAST_KEPT = 1024


@lru_cache(_LAST_KEPT)
def trace(facet: Facet, value: str) -> int:
    """As PostgreSQL holds it: a signed 64-bit number. Kept for a while: what a referral's first
    leaf is found by, its others are too."""
    digest = sha256(f"{facet}={value}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def values_of(content: Mapping[str, Any]) -> Iterator[tuple[Facet, str]]:
    """What a leaf, parsed, can be found by; maybe twice."""
    record = content.get("record", {})
    for holder in (content, record):
        for name in _FACETS.keys() & holder.keys():
            value = holder[name]
            if isinstance(value, str):
                yield _FACETS[name], value
    for child_id in record.get("child_ids", ()):
        yield Facet.SUBJECT, child_id


def whom(content: Mapping[str, Any]) -> list[str]:
    """Whose a leaf is: the children that it names; where it names none, its call or record."""
    named = [value for facet, value in values_of(content) if facet is Facet.SUBJECT]
    children = [value for value in named if value.startswith("chd_")]
    others = [value for value in named if value.startswith(("cal_", "rec_"))]
    return sorted(set(children or others))


def as_subject(opaque_id: str) -> dict[str, str]:
    """The field of a leaf by which the accounting of whoever has this id finds it."""
    return {_SUBJECTS[opaque_id[:3]]: opaque_id}


_SUBJECTS = {"chd": "child_id", "cal": "call_id", "rec": "record_id"}


def traces_of(content: Mapping[str, Any]) -> tuple[int, ...]:
    """Every trace of a leaf, once each."""
    return tuple(sorted({trace(facet, value) for facet, value in values_of(content)}))
