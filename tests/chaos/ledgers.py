"""What each who writes things down has written: notify, intake, deadlines, the audit log."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

Leg = tuple[str, str]
"""(child id, role)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of notify.disclosures: committed before anything leaves (P2). `kind`: its notice's."""

    disclosure_id: str
    notice_id: str
    agency_id: str
    at: float
    referral_id: str
    child_id: str
    kind: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row of notify.disclosure_outcomes. `kind`: completed, failed or unknown."""

    disclosure_id: str
    kind: str
    status: int | None
    at: float


@dataclass(frozen=True, slots=True)
class Announcement:
    """A breach, or the correction of one, as deadlines emitted it."""

    event_id: str
    corrects: bool
    clock_id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Ledgers:
    """`told`: when the last agency of a leg first answered 2xx, as notify has it. `heard`: the
    ids of deadlines' events in notify's inbox, with repetitions if there are any."""

    attempts: Sequence[Attempt]
    outcomes: Sequence[Outcome]
    views: Sequence[str]
    told: Mapping[Leg, datetime]
    announcements: Sequence[Announcement]
    heard: Sequence[str]


async def read(superuser_dsn: str) -> Ledgers:
    """From the services' own tables."""
    database = await asyncpg.connect(superuser_dsn)
    try:
        attempts = await database.fetch(
            "SELECT disclosure_id, notice_id, agency_id, "
            "CAST(extract(epoch FROM attempted_at) AS float8), referral_id, child_id, kind "
            "FROM notify.disclosures "
            "JOIN (SELECT notice_id, referral_id, child_id, kind FROM notify.notices) AS n "
            "USING (notice_id)"
        )
        outcomes = await database.fetch(
            "SELECT disclosure_id, outcome, http_status, "
            "CAST(extract(epoch FROM occurred_at) AS float8) FROM notify.disclosure_outcomes"
        )
        told = await database.fetch(
            "SELECT child_id, role, max(first) FROM (SELECT n.child_id, n.role, n.agency_id, "
            "min(o.occurred_at) AS first FROM notify.disclosure_outcomes o "
            "JOIN notify.disclosures USING (disclosure_id) JOIN notify.notices n USING (notice_id) "
            "WHERE o.http_status BETWEEN 200 AND 299 GROUP BY 1, 2, 3) AS f GROUP BY 1, 2"
        )
        views = await database.fetch("SELECT disclosure_id FROM intake.views")
        emitted = await database.fetch("SELECT event_id, body FROM deadlines.outbox")
        heard = await database.fetch(
            "SELECT i.event_id FROM notify.inbox i "
            "JOIN notify.inbox_streams s USING (topic, source, subject) "
            "WHERE i.topic = 'deadlines' AND i.sequence <= s.cursor"
        )
    finally:
        await database.close()
    return Ledgers(
        [Attempt(*row) for row in attempts],
        [Outcome(*row) for row in outcomes],
        [row[0] for row in views],
        {(child_id, role): at for child_id, role, at in told},
        [_announcement(*each) for each in _announced(emitted)],
        [row[0] for row in heard],
    )


def leaves(export: Path) -> list[dict[str, Any]]:
    """What an export of the audit log records, in order, each with its kind."""
    with (export / "entries.ndjson").open() as lines:
        found = [json.loads(base64.b64decode(json.loads(line)["leaf"])) for line in lines]
    return [{"kind": leaf["kind"], **leaf.get("record", {})} for leaf in found]


def _announced(emitted: Iterable[Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Breaches and corrections. A warning is neither."""
    for event_id, body in emitted:
        event = json.loads(body)
        if event["type"] != "hartline.deadline.approaching.v1":
            yield event_id, event


def _announcement(event_id: str, event: dict[str, Any]) -> Announcement:
    data = event["data"]
    corrects = event["type"] == "hartline.deadline.breach_corrected.v1"
    due_at = datetime.fromisoformat(data["due_at"])
    return Announcement(event_id, corrects, data["clock_id"], due_at)
