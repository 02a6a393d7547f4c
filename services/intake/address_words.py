"""Finding an address, or the town it lies in, however it is written. Pure.

A text is compared as a reader sees it (`seen_text`). Words may stand apart, together, hyphenated
or letter by letter; "St" and "Street" are one; a town is also its villages and postal names; and
every ZIP code of Connecticut is withheld, as nothing says which of them is the town's. What is
found too much is withheld too much, which is the safe side: a town may be a common word or a
person's name (Union, Chester, Preston, Warren), and a long one is found within other words too.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.intake.streets import same, street_forms
from services.intake.towns import load_towns, towns_in
from shared.runtime.seen_text import plain, seen

VILLAGES = Path(__file__).parent / "data" / "villages.yaml"
_SHORTEST = 4
"""A part of an address with fewer characters is too common to be looked for."""
_TELLING = 6
"""A name with as many letters is found within a longer word too: `windhamhigh`."""
_BEGINS = r"(?:(?<![^\W_])|(?<=\d)(?=\D)|(?-i:(?<=[a-z])(?=[A-Z])))"
_ENDS = r"(?:(?='?s?(?![^\W_]))|(?<=\D)(?=\d)|(?-i:(?<=[a-z])(?=[A-Z])|(?=[A-Z][a-z])))"
_WIDER = _BEGINS + r"(?:(?:north|south|east|west|new|old|no|so|[nsew])[\W_]*)"
"""So that `East [withheld]` does not hint at Haddam."""
_ZIP = r"(?<!\d)06\d{3}(?:\W{0,3}\d{4})?(?!\d)"


@dataclass(frozen=True, slots=True)
class Secret:
    """What gives a home away. `keys`: letters without one of which no text can hold any of it,
    so that most texts are not searched."""

    finds: re.Pattern[str]
    keys: frozenset[str]

    def may_be_in(self, text: str) -> bool:
        bare = re.sub(r"[\W_]+", "", text.casefold()).replace("ı", "i")
        return any(key in bare for key in self.keys)


@cache
def villages() -> dict[str, tuple[str, ...]]:
    """By town, its villages and postal names."""
    listed: dict[str, list[str]] = yaml.safe_load(VILLAGES.read_text(encoding="utf-8"))
    return {town: tuple(names) for town, names in listed.items()}


def towns_of(address: str) -> frozenset[str]:
    """Every town that an address names, itself or by one of its villages."""
    text = plain(address)
    by_village = {town for town, finds in _village_patterns().items() if finds.search(text)}
    return towns_in(text) | frozenset(by_village)


def pattern(town: str | None, address: str) -> Secret | None:
    """Finds in a plain text the town and every one that the address may mean, the address, its
    parts and its street, and any ZIP code. None when there is nothing to find."""
    text = plain(address)
    towns = ({town} if town else set()) | towns_of(text)
    names = {name for each in towns for name in (each, *villages().get(each, ()))}
    parts = [part.strip() for part in re.split(r"[,;\n]", text)]
    forms = {part for part in parts if len(part) >= _SHORTEST and re.search(r"\w", part)}
    forms.update(form for part in parts for form in street_forms(part))
    if not names and not forms:
        return None
    other = set(re.findall(r"(?<!\w)\d{5}(?!\w)", text))
    found = [_any(map(_name, _longest(names)))] if names else []
    found += [_BEGINS + _any(map(_words, _longest(forms | other))) + _ENDS] if forms else []
    keys = frozenset(["06", *map(_key, names | forms | other)])
    return Secret(re.compile("|".join([*found, _ZIP]), re.IGNORECASE), keys)


def _key(form: str) -> str:
    """The longest word of it that is always written so."""
    fixed = [word.casefold() for word in _split(form) if same(word) == (word,)]
    return max(fixed, key=len, default="")


@cache
def _village_patterns() -> dict[str, re.Pattern[str]]:
    return {
        town: re.compile(_BEGINS + _any(map(_words, names)) + _ENDS, re.IGNORECASE)
        for town, names in villages().items()
        if names and town in load_towns()
    }


def _longest(forms: Iterable[str]) -> list[str]:
    return sorted(forms, key=lambda form: (-len(form), form))


def _any(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


def _name(name: str) -> str:
    """A town or village: as words between word ends; letter by letter; if long, anywhere."""
    letters = re.findall(r"[^\W_]", name)
    whole = [
        f"(?:{_WIDER}|{_BEGINS})" + _words(name) + _ENDS,
        _BEGINS + r"[\W_]+".join(letters) + _ENDS,
    ]
    if len(letters) >= _TELLING:
        whole.append(f"(?:{_WIDER})?" + r"[\W_]*".join(map(_hyphenated, _split(name))))
    return _any(whole)


def _words(form: str) -> str:
    words = _split(form)
    apart = r"[\W_]*" if any(not word.isdigit() for word in words) else r"[\W_]+"
    return apart.join(_any(map(_hyphenated, _longest(same(word)))) for word in words)


def _split(form: str) -> list[str]:
    """A number and the letters after it are two words, as `12Elm` may be written."""
    return re.findall(r"\d+|[^\W\d_]+", form)


def _hyphenated(word: str) -> str:
    return word if word.isdigit() or len(word) < _SHORTEST else r"(?:-\s*)?".join(word)


def without(value: Any, secret: Secret | None, instead: str) -> Any:
    """A JSON value in whose texts nothing of it is left. All else in them stays exact."""
    if secret is None:
        return value
    if isinstance(value, str):
        return _replaced(value, secret, instead)
    if isinstance(value, list):
        return [without(each, secret, instead) for each in value]
    if isinstance(value, dict):
        return {name: without(each, secret, instead) for name, each in value.items()}
    return value


def _replaced(text: str, secret: Secret, instead: str) -> str:
    shown = seen(text)
    if not secret.may_be_in(shown.text):
        return text
    kept, done = [], 0
    for match in secret.finds.finditer(shown.text):
        start, end = shown.within(*match.span())
        kept += [text[done : max(start, done)], instead]
        done = end
    return "".join([*kept, text[done:]])
