"""Notify's planning for tests: a directory of example agencies and an intake that is a dict."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping, Table, select, text

from services.notify.consumer import PlanReferral
from services.notify.delivery.commitment import Committer
from services.notify.directory.in_force import Directories
from services.notify.directory.seeding import seed_samples
from services.notify.models import OUTBOX
from services.notify.planning.drafting import Clerk
from services.notify.planning.intake_client import Projection
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.contracts.base import Event, EventData, Source
from shared.contracts.codes import HtType, Trigger
from shared.contracts.referrals import ReferralAmended, ReferralChild, ReferralReceived
from shared.contracts.registry import parse_data
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.errors import Permanent
from shared.runtime.ids import new_event_id, new_id
from shared.runtime.sealing import Keyring, Sealer
from tests.support.routing import RULES

RECEIVED = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 3, 14, 0, 5, tzinfo=UTC)
SEALER = Sealer(Keyring({1: bytes(range(32))}))
CLERK = Clerk(SEALER, Committer(bytes(32)))
JWK = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
"""The public key of RFC 7517, appendix A.1."""

_PROFILES = {
    "municipal_police": "law_enforcement",
    "state_police": "law_enforcement",
    "fbi": "law_enforcement",
    "chief_states_attorney": "prosecution",
    "hart_lead_statewide": "hart",
    "hart_director": "hart",
    "mdt_member": "mdt",
    "ncmec": "ncmec",
    "regional_office": "child_protection",
    "siu": "child_protection",
    "interstate_compact": "interstate",
}


def agency(number: int, kind: str, **fields: Any) -> dict[str, Any]:
    """An entry of a sample file; `fields` replace what it says."""
    agency_id = f"agy_{number:032x}"
    return {
        "agency_id": agency_id,
        "kind": kind,
        "name": f"Example Agency {number}",
        "profile": _PROFILES[kind],
        "authority": "CGS 17a-28",
        "authority_from": "2020-01-01",
        "endpoint": f"http://127.0.0.1:9009/{agency_id}",
        "encryption_key": JWK,
        "allowed_networks": ["127.0.0.0/8"],
    } | fields


POLICE, STATE, FBI, CSA, LEAD, MDT, DIRECTOR, OTHER_POLICE = (f"agy_{n:032x}" for n in range(8))


def agencies(**changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole route of Ansonia, and the police of Derby. `changes` by kind."""
    towns = {"towns": ["Ansonia"]}
    district = {"judicial_districts": ["Ansonia-Milford"]}
    entries = [
        agency(0, "municipal_police", **towns),
        agency(1, "state_police"),
        agency(2, "fbi"),
        agency(3, "chief_states_attorney"),
        agency(4, "hart_lead_statewide"),
        agency(5, "mdt_member", **district),
        agency(6, "hart_director"),
    ]
    changed = [entry | changes.get(entry["kind"], {}) for entry in entries]
    return [*changed, agency(7, "municipal_police", towns=["Derby"])]


async def seed(db: Database, entries: Sequence[dict[str, Any]], folder: Path) -> int:
    """Load a sample directory; its version afterwards."""
    file = folder / "agencies.json"
    file.write_text(json.dumps(entries))
    _, version = await seed_samples(db, file)
    return version


@dataclass
class FakeIntake:
    """Answers what it was given, by (referral, version); counts how often it was asked."""

    versions: dict[tuple[str, int], Projection] = field(default_factory=dict)
    asked: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)

    async def project(self, referral_id: str, version: int, profiles: Sequence[str]) -> Projection:
        self.asked.append((referral_id, version, tuple(profiles)))
        found = self.versions.get((referral_id, version))
        if found is None:
            raise Permanent("intake answered 404")
        return found


@dataclass(frozen=True)
class Child:
    """A child of a referral under test."""

    child_id: str = field(default_factory=lambda: new_id("chd"))
    name: str = "Test Child One"
    towns: tuple[str, ...] = ("Ansonia",)
    home: str | None = None
    ht_type: HtType = HtType.SEX
    facts: dict[str, object] = field(default_factory=dict)
    """Further facts, as intake sends them."""


