"""What each profile may see of a child: a list of fields, and nothing that is not listed (P4).

Fields are named by path: `ht_type`, `parents.name`, `reporter.name`. A field that is new to the
form is in no profile until somebody lists it. Copies and facts are made of the document as `masks`
leaves it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from services.intake.masks import Shown, mask
from shared.runtime.errors import Misconfigured

PROFILES = Path(__file__).with_name("profiles.yaml")
_UNKNOWN: Mapping[str, Any] = {
    "residence_town": None,
    "residence_state": None,
    "incident_towns": [],
    "incident_places": [],
    "address_confidential": False,
    "missing_from_care": None,
    "missing_since": None,
    "travel_authorized": None,
    "care_status": None,
    "foreign_national": None,
    "indian_child": None,
    "implicated": [],
}
FACTS = frozenset(
    [
        "ht_type",
        *(name for name in _UNKNOWN if name not in ("incident_places", "implicated")),
        *(f"incident_places.{name}" for name in ("kind", "town", "district", "nation", "state")),
        "incident_places.occurred_at",
        "implicated.kind",
        "implicated.agency",
    ]
)
"""What routing needs of a child, whoever the recipients turn out to be."""
_EMPTY: tuple[object, ...] = (None, "", [], {})

Profiles = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Copy:
    """One child's document as a profile may see it, and the paths of the fields in it."""

    content: dict[str, Any]
    fields: frozenset[str]


@cache
def load_profiles(path: Path = PROFILES) -> Profiles:
    """Raises Misconfigured for a profile that lists a field which no form has."""
    listed: Mapping[str, list[str]] = yaml.safe_load(path.read_text())["profiles"]
    known = frozenset(paths(Shown))
    for name, fields in listed.items():
        if unknown := sorted(set(fields) - known):
            raise Misconfigured(f"{path}: profile {name} lists {unknown[0]}, which no form has.")
    return {name: frozenset(fields) for name, fields in listed.items()}


def project(document: Mapping[str, Any], listed: Collection[str]) -> Copy:
    """The copy of one child's document for whoever may see the `listed` fields."""
    return copies(document, {"": listed})[""]


def copies(
    document: Mapping[str, Any],
    profiles: Mapping[str, Collection[str]],
    beside: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Copy]:
    """A copy by each profile, masked once; `beside`: the documents of the same referral."""
    masked = mask(document, beside)
    return {name: _copy(masked, listed) for name, listed in profiles.items()}


def facts(document: Mapping[str, Any], beside: Iterable[Mapping[str, Any]] = ()) -> Copy:
    """The facts that routing needs, of the child's own document; unknown, null or empty.

    1. Masked as a copy is: nobody is told by way of a home that a copy withholds. Whoever lives
       where a participant `beside` does is routed as a participant (C25).
    2. But for whose people are implicated, which is on no form: a name with a town in it that was
       taken out would leave out the wrong agency (P3).

    On record they are always all of them: that `implicated` is among a view's fields must not
    say that somebody is (P5).
    """
    known = copies(document, {"": FACTS}, beside)[""].content
    people = {"implicated": document.get("implicated", [])}
    known |= _copy(people, FACTS).content
    if document.get("residence_town") and "residence_town" not in known:
        known["address_confidential"] = True
    return Copy({**_UNKNOWN, **known}, FACTS)


def _copy(masked: Mapping[str, Any], listed: Collection[str]) -> Copy:
    seen: set[str] = set()
    content = _pick(masked, _tree(frozenset(listed)), seen)
    return Copy(content, frozenset(seen))


@dataclass(slots=True)
class _Node:
    """A name on a list: the whole path, where a value is listed, and what is listed below it."""

    path: str | None
    below: "dict[str, _Node]"


@lru_cache
def _tree(listed: frozenset[str]) -> Mapping[str, _Node]:
    """The paths by their names, so that a document is gone through once."""
    top = _Node(None, {})
    for path in listed:
        node = top
        for name in path.split("."):
            node = node.below.setdefault(name, _Node(None, {}))
        node.path = path
    return top.below


def paths(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The path of every field that holds a value."""
    for path, _ in kinds(model, prefix):
        yield path


def kinds(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The path of every field that holds a value, with the type of that value."""
    for name, field in model.model_fields.items():
        part = _part(field.annotation)
        if part is None:
            yield prefix + name, field.annotation
        else:
            yield from kinds(part, f"{prefix}{name}.")


def _pick(
    document: Mapping[str, Any], listed: Mapping[str, _Node], seen: set[str]
) -> dict[str, Any]:
    picked: dict[str, Any] = {}
    for name, value in document.items():
        node = listed.get(name)
        if node is None or value in _EMPTY:
            continue
        if isinstance(value, dict):
            value = _pick(value, node.below, seen)
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            parts = (_pick(item, node.below, seen) for item in value)
            value = [part for part in parts if part]
        elif node.path is None:
            continue
        else:
            seen.add(node.path)
        if value not in _EMPTY:
            picked[name] = value
    return picked


def _part(annotation: Any) -> type[BaseModel] | None:
    """The model inside `Part` or `list[Part]`; None for a plain value."""
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
