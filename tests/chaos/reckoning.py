"""After the storm: count by id what was lost, unrecorded or out of order."""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.agencies import Arrival
from tests.chaos.caller import Accepted

REQUIRED_ROLES = frozenset(
    {"local_law_enforcement", "hart_lead_statewide", "fbi", "chief_states_attorney", "mdt"}
)


def lost(accepted: Iterable[Accepted], arrivals: Iterable[Arrival]) -> list[str]:
    """Accepted referrals of which some required role has not the latest version."""
    latest: dict[str, set[str]] = defaultdict(set)
    versions = {each.number: each.version for each in accepted}
    for arrival in arrivals:
        answered = arrival.mood in ("fine", "lie")
        if answered and arrival.version == versions.get(arrival.referral_number):
            latest[arrival.referral_number].add(arrival.role)
    return [
        f"{number} v{version}: {', '.join(sorted(REQUIRED_ROLES - latest[number]))}"
        for number, version in versions.items()
        if not latest[number] >= REQUIRED_ROLES
    ]


def out_of_order(arrivals: Iterable[Arrival]) -> list[str]:
    """Arrivals of a version after a later one at the same recipient (P8)."""
    highest: dict[tuple[str, str, str], int] = {}
    wrong = []
    for arrival in sorted(arrivals, key=lambda each: each.at):
        about = (arrival.agency_id, arrival.referral_number, arrival.child_id)
        if arrival.version < highest.get(about, 0):
            wrong.append(f"{arrival.notice_id} v{arrival.version}")
        highest[about] = max(arrival.version, highest.get(about, 0))
    return wrong


def leaves(export: Path) -> list[dict[str, Any]]:
    """What an export of the audit log records, in order, each with its kind."""
    with (export / "entries.ndjson").open() as lines:
        found = [json.loads(base64.b64decode(json.loads(line)["leaf"])) for line in lines]
    return [{"kind": leaf["kind"], **leaf.get("record", {})} for leaf in found]


def unrecorded(arrivals: Sequence[Arrival], log: Sequence[dict[str, Any]]) -> list[str]:
    """Notices that arrived more often than the log says they were attempted (P2)."""
    attempts = Counter(leaf["notice_id"] for leaf in log if leaf["kind"] == "attempted")
    arrived = Counter(arrival.notice_id for arrival in arrivals)
    return [notice for notice, times in arrived.items() if times > attempts[notice]]


def false_not_sent(arrivals: Sequence[Arrival], log: Sequence[dict[str, Any]]) -> list[str]:
    """Notices whose arrivals outnumber the attempts that may have been sent: a lie in the log."""
    attempts = Counter(leaf["notice_id"] for leaf in log if leaf["kind"] == "attempted")
    attempts.subtract(leaf["notice_id"] for leaf in log if leaf["kind"] == "failed")
    arrived = Counter(arrival.notice_id for arrival in arrivals)
    return [notice for notice, times in arrived.items() if times > attempts[notice]]


def unfinished(log: Sequence[dict[str, Any]]) -> list[str]:
    """Attempts of which the log knows no outcome, though all is quiet."""
    ended = {
        leaf["disclosure_id"] for leaf in log if leaf["kind"] in ("completed", "failed", "unknown")
    }
    return [
        leaf["disclosure_id"]
        for leaf in log
        if leaf["kind"] == "attempted" and leaf["disclosure_id"] not in ended
    ]
