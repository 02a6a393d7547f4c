"""Finding an address, or the town it lies in, however it is written. Pure.

A text is compared as a reader sees it: compatibility forms are made plain and invisible characters
dropped. Words may stand apart, together, or with anything but letters between them; "St" and
"Street" are one; a town is also its villages and postal names. What is found too much is withheld
too much, which is the safe side: a Chester who is a person may go with the town.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.intake.towns import towns_in

VILLAGES = Path(__file__).parent / "data" / "villages.yaml"
_SHORTEST = 4
"""A part of an address with fewer characters is too common to be looked for."""
_SUFFIXES = (
    ("street", "st", "str"),
    ("avenue", "ave", "av"),
    ("road", "rd"),
    ("drive", "dr"),
    ("lane", "ln"),
    ("boulevard", "blvd"),
    ("court", "ct"),
    ("place", "pl"),
    ("terrace", "ter", "terr"),
    ("circle", "cir"),
    ("highway", "hwy"),
    ("parkway", "pkwy"),
    ("square", "sq"),
    ("trail", "trl"),
    ("turnpike", "tpke"),
    ("extension", "ext"),
    ("north", "n"),
    ("south", "s"),
    ("east", "e"),
    ("west", "w"),
)
_SAME = {word: group for group in _SUFFIXES for word in group}
_STREET = re.compile(
    r"\b\d+[a-z]?\s+(?:[\w'-]+\s+){1,4}?(?:"
    + "|".join(word for group in _SUFFIXES[:16] for word in group)
    + r")\b",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """As a reader sees it: full-width letters and ligatures plain, and nothing invisible."""
    if text.isascii():
        return text
    whole = unicodedata.normalize("NFKC", text)
    return "".join(c for c in whole if unicodedata.category(c) != "Cf")


@cache
def villages() -> dict[str, tuple[str, ...]]:
    """By town, its villages and postal names."""
    listed: dict[str, list[str]] = yaml.safe_load(VILLAGES.read_text(encoding="utf-8"))
    return {town: tuple(names) for town, names in listed.items()}


def pattern(town: str | None, address: str) -> re.Pattern[str] | None:
    """Finds the town or, where that is unknown, every one that the address may mean; the
    address, its parts, its street and its ZIP codes. None when there is nothing to find."""
    forms = sorted(set(_forms(town, plain(address))), key=len, reverse=True)
    if not forms:
        return None
    # A capital letter may begin a new word without a space: `WindhamHigh`.
    return re.compile(
        rf"(?<!\w)(?:{'|'.join(map(_spaced, forms))})(?-i:(?![a-z0-9_]))", re.IGNORECASE
    )


def _forms(town: str | None, address: str) -> Iterator[str]:
    towns = ({town} if town else set()) | towns_in(address)
    yield from towns
    for each in towns:
        yield from villages().get(each, ())
    yield from re.findall(r"(?<!\w)\d{5}(?!\w)", address)
    yield from _STREET.findall(address)
    for part in re.split(r"[,;\n]", address):
        if len(part.strip()) >= _SHORTEST and re.search(r"\w", part):
            yield part.strip()


def _spaced(form: str) -> str:
    words = re.findall(r"\w+", form)
    apart = r"[\W_]*" if any(not word.isdigit() for word in words) else r"\W+"
    return apart.join(map(_word, words))


def _word(word: str) -> str:
    same = _SAME.get(word.casefold(), (word,))
    return rf"(?:{'|'.join(map(re.escape, sorted(same, key=len, reverse=True)))})"


def without(value: Any, secret: re.Pattern[str] | None, instead: str) -> Any:
    """A JSON value in whose texts nothing of it is left. What holds none of it stays exact."""
    if secret is None:
        return value
    if isinstance(value, str):
        seen = plain(value)
        return secret.sub(instead, seen) if secret.search(seen) else value
    if isinstance(value, list):
        return [without(each, secret, instead) for each in value]
    if isinstance(value, dict):
        return {name: without(each, secret, instead) for name, each in value.items()}
    return value
