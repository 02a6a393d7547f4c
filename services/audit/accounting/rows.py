"""An accounting made of entries: one row for each disclosure, read or refusal. Pure.

CGS 4-193(c): every individual or agency that obtained access or disclosure, and the reason.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from services.audit.leaf import Kind
from shared.contracts.codes import Channel


class Evidence(Protocol):
    """An entry of the log."""

    @property
    def index(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def leaf(self) -> bytes: ...


class How(StrEnum):
    """The way in which it came to whoever got it."""

    WEBHOOK = "webhook"
    POINTER = "pointer"
    """Told that something waits, and nothing of a child."""
    MAILBOX = "mailbox"
    ORAL = "oral"
    EXPORT = "export"
    INTERNAL_READ = "internal_read"
    RECORD_READ = "record_read"
    """A read of this record itself."""


class Outcome(StrEnum):
    DISCLOSED = "disclosed"
    NOT_SENT = "not_sent"
    """Known from the connection: not one byte was written."""
    UNKNOWN = "unknown"
    """It may have arrived, and counts as disclosed."""
    REFUSED = "refused"
    """The law did not permit it, and nothing was sent."""


@dataclass(frozen=True, slots=True)
class Row:
    """Who got what of whom, when, by what right, how, and what is known of the outcome.

    Rules, law and directory are named by their versions as of the entry: what they say today is
    another matter. `indexes`: the entries that say so.
    """

    id: str
    how: How
    outcome: Outcome
    at: datetime
    indexes: tuple[int, ...]
    referral_id: str | None = None
    child_ids: tuple[str, ...] = ()
    agency_id: str | None = None
    role: str | None = None
    recipient_id: str | None = None
    actor: str | None = None
    actor_kind: str | None = None
    fields: tuple[str, ...] = ()
    authority: str | None = None
    purpose: str | None = None
    reason: str | None = None
    rule: str | None = None
    rules_version: str | None = None
    directory_version: int | None = None
    version: int | None = None
    http_status: int | None = None


_CHANNELS = {
    Channel.ENCRYPTED: How.WEBHOOK,
    Channel.PICKUP: How.POINTER,
    Channel.EMAIL: How.POINTER,
    Channel.MAILBOX: How.MAILBOX,
    Channel.ORAL: How.ORAL,
}
_OUTCOMES = {
    Kind.COMPLETED: Outcome.DISCLOSED,
    Kind.FAILED: Outcome.NOT_SENT,
    Kind.UNKNOWN: Outcome.UNKNOWN,
}
_STRENGTH = (Outcome.UNKNOWN, Outcome.NOT_SENT, Outcome.DISCLOSED)
"""What is known late outweighs what was not known; that it arrived outweighs everything."""


def account(entries: Iterable[Evidence]) -> list[Row]:
    """The rows that these entries make, in the order in which they began."""
    rows: dict[str, Row] = {}
    for entry in entries:
        content = json.loads(entry.leaf)
        kind = Kind(entry.kind)
        if kind in _OUTCOMES:
            _conclude(rows, content["record"], _OUTCOMES[kind], entry.index)
        elif (row := _begin(kind, content, entry.index)) is not None:
            rows.setdefault(row.id, row)
    return list(rows.values())


def _begin(kind: Kind, content: Mapping[str, Any], index: int) -> Row | None:
    """The row that an entry begins; None for what is no access: an outcome, a decision."""
    record = content["record"]
    if kind is Kind.ATTEMPTED:
        how, outcome = _CHANNELS[Channel(record["channel"])], Outcome.UNKNOWN
        row = _row(record["disclosure_id"], how, outcome, record["attempted_at"], content, index)
    elif kind is Kind.REFUSED:
        key, at = f"{record['notice_id']}/{index}", record["refused_at"]
        row = _row(key, How.WEBHOOK, Outcome.REFUSED, at, content, index)
    elif kind is Kind.VIEWED:
        at = record["viewed_at"]
        key = record["disclosure_id"]
        row = _row(key, How.INTERNAL_READ, Outcome.DISCLOSED, at, content, index)
    elif kind is Kind.TOLD:
        key, at = record["disclosure_id"], record["occurred_at"]
        row = _row(key, How.ORAL, Outcome.DISCLOSED, at, content, index)
    elif kind is Kind.EXPORTED:
        key, at = record["disclosure_id"], record["exported_at"]
        row = _row(key, How.EXPORT, Outcome.DISCLOSED, at, content, index)
    elif kind is Kind.AUDIT_READ:
        key, at = content["event"]["id"], content["event"]["time"]
        row = _row(key, How.RECORD_READ, Outcome.DISCLOSED, at, content, index)
    else:
        return None
    return row


def _row(
    key: str, how: How, outcome: Outcome, at: str, content: Mapping[str, Any], index: int
) -> Row:
    record = content["record"]
    children = record.get("child_ids") or filter(None, [record.get("child_id")])
    names = ("agency_id", "role", "recipient_id", "actor", "actor_kind", "authority", "purpose")
    more = ("reason", "rule", "rules_version", "directory_version", "version")
    return Row(
        id=key,
        how=how,
        outcome=outcome,
        at=datetime.fromisoformat(at),
        indexes=(index,),
        referral_id=content.get("referral_id"),
        child_ids=tuple(children),
        fields=tuple(record.get("fields", ())),
        **{name: record.get(name) for name in (*names, *more)},
    )


def _conclude(
    rows: dict[str, Row], record: Mapping[str, Any], outcome: Outcome, index: int
) -> None:
    """An outcome without its attempt is left out: the attempt is always an entry before it."""
    row = rows.get(record["disclosure_id"])
    if row is None:
        return
    stronger = len(row.indexes) == 1 or _STRENGTH.index(outcome) > _STRENGTH.index(row.outcome)
    rows[row.id] = replace(
        row,
        indexes=(*row.indexes, index),
        outcome=outcome if stronger else row.outcome,
        http_status=record.get("http_status") or row.http_status,
    )
