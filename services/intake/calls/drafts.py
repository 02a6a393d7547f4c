"""The rules of what is typed during a call: anything a referral may come to hold, so far. Pure."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from services.intake.contradictions import GRACE
from services.intake.projections import kinds, paths
from services.intake.referrals import Unfit, check_moment, merge_patch
from services.intake.schemas import NewReferral
from services.intake.strict_json import Flaw, Rejected

Draft = dict[str, Any]

_OWN = ("received_at", "synthetic")
_HOPELESS = re.compile(r"extra_forbidden|(string_)?too_long|\w+_type")
"""Errors that no further typing mends; all others are of what is not typed yet."""


_FIELDS = frozenset(paths(NewReferral))


class Standing(StrEnum):
    """How a call stands."""

    OPEN = "open"
    ABANDONED = "abandoned"
    """Left alone, and told to a person. It may still be saved, finished or closed."""
    FINISHED = "finished"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Call:
    """A call without what was typed in it."""

    call_id: str
    owner: str
    version: int
    received_at: datetime
    recorded_at: datetime
    saved_at: datetime
    synthetic: bool
    abandoned_at: datetime | None
    finished_at: datetime | None
    referral_id: str | None
    closed_at: datetime | None

    @property
    def standing(self) -> Standing:
        if self.finished_at is not None:
            return Standing.FINISHED
        if self.closed_at is not None:
            return Standing.CLOSED
        return Standing.OPEN if self.abandoned_at is None else Standing.ABANDONED

    @property
    def over(self) -> bool:
        return self.standing in (Standing.FINISHED, Standing.CLOSED)

    @property
    def backdated(self) -> bool:
        """Whether it was written down later than it came in (C33)."""
        return self.received_at < self.recorded_at - GRACE


def partial(value: object) -> Draft:
    """What was typed so far, without nulls. Raises Rejected or Unfit.

    Something may be missing or half typed; what no referral may hold is refused at once, while
    the caller is on the line: an unknown field, another kind of value, a text that is too long.
    """
    if not isinstance(value, dict):
        raise Rejected(Flaw((), "must be a JSON object: what is known of the referral so far"))
    given: Draft = {name: item for name, item in _known(value).items() if item is not None}
    if flaws := [*_own_flaws(given), *_nested_flaws(given, (), "")]:
        raise Rejected(*flaws)
    try:
        NewReferral.model_validate_json(json.dumps(given))
    except ValidationError as error:
        _raise_hopeless(given, error)
    return given


def whole(draft: Draft, patch: object, call: Call, now: datetime) -> dict[str, object]:
    """The referral that a call becomes: the draft, with a last merge patch (RFC 7396) on it.

    The moment and the mark of a test are the call's. Raises Rejected or Unfit.
    """
    check_moment(call.received_at, now)
    merged = partial(merge_patch(draft, partial_patch(patch)))
    moment = call.received_at.isoformat()
    return merged | {"received_at": moment, "synthetic": call.synthetic}


def partial_patch(patch: object) -> object:
    if not isinstance(patch, dict):
        raise Rejected(Flaw((), "must be a JSON object: a merge patch of what was typed, or {}"))
    return patch


def fields(draft: Draft) -> list[str]:
    """The names of what it holds, by path and never by value: only those that the form has (P5)."""
    return sorted(_FIELDS.intersection(_paths(draft, "")))


def _own_flaws(given: Draft) -> Iterator[Flaw]:
    for name in _OWN:
        if name in given:
            yield Flaw((name,), "is the call's own: it was settled when the call was opened")


def _nested_flaws(value: Any, place: tuple[str | int, ...], path: str) -> Iterator[Flaw]:
    """An object or a list where the form has a single value: keys would pass for names of fields,
    and what is in it is nobody's date or code however much is typed yet."""
    if isinstance(value, dict | list) and path in _SINGLE:
        yield Flaw(place, "must be a single value")
    elif isinstance(value, dict) and path in _FIELDS:
        yield Flaw(place, "must be a single value, or a list of them")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _nested_flaws(item, (*place, name), f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nested_flaws(item, (*place, index), path)


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list or any(map(_is_list, get_args(kind)))


def _known(value: Any) -> Any:
    """Without nulls: what is null is not known yet."""
    if isinstance(value, dict):
        return {name: _known(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_known(item) for item in value]
    return value


def _raise_hopeless(given: Draft, error: ValidationError) -> None:
    hopeless: list[InitErrorDetails] = [
        InitErrorDetails(type=each["type"], loc=each["loc"], input=None, ctx=each.get("ctx", {}))
        for each in error.errors(include_url=False, include_input=False)
        if _HOPELESS.fullmatch(each["type"])
    ]
    if hopeless:
        raise Unfit(given, ValidationError.from_exception_data("Draft", hopeless)) from None


def _paths(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    else:
        yield path


_SINGLE = frozenset(path for path, kind in kinds(NewReferral) if not _is_list(kind))
