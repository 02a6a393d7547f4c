"""Leaves: the exact bytes that the log holds of each disclosure.

A leaf is one JSON object in canonical form (RFC 8785: keys sorted, no white space, UTF-8). It
holds references, field names, authority, purpose, a keyed commitment to the content, and a salt of
128 random bits, so that nobody can guess a leaf from its hash. It never holds personal data: what
is copied into it is listed in `fields`, and what is not listed is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.audit.canonical import canonical
from services.audit.fields import FIELDS
from services.audit.traces import traces_of
from shared.contracts.base import Event, EventData, Part, ReferralData, Source
from shared.contracts.disclosures import (
    CallViewed,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    RecordViewed,
    ReferralViewed,
    StatisticsExported,
    ToldOrally,
)
from shared.contracts.shredding import ContentShredded

LEAF_VERSION = 1
SALT_BYTES = 16
NewSalt = Callable[[], bytes]


class Kind(StrEnum):
    """What an entry records."""

    ATTEMPTED = "attempted"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    VIEWED = "viewed"
    TOLD = "told"
    EXPORTED = "exported"
    AUDIT_READ = "audit_read"
    SHREDDED = "shredded"
    DECIDED = "decided"
    """A person decided something here: to withhold, to lift, to hold, to destroy."""
    CONTINUED = "continued"


class Asked(StrEnum):
    """What of the audit somebody read."""

    ENTRY = "entry"
    PROOF = "proof"
    DISCLOSURE = "disclosure"
    EXPORT = "export"
    ACCOUNTING = "accounting"
    LETTER = "letter"
    SEARCH = "search"
    DUE = "due"
    WITHHOLDINGS = "withholdings"
    HOLDS = "holds"
    SHREDDINGS = "shreddings"
    EVIDENCE = "evidence"


class Decided(StrEnum):
    """What a person decided at the audit service."""

    WITHHELD = "withheld"
    LIFT_ASKED = "lift_asked"
    LIFTED = "lifted"
    SHREDDING_ASKED = "shredding_asked"
    SHREDDING_APPROVED = "shredding_approved"
    SHREDDING_REFUSED = "shredding_refused"
    HELD = "held"
    RELEASE_ASKED = "release_asked"
    RELEASED = "released"


@dataclass(frozen=True)
class Submission:
    """A leaf on its way into the log. (`event_id`, `position`) is taken into it once."""

    event_id: str
    position: int
    kind: Kind
    disclosure_id: str | None
    leaf: bytes
    traces: tuple[int, ...] = ()
    """What the entry will be found by."""


def submissions(event: Event, data: EventData, new_salt: NewSalt) -> list[Submission]:
    """One submission for each attempt, outcome, refusal or view that an event carries."""
    kind, parts = _parts(data)
    context = {
        **_about(data),
        "event": {
            "id": event.id,
            "sequence": event.sequence,
            "source": event.source.value,
            "time": _instant(event.time),
        },
    }
    return [
        _submission(event.id, position, kind, context, _record(part), new_salt())
        for position, part in enumerate(parts)
    ]


def read_submission(
    event_id: str,
    actor: str,
    person: bool,
    asked: Asked,
    about: str,
    now: datetime,
    salt: bytes,
    more: Mapping[str, Any] | None = None,
) -> Submission:
    """A read of the audit itself. `about` is an index, an id or a tree size; `more` holds codes
    and ids, never what somebody typed."""
    record = {
        "actor": actor,
        "actor_kind": "person" if person else "service",
        "asked": asked.value,
        "about": about,
        **(more or {}),
    }
    return _submission(event_id, 0, Kind.AUDIT_READ, _own(event_id, now), record, salt)


def decision_submission(
    event_id: str,
    actor: str,
    decided: Decided,
    about: str,
    child_id: str,
    now: datetime,
    salt: bytes,
) -> Submission:
    """What a person decided here. Why is in the service's tables: it may betray somebody (P5)."""
    record = {"actor": actor, "decided": decided.value, "about": about, "child_id": child_id}
    return _submission(event_id, 0, Kind.DECIDED, _own(event_id, now), record, salt)


def _own(event_id: str, now: datetime) -> dict[str, Any]:
    return {"event": {"id": event_id, "source": Source.AUDIT.value, "time": _instant(now)}}


def continued_submission(
    event_id: str, record: Mapping[str, Any], now: datetime, salt: bytes
) -> Submission:
    """The log goes on under a new origin: `record` commits to the last checkpoint of the old."""
    return _submission(event_id, 0, Kind.CONTINUED, _own(event_id, now), record, salt)


def _about(data: EventData) -> dict[str, str]:
    """The referral, or the call that became none. A record of neither names itself."""
    match data:
        case ReferralData():
            return {"referral_id": data.referral_id}
        case CallViewed():
            return {"call_id": data.call_id}
        case _:
            return {}


def _parts(data: EventData) -> tuple[Kind, Sequence[Part]]:
    match data:
        case DisclosuresAttempted():
            return Kind.ATTEMPTED, data.attempts
        case DisclosuresCompleted():
            return Kind.COMPLETED, data.outcomes
        case DisclosuresFailed():
            return Kind.FAILED, data.outcomes
        case DisclosuresUnknown():
            return Kind.UNKNOWN, data.outcomes
        case DisclosuresRefused():
            return Kind.REFUSED, data.refused
        case ReferralViewed() | CallViewed() | RecordViewed():
            return Kind.VIEWED, (data,)
        case ToldOrally():
            return Kind.TOLD, (data,)
        case StatisticsExported():
            return Kind.EXPORTED, (data,)
        case ContentShredded():
            return Kind.SHREDDED, (data,)
        case _:
            raise ValueError(f"{data.type} is not a disclosure")


def _record(part: Part) -> dict[str, Any]:
    return part.model_dump(mode="json", include=set(FIELDS[type(part)]))


def _submission(
    event_id: str,
    position: int,
    kind: Kind,
    context: Mapping[str, Any],
    record: Mapping[str, Any],
    salt: bytes,
) -> Submission:
    if len(salt) != SALT_BYTES:
        raise ValueError("a salt has 128 bits")
    content = {
        **context,
        "v": LEAF_VERSION,
        "kind": kind.value,
        "position": position,
        "record": record,
        "salt": salt.hex(),
    }
    leaf = canonical(content)
    # An audit read names what was read, but is no entry of that disclosure's own story.
    disclosure_id = record.get("disclosure_id")
    return Submission(event_id, position, kind, disclosure_id, leaf, traces_of(content))


def _instant(value: datetime) -> str:
    """As pydantic writes an instant in UTC."""
    return value.isoformat().replace("+00:00", "Z")
