"""Notify's mailbox and telephone over a real database, asked as whoever the test wants to be."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from services.notify.api import router
from services.notify.conflicts.api import conflict_router
from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.signing import Signer
from services.notify.mailbox.answering import Answers
from services.notify.mailbox.api import Mailboxes, mailbox_router
from services.notify.mailbox.opening import Desk
from services.notify.models import OUTBOX
from services.notify.oral.api import oral_router
from services.notify.oral.deciding_api import deciding_router
from services.notify.oral.entering import Office
from services.notify.recalls.api import recall_router
from services.notify.recalls.recalling import Recalling
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.contracts.base import EventData, Source
from shared.messaging.outbox import Outbox
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.http import create_app
from shared.runtime.ids import new_id, utc_now
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import CLERK, SEALER, Child, Planning
from tests.support.routing import RULES

ISSUER = "https://issuer.test"
EVERYTHING = "mailbox:list mailbox:open mailbox:acknowledge mailbox:secret"
OPEN = {"purpose": "investigation"}
RECEIVED = {"received_by": "Synthetic Sergeant", "disposition": "received"}


@dataclass
class Post:
    """A referral's notices and the mailboxes they lie in."""

    planning: Planning
    client: httpx.AsyncClient
    token: Callable[..., str]
    api: Any
    office: Office

    async def referral(self, *children: Child, **fields: Any) -> Any:
        """One version of a referral, planned now."""
        self.planning.now = utc_now()
        data = self.planning.announce(*children, **fields)
        await self.planning.plan(data)
        return data

    async def notice(self, agency_id: str, referral_id: str, version: int = 1) -> str:
        found = await self.rows(
            "SELECT notice_id FROM notify.notices WHERE agency_id = :agency_id "
            "AND referral_id = :referral_id AND version = :version",
            agency_id=agency_id,
            referral_id=referral_id,
            version=version,
        )
        return str(found[0].notice_id)

    async def ask(
        self,
        method: str,
        path: str,
        agency: str | None,
        body: object = None,
        *,
        scopes: str = EVERYTHING,
        person: bool = True,
        subject: str = "officer-a",
        **headers: str,
    ) -> httpx.Response:
        claims = {"person": person} | ({"agency": agency} if agency else {})
        headers["Authorization"] = f"Bearer {self.token(subject, scopes.split(), **claims)}"
        if body is None:
            return await self.client.request(method, path, headers=headers)
        return await self.client.request(method, path, headers=headers, json=body)

    async def listed(self, agency: str, query: str = "") -> Any:
        answer = await self.ask("GET", f"/v1/mailbox/notices{query}", agency)
        assert answer.status_code == 200
        return answer.json()

    async def open(self, notice_id: str, agency: str, **more: Any) -> httpx.Response:
        path = f"/v1/mailbox/notices/{notice_id}/opening"
        return await self.ask("POST", path, agency, OPEN, **more)

    async def acknowledge(
        self, notice_id: str, agency: str, body: object = RECEIVED, **more: Any
    ) -> httpx.Response:
        path = f"/v1/mailbox/notices/{notice_id}/acknowledgements"
        return await self.ask("POST", path, agency, body, **more)

    async def give_back(self, notice_id: str, agency: str, **more: Any) -> httpx.Response:
        path = f"/v1/mailbox/notices/{notice_id}/not-ours"
        return await self.ask("POST", path, agency, {"reason": "wrong_town"}, **more)

    async def history(self, notice_id: str, agency: str) -> httpx.Response:
        return await self.ask("GET", f"/v1/mailbox/notices/{notice_id}/history", agency)

    async def tell(
        self, notice_id: str, told_at: datetime | None = None, **more: Any
    ) -> httpx.Response:
        """By staff, by telephone."""
        body = {
            "told_at": (told_at or utc_now()).isoformat(),
            "told_to": "Synthetic Dispatcher",
            "warning_read": True,
        }
        body |= more.pop("body", {})
        path, agency = f"/v1/notices/{notice_id}/told-orally", more.pop("agency", None)
        return await self.ask("POST", path, agency, body, **{"scopes": "notices:tell"} | more)

    async def take_back(self, notice_id: str, act: str = "recall") -> httpx.Response:
        """By staff: it was misdirected, or is closed."""
        reason = "wrong_town" if act == "recall" else "other"
        path, scopes = f"/v1/notices/{notice_id}/{act}", f"notices:{act}"
        return await self.ask("POST", path, None, {"reason": reason}, scopes=scopes)

    async def pointed(self, notice_id: str, agency_id: str) -> None:
        """A pointer to it arrived, and nobody has followed it."""
        await self.rows(
            "UPDATE notify.deliveries SET state = 'delivered', attempts = 1, "
            "next_attempt_at = NULL, delivered_at = now(), unread_since = now() "
            "WHERE notice_id = :notice RETURNING 1",
            notice=notice_id,
        )
        await self.rows(
            "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, attempted_at, "
            "channel) VALUES (:id, :notice, :agency, now(), 'pickup') RETURNING 1",
            id=new_id("dsc"),
            notice=notice_id,
            agency=agency_id,
        )

    async def conflict(self, referral_id: str, agency_id: str) -> None:
        body = {"agency_id": agency_id, "ground": "officer_implicated"}
        path = f"/v1/referrals/{referral_id}/conflicts"
        answer = await self.ask("POST", path, None, body, scopes="conflicts:assert")
        assert answer.status_code == 200

    async def rows(self, query: str, **parameters: object) -> Sequence[Any]:
        async with self.planning.db.transaction() as session:
            return (await session.execute(text(query), parameters)).all()

    async def events(self, *kinds: type[EventData]) -> list[Any]:
        return [each for each in await self.planning.emitted() if isinstance(each, kinds)]

    async def tasks(self, kind: str) -> list[str]:
        rows = await self.rows("SELECT about FROM notify.tasks WHERE kind = :kind", kind=kind)
        return [row.about for row in rows]


@asynccontextmanager
async def posting(
    database: FreshDatabase, folder: Path, **changes: dict[str, Any]
) -> AsyncIterator[Post]:
    """`changes` by kind of agency, as `support.agencies` takes them."""
    db = database.open("notify")
    await support.seed(db, support.agencies(**changes), folder)
    key, jwks = folder / "issuer.jwk", folder / "jwks.json"
    keys.make("issuer", key)
    jwks.write_text(json.dumps(keys.jwks(key)))
    app = create_app("notify under test", TokenVerifier(jwks, ISSUER))
    planning, outbox = Planning(db), Outbox(OUTBOX, Source.NOTIFY)
    substitutes = Substitutes(planning.directories, Rulebooks(RULES), CLERK, outbox)
    desk = Desk(db, outbox, Postroom(SEALER, Signer([Ed25519PrivateKey.generate()])))
    api = mailbox_router(Mailboxes(db, SEALER, desk, Answers(SEALER, outbox, substitutes)))
    app.include_router(api)
    office = Office(db, SEALER, outbox, substitutes)
    app.include_router(oral_router(office))
    app.include_router(deciding_router(db, SEALER, CLERK, outbox))
    app.include_router(conflict_router(db, planning.directories, substitutes))
    recalling = Recalling(planning.directories, Rulebooks(RULES), CLERK, outbox)
    app.include_router(recall_router(db, recalling))
    app.include_router(router(db))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://notify.test") as client:
        yield Post(planning, client, LocalIssuer(key, ISSUER).token, api, office)
