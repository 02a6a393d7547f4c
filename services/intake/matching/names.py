"""Names and dates of birth as they are compared: what remains is hashed, never kept. Pure.

Two spellings of one name must meet, and nobody is taken for somebody without a person's word: so
it is generous with case, accents, punctuation and order. Nicknames are not unfolded: "Liz" and
"Elizabeth" meet by surname and date of birth.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_BREAKS = re.compile(r"[\W_]+")
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`\u00b4]")
_PLACEHOLDERS = frozenset(
    {
        *("unknown", "unk", "anonymous", "doe", "jane", "john", "baby", "boy", "girl"),
        *("child", "minor", "juvenile", "victim", "female", "male"),
        *("no", "name", "not", "given", "n", "a", "na"),
    }
)


class Kind(StrEnum):
    """What two children share."""

    NAME = "name"
    """Every part of the name, in whatever order."""
    PART_AND_BIRTH = "part_and_birth"
    """A part of the name, and the date of birth."""
    CASE = "case"
    """The open case that the referral names; makes nobody a candidate (policy 21-14)."""


@dataclass(frozen=True, slots=True)
class Trait:
    """What is hashed: the parts, apart from each other so that no two traits sound alike."""

    kind: Kind
    parts: Sequence[str]


def traits(name: str | None, date_of_birth: str | None) -> list[Trait]:
    """The traits of a child, by which another referral's child may be the same; none, if neither
    a name nor a part of one is known. `date_of_birth` is an ISO date."""
    parts = normalised(name or "")
    if not parts:
        return []
    found = [Trait(Kind.NAME, parts)] if len(parts) > 1 else []
    if date_of_birth is not None:
        found += [Trait(Kind.PART_AND_BIRTH, (part, date_of_birth)) for part in parts]
    return found


def normalised(name: str) -> tuple[str, ...]:
    """The parts of a name without case, accents, punctuation or order; none for a placeholder."""
    plain = _APOSTROPHES.sub("", unicodedata.normalize("NFKD", name).casefold())
    letters = "".join(
        each for each in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(each)
    )
    parts = {part for part in _BREAKS.split(letters) if part}
    return () if parts <= _PLACEHOLDERS else tuple(sorted(parts))
