"""The street in an address, and which words of it mean the same. Pure."""

import re
from collections.abc import Iterator, Sequence

_SUFFIXES = (
    ("street", "st", "str", "saint"),
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
    ("turnpike", "tpke", "tpk"),
    ("extension", "ext"),
    ("way",),
    ("crossing", "xing"),
    ("alley", "aly"),
    ("green", "grn"),
    ("heights", "hts"),
    ("ridge", "rdg"),
    ("run",),
    ("row",),
    ("path",),
    ("loop",),
)
_DIRECTIONS = (("north", "n", "no"), ("south", "s", "so"), ("east", "e"), ("west", "w"))
_UNITS = (
    ("apartment", "apt", "unit", "suite", "ste", "room", "rm"),
    ("floor", "fl"),
    ("building", "bldg"),
)
_OTHERS = (
    ("mount", "mt"),
    ("mountain", "mtn"),
    ("fort", "ft"),
    ("point", "pt"),
    ("center", "centre", "ctr"),
    ("route", "rte", "rt"),
    ("first", "1st"),
    ("second", "2nd"),
    ("third", "3rd"),
    ("fourth", "4th"),
    ("fifth", "5th"),
    ("sixth", "6th"),
    ("seventh", "7th"),
    ("eighth", "8th"),
    ("ninth", "9th"),
    ("tenth", "10th"),
)
_SAME = {word: group for group in _SUFFIXES + _DIRECTIONS + _UNITS + _OTHERS for word in group}
_SUFFIX = frozenset(word for group in _SUFFIXES for word in group)
_DIRECTION = frozenset(word for group in _DIRECTIONS for word in group)
_UNIT = frozenset([*(word for group in _UNITS for word in group), "box", "lot"])
_LONGEST_NAME = 4


def same(word: str) -> tuple[str, ...]:
    """Every way of writing a word of an address."""
    return _SAME.get(word.casefold(), (word,))


def street_forms(part: str) -> Iterator[str]:
    """What of a part of an address tells the street: `12 Elm Street`, `Elm Street` and `12 Elm`;
    and the unit."""
    words = re.findall(r"[^\W_]+", part)
    for index, word in enumerate(words):
        before = words[index - 1].casefold() if index else ""
        if before in _UNIT:
            yield f"{before} {word}"
        elif word[0].isdigit() and len(word) < 5:
            yield from _street(word, words[index + 1 :])
    if words and not words[0][0].isdigit():
        yield from _street("", words)


def _street(number: str, words: Sequence[str]) -> Iterator[str]:
    name: list[str] = []
    for word in words[: _LONGEST_NAME + 1]:
        if word.isdigit() or word.casefold() in _UNIT:
            break
        name.append(word)
        if word.casefold() in _SUFFIX and len(name) > 1:
            yield f"{number} {' '.join(name)}"
            yield " ".join(name)
            name.pop()
            break
    else:
        name = _first(name)
    if number and name:
        yield f"{number} {' '.join(name)}"


def _first(name: Sequence[str]) -> list[str]:
    """Without a suffix nobody knows where the name ends: its first word, and a direction's next."""
    return list(name[: 2 if name[0].casefold() in _DIRECTION else 1]) if name else []
