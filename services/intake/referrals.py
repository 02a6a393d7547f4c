"""The rules of a referral: what is accepted, what an amendment makes of it. Pure: `now` comes in.

A referral as a document is the JSON object that `AmendedReferral` describes, each child with its
`child_id`; that is what a merge patch is applied to.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import ValidationError

from services.intake.schemas import AmendedReferral, Body, Child, KnownChild, NewReferral, Reporter
from services.intake.strict_json import MAX_FLAWS, Flaw, Path, Rejected

GRACE = timedelta(minutes=5)
"""How far the caller's clock may be ahead of ours."""

B = TypeVar("B", bound=Body)


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
    flaws = [*_moment_flaws(referral.received_at, now), *_reporter_flaws(referral.reporter)]
    for index, child in enumerate(referral.children):
        flaws += _child_flaws(child, ("children", index), now.date(), towns)
    if flaws:
        raise Rejected(*flaws[:MAX_FLAWS])


def check_moment(received_at: datetime, now: datetime) -> None:
    """A report is not received in the future. Raises Rejected."""
    if flaws := tuple(_moment_flaws(received_at, now)):
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
) -> AmendedReferral:
    """The referral with every child known by an id; those who have none get one."""
    children = [
        KnownChild.model_construct(
            **{**dict(child), "child_id": getattr(child, "child_id", None) or new_id()}
        )
        for child in referral.children
    ]
    return AmendedReferral.model_construct(**{**dict(referral), "children": children})


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


def _moment_flaws(received_at: datetime, now: datetime) -> Iterator[Flaw]:
    if received_at > now + GRACE:
        yield Flaw(("received_at",), "must not be in the future")


def _reporter_flaws(reporter: Reporter) -> Iterator[Flaw]:
    if not reporter.anonymous:
        return
    for name in ("name", "phone"):
        if getattr(reporter, name) is not None:
            yield Flaw(("reporter", name), "must be left out when the reporter is anonymous")


def _child_flaws(child: Child, path: Path, today: date, towns: Collection[str]) -> Iterator[Flaw]:
    unknown = "must be one of Connecticut's 169 towns, spelled as in the town list, or null"
    if child.residence_town is not None and child.residence_town not in towns:
        yield Flaw((*path, "residence_town"), unknown)
    for index, town in enumerate(child.incident_towns):
        if town not in towns:
            yield Flaw((*path, "incident_towns", index), unknown)
    if child.date_of_birth is not None and child.date_of_birth > today:
        yield Flaw((*path, "date_of_birth"), "must not be in the future")
