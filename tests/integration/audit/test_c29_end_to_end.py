"""C29 through intake, notify and audit, each on its own schema of one real PostgreSQL.

Sealed, erased or vacated record, adoption, name change: the content is destroyed, the accounting of
it stays, and the log still verifies with the offline verifier.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.audit.accounting.neighbours import HttpNames, HttpPeople
from services.audit.consumer import HANDLERS
from services.audit.evidence import examine
from services.audit.export import export
from services.audit.retention.ordering import order_once
from services.audit.sealer import Sealer
from services.audit.wiring import area_routes
from services.notify.directory.names_api import names_router
from services.notify.models import OUTBOX as NOTIFY_OUTBOX
from services.notify.planning.intake_client import HttpIntake
from services.notify.shredding import Shred
from shared.contracts.base import Event, Source
from shared.contracts.referrals import ReferralReceived
from shared.contracts.registry import parse_data
from shared.contracts.shredding import ShredOrdered
from shared.messaging.outbox import Outbox
from shared.runtime.auth import TokenVerifier
from shared.runtime.db import Database
from shared.runtime.http import create_app
from shared.runtime.internal_http import InternalClient
from shared.runtime.sealing import Keyring, Unsealable, WrappedKey
from shared.runtime.sealing import Sealer as Seals
from tests.integration.audit.conftest import ISSUER
from tests.support.audit import signer
from tests.support.databases import FreshDatabase
from tests.support.exchange import InProcess
from tests.support.intake import Keys, app_on, desk_on, post, referral
from tests.support.planning import SEALER, Planning, agencies, seed

OFFICER = (
    "accounting:read",
    "retention:read",
    "retention:ask",
    "retention:approve",
)
INTERNAL = ("internal:subjects", "internal:shred", "internal:projections", "internal:agency-names")


@dataclass
class Whole:
    """Three services, and the events between them carried by hand, in order."""

    keys: Keys
    intake: Database
    notify: Database
    audit: Database
    sealer: Sealer
    phone: httpx.AsyncClient
    desk: httpx.AsyncClient
    people: HttpPeople
    planning: Planning
    done: set[str] = field(default_factory=set)

    async def carry(self) -> None:
        """Everything that waits in the outboxes, to whoever consumes it; then sign."""
        for source, db in ((Source.INTAKE, self.intake), (Source.NOTIFY, self.notify)):
            schema = source.value.rpartition("/")[2]
            async with db.transaction() as session:
                bodies = await session.scalars(
                    text(f"SELECT body FROM {schema}.outbox ORDER BY id")
                )
            for body in bodies:
                event = Event.model_validate_json(body)
                if event.id not in self.done:
                    self.done.add(event.id)
                    await self._hand(event)
        await self.sealer.drain()

    async def _hand(self, event: Event) -> None:
        data = parse_data(event)
        if isinstance(data, ReferralReceived):
            await self.planning.plan(data)
        elif isinstance(data, ShredOrdered):
            handler = Shred(Outbox(NOTIFY_OUTBOX, Source.NOTIFY))
            async with self.notify.transaction() as session:
                await handler.apply(session, event, data, None)
        elif data is not None and type(data) in HANDLERS:
            taken = HANDLERS[type(data)]
            material = await taken.prepare(event, data)
            async with self.audit.transaction() as session:
                await taken.apply(session, event, data, material)

    def by(self, person: str) -> dict[str, str]:
        return self.keys.bearer(person, OFFICER, person=True)

    async def ask(self, method: str, path: str, by: str = "officer-1", body: Any = None) -> Any:
        answer = await self.desk.request(method, path, json=body, headers=self.by(by))
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


@pytest.fixture
async def whole(database: FreshDatabase, sealer: Sealer, tmp_path: Path) -> AsyncIterator[Whole]:
    keys = Keys.make(tmp_path / "keys")
    intake, notify, audit = (database.open(each) for each in ("intake", "notify", "audit"))
    await seed(notify, agencies(), tmp_path)
    verifier = TokenVerifier(keys.jwks, ISSUER)
    intake_app = app_on(desk_on(intake, keys), keys)
    notify_app, audit_app = create_app("notify", verifier), create_app("audit", verifier)
    notify_app.include_router(names_router(notify))

    def token() -> str:
        return keys.bearer("audit", INTERNAL)["Authorization"].removeprefix("Bearer ")

    to_intake = httpx.ASGITransport(intake_app)
    intake_client, notify_client = (
        InternalClient(name, "http://test", token, exchange=InProcess(transport))
        for name, transport in (
            ("intake", to_intake),
            ("notify", httpx.ASGITransport(notify_app)),
        )
    )
    people = HttpPeople(intake_client)
    for router in area_routes(audit, people, HttpNames(notify_client), 5):
        audit_app.include_router(router)
    planning = Planning(notify, HttpIntake(intake_client), now=datetime.now(UTC))  # type: ignore[arg-type]
    async with (
        httpx.AsyncClient(
            transport=to_intake, base_url="http://intake.test", headers=keys.bearer()
        ) as phone,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(audit_app), base_url="http://audit.test"
        ) as desk,
    ):
        yield Whole(keys, intake, notify, audit, sealer, phone, desk, people, planning)
    await intake_client.close()
    await notify_client.close()


async def test_c29_content_is_unreadable_everywhere_the_accounting_stays_and_the_log_verifies(
    whole: Whole, tmp_path: Path
) -> None:
    kept = (await post(whole.phone, referral())).json()
    child, ref = kept["children"][0]["child_id"], kept["referral_id"]
    for _ in range(2):
        await whole.carry()
    before = await whole.ask("GET", f"/v1/accounting/{child}?purpose=compliance_review")
    assert [(row["how"], row["actor"]) for row in before["rows"]] == [("internal_read", "audit")]
    assert await opens(whole, child)

    path = f"/v1/children/{child}/shreddings"
    body = {"ground": "adoption", "citation": "CGS 45a-743"}
    order = (await whole.ask("POST", path, body=body))["shredding_id"]
    await whole.ask("POST", f"/v1/shreddings/{order}/approval", by="officer-2")
    assert await order_once(whole.audit, whole.people) == 1
    for _ in range(2):
        await whole.carry()

    done = await whole.ask("GET", f"/v1/shreddings/{order}")
    assert set(done["confirmed"]) == {"/hartline/intake", "/hartline/notify"}
    assert done["completed_at"] is not None
    assert not await opens(whole, child)
    gone = await whole.phone.post(
        f"/internal/v1/referrals/{ref}/versions/1/projections",
        json={"profiles": ["law_enforcement"], "purpose": "test", "authority": "CGS 17a-28"},
    )
    assert gone.status_code == 410

    after = await whole.ask("GET", f"/v1/accounting/{child}?purpose=compliance_review&proofs=true")
    assert after["content_destroyed"] == [child]
    assert before["rows"][0] in after["rows"]
    assert len(after["proofs"]) >= 1
    async with whole.notify.transaction() as session:
        states = await session.scalars(text("SELECT DISTINCT state FROM notify.deliveries"))
        filed = await session.scalar(
            text("SELECT count(*) FROM notify.tasks WHERE kind = 'content_shredded'")
        )
        count = await session.scalar(text("SELECT count(*) FROM notify.deliveries"))
    assert (list(states), filed) == (["closed"], count)

    await whole.sealer.drain()
    await export(whole.audit, tmp_path / "export", [signer(1).public])
    report = examine(tmp_path / "export", keys=[signer(1).public])
    assert (report.sentences, report.first_bad) == ((), None)
    exported = (tmp_path / "export" / "entries.ndjson").read_text()
    assert "Test Child" not in exported
    assert report.entries >= 6


async def opens(whole: Whole, child: str) -> bool:
    """Whether the KEKs, as they are and were, open any row of this child in any table."""
    intake_seals = Seals(Keyring.load(whole.keys.directory))
    found = []
    for db, seals, query, place in (
        (
            whole.intake,
            intake_seals,
            "SELECT k.wrapped, d.sealed, k.kek_version, d.version, '' AS profile "
            "FROM intake.child_keys k JOIN intake.documents d USING (child_id)",
            ("intake.documents", "{child}/{version}"),
        ),
        (
            whole.notify,
            SEALER,
            "SELECT k.wrapped, c.sealed, k.kek_version, c.version, c.profile "
            "FROM notify.child_keys k JOIN notify.copies c USING (child_id)",
            ("copies", "{child}/{version}/{profile}"),
        ),
    ):
        async with db.transaction() as session:
            rows = (await session.execute(text(query))).all()
        assert rows, "the sealed rows stay: it is their key that is gone"
        for row in rows:
            table, where = place
            where = where.format(child=child, version=row.version, profile=row.profile)
            found.append(_opens(seals, row, table, where))
    assert len(set(found)) == 1, "all of it, or none"
    return found[0]


def _opens(seals: Seals, row: Any, table: str, where: str) -> bool:
    for kek_version in (row.kek_version, 1):
        try:
            key = WrappedKey(kek_version, bytes(row.wrapped))
            return bool(json.loads(seals.open(key, table, where, bytes(row.sealed))))
        except Unsealable:
            continue
    return False
