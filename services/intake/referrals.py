"""The rules of a referral: what is accepted, what an amendment makes of it. Pure: `now` comes in.

A referral as a document is the JSON object that `AmendedReferral` describes, each child with its
`child_id`; that is what a merge patch is applied to.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from pydantic import ValidationError

from services.intake import contradictions
from services.intake.schemas import AmendedReferral, Body, Child, KnownChild, NewReferral
from services.intake.strict_json import MAX_FLAWS, Flaw, Rejected

BACKDATED = timedelta(hours=1)
"""A report that reached DCF longer ago than this before we recorded it was entered afterwards."""

B = TypeVar("B", bound=Body)
Identified = tuple[str, Child]
"""A child of a referral, with its id."""


class Unfit(Exception):
    """A JSON value does not fit its schema: reject it. `error` says where."""

    def __init__(self, value: object, error: ValidationError) -> None:
        super().__init__(f"{error.error_count()} errors")
        self.value = value
        self.error = error


@dataclass(frozen=True, slots=True)
class Amended:
    """The next version. A child that is new to the referral has no id yet."""

    version: int
    referral: AmendedReferral


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The patch says what is known already: no new version, nothing to tell anybody."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The caller amends a version that is no longer the current one."""


Amendment = Amended | Unchanged | Stale


def read(model: type[B], value: object) -> B:
    """Validate a parsed JSON value. Raises Unfit."""
    try:
        return model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise Unfit(value, error) from None


def check(referral: NewReferral | AmendedReferral, now: datetime, towns: Collection[str]) -> None:
    """What a schema cannot say. Raises Rejected."""
    if found := tuple(islice(contradictions.flaws(referral, now, towns), MAX_FLAWS)):
        raise Rejected(*found)


def check_moment(received_at: datetime, now: datetime) -> None:
    """A report is not received in the future. Raises Rejected."""
    if flaws := tuple(contradictions.moment_flaws(("received_at",), received_at, now)):
        raise Rejected(*flaws)


def amend(
    document: Mapping[str, Any],
    version: int,
    patch: object,
    expected: Collection[int] | None,
    *,
    now: datetime,
    towns: Collection[str],
) -> Amendment:
    """Apply a merge patch (RFC 7396) to version `version`. Raises Unfit or Rejected.

    `expected` are the versions the caller says it knows (If-Match); None: any.
    """
    if expected is not None and version not in expected:
        return Stale()
    if not isinstance(patch, dict):
        raise Rejected(Flaw((), "must be a JSON object: a merge patch of the referral"))
    before = read(AmendedReferral, document)
    after = read(AmendedReferral, merge_patch(document, patch))
    check(after, now, towns)
    _check_identity(before, after)
    return Unchanged() if after == before else Amended(version + 1, after)


def merge_patch(target: object, patch: object) -> object:
    """RFC 7396: null removes, an object merges, everything else, an array too, replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def identified(
    referral: NewReferral | AmendedReferral, new_id: Callable[[], str]
) -> list[Identified]:
    """The children in order; those who have no id get one."""
    return [
        (child.child_id or new_id() if isinstance(child, KnownChild) else new_id(), child)
        for child in referral.children
    ]


def backdated(received_at: datetime, now: datetime, before: datetime | None = None) -> bool:
    """Whether a version's time of receipt was set after the fact (DOMAIN C33).

    For the first version: entered long after it was received. For a later one: moved to an
    earlier time than the version `before` had.
    """
    if before is None:
        return now - received_at > BACKDATED
    return received_at < before


def _check_identity(before: AmendedReferral, after: AmendedReferral) -> None:
    """No child is lost, none is doubled, none comes from elsewhere, and a test stays a test."""
    known = {child.child_id for child in before.children}
    seen: set[str] = set()
    flaws = []
    for index, child in enumerate(after.children):
        if child.child_id is None:
            continue
        if child.child_id not in known or child.child_id in seen:
            detail = (
                "must be the id of a child of this referral, each named once; a new child has none"
            )
            flaws.append(Flaw(("children", index, "child_id"), detail))
        seen.add(child.child_id)
    if known - seen:
        detail = "must hold every child of the referral, each whole with its child_id"
        flaws.append(Flaw(("children",), detail))
    if after.synthetic != before.synthetic:
        flaws.append(Flaw(("synthetic",), "cannot be changed: send a referral of its own"))
    if flaws:
        raise Rejected(*flaws)