@dataclass
class Planning:
    """One referral at a time, through the real handler and database."""

    db: Database
    intake: FakeIntake = field(default_factory=FakeIntake)
    directories: Directories = field(default_factory=lambda: Directories(samples=True))
    now: datetime = NOW
    clerk: Clerk = field(default_factory=lambda: CLERK)
    rulebooks: Rulebooks = field(default_factory=lambda: Rulebooks(RULES))

    @property
    def handler(self) -> PlanReferral:
        outbox = Outbox(OUTBOX, Source.NOTIFY)
        return PlanReferral(
            self.intake,
            self.rulebooks,
            self.directories,
            self.clerk,
            outbox,
            lambda: self.now,
        )

    def announce(
        self,
        *children: Child,
        referral_id: str | None = None,
        version: int = 1,
        trigger: Trigger = Trigger.CARELINE,
        synthetic: bool = False,
    ) -> ReferralReceived | ReferralAmended:
        """Let intake hold this version, and return the event that tells of it."""
        children = children or (Child(),)
        model = ReferralReceived if version == 1 else ReferralAmended
        data = model(
            referral_id=referral_id or new_id("ref"),
            version=version,
            trigger=trigger,
            received_at=RECEIVED,
            recorded_at=RECEIVED,
            children=tuple(ReferralChild(child_id=c.child_id, ht_type=c.ht_type) for c in children),
            synthetic=synthetic,
        )
        self.intake.versions[data.referral_id, version] = _projection(data, children)
        return data

    async def plan(self, data: ReferralReceived | ReferralAmended) -> None:
        """Prepare and apply, as the worker does."""
        event = envelope(data)
        material = await self.handler.prepare(event, data)
        async with self.db.transaction() as session:
            await self.handler.apply(session, event, data, material)

    async def rows(self, table: Table) -> list[RowMapping]:
        async with self.db.transaction() as session:
            found = await session.execute(select(table).order_by(*table.primary_key.columns))
            return list(found.mappings())

    async def emitted(self) -> list[EventData]:
        """Everything in the outbox, in the order written."""
        parsed = []
        for row in await self.rows(OUTBOX.outbox):
            data = parse_data(Event.model_validate_json(row["body"]))
            assert data is not None
            parsed.append(data)
        return parsed

    async def set_state(self, agency_id: str, state: str, *outcomes: str | None) -> None:
        """Bring an agency's latest delivery where delivery would: an attempt per outcome."""
        async with self.db.transaction() as session:
            notice_id = await session.scalar(
                text(
                    "SELECT notice_id FROM notify.deliveries WHERE agency_id = :agency_id "
                    "ORDER BY version DESC LIMIT 1"
                ),
                {"agency_id": agency_id},
            )
            for outcome in outcomes:
                disclosure = {"id": new_id("dsc"), "notice_id": notice_id, "now": self.now}
                await session.execute(
                    text(
                        "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, "
                        "attempted_at) VALUES (:id, :notice_id, :agency_id, :now)"
                    ),
                    disclosure | {"agency_id": agency_id},
                )
                if outcome is not None:
                    await session.execute(
                        text(
                            "INSERT INTO notify.disclosure_outcomes (disclosure_id, outcome, "
                            "occurred_at) VALUES (:id, :outcome, :now)"
                        ),
                        disclosure | {"outcome": outcome},
                    )
            await session.execute(
                text(
                    "UPDATE notify.deliveries SET state = :state, attempts = :attempts, "
                    "next_attempt_at = CASE WHEN :state = 'pending' THEN next_attempt_at END "
                    "WHERE notice_id = :notice_id"
                ),
                {"state": state, "attempts": len(outcomes), "notice_id": notice_id},
            )


def envelope(data: EventData, sequence: int = 1) -> Event:
    return Event(
        id=new_event_id(),
        source=Source.INTAKE,
        type=data.type,
        subject=data.subject,
        time=RECEIVED,
        sequence=sequence,
        data=data.model_dump(mode="json"),
    )


def _projection(data: ReferralReceived | ReferralAmended, children: Sequence[Child]) -> Projection:
    def copies(child: Child) -> dict[str, object]:
        return {
            profile: {"name": child.name, "parents": [{"name": f"for {profile}"}]}
            for profile in ("law_enforcement", "prosecution", "hart", "mdt", "ncmec")
        }

    return Projection.model_validate(
        {
            "referral_id": data.referral_id,
            "number": "HL-TEST-0001",
            "version": data.version,
            "trigger": data.trigger,
            "received_at": data.received_at,
            "synthetic": data.synthetic,
            "children": [
                {
                    "child_id": child.child_id,
                    "facts": {
                        "ht_type": child.ht_type,
                        "residence_town": child.home,
                        "incident_towns": child.towns,
                        **child.facts,
                    },
                    "copies": copies(child),
                }
                for child in children
            ],
        }
    )
