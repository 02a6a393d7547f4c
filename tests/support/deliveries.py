"""Notices as planning leaves them, and the deliver role at work on them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwe
from joserfc.jwk import ECKey
from sqlalchemy import insert, select, text, update

from services.notify import models
from services.notify.delivery.attempts import DELIVER_WAKE
from services.notify.delivery.deliver import DEFAULT_LIMITS, Limits, deliver_role
from services.notify.delivery.mailer import Senders, SmtpSender
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.sender import HttpSender, Sender
from services.notify.delivery.signing import Signer
from services.notify.directory import tables as directory_tables
from services.notify.planning.copies import seal_copy
from services.notify.tasks import tables as task_tables
from shared.contracts.base import Event, EventData, Source
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from shared.runtime.mail import Relay
from shared.runtime.sealing import Keyring, Sealer
from tests.support.databases import FreshDatabase

AUTHORITY = "CGS 17a-28"
COPY = {"name": "Test Child One", "ht_type": "sex"}
KEY = ECKey.generate_key("P-256", {"kid": "test"})

OpenSender = Callable[[], AbstractAsyncContextManager[Sender]]


@dataclass
class World:
    """One notify database with agencies, notices and deliveries, and what delivers them."""

    database: FreshDatabase
    db: Database
    sealer: Sealer = field(default_factory=lambda: Sealer(Keyring({1: secrets.token_bytes(32)})))
    signer: Signer = field(default_factory=lambda: Signer([Ed25519PrivateKey.generate()]))
    referral_id: str = field(default_factory=lambda: new_id("ref"))
    relay: Relay | None = None

    @classmethod
    def of(cls, database: FreshDatabase) -> "World":
        return cls(database, database.open("notify"))

    # What is planned

    async def agency(self, url: str | None, **changes: object) -> str:
        agency_id = new_id("agy")
        row = {
            "agency_id": agency_id,
            "kind": "fbi",
            "name": "Example Agency",
            "profile": "law_enforcement",
            "authority": AUTHORITY,
            "authority_from": datetime(2000, 1, 1, tzinfo=UTC).date(),
            "endpoint": url,
            "encryption_key": dict(KEY.as_dict(private=False)),
            "allowed_networks": ["127.0.0.0/8"],
            "sample": True,
        }
        await self._insert(directory_tables.agencies, [{**row, **changes}])
        return agency_id

    async def notice(self, agency_id: str, **changes: Any) -> str:
        """A child's notice for one agency, due now. Give `child_id` and `version` for a second."""
        (notice_id,) = await self.notices(agency_id, 1, **changes)
        return notice_id

    async def notices(self, agency_id: str, count: int, **changes: Any) -> list[str]:
        child_id = changes.pop("child_id", None)
        version = changes.pop("version", 1)
        referral_id = changes.pop("referral_id", self.referral_id)
        number = changes.pop("referral_number", "HL-TEST-0001")
        state = changes.pop("state", "pending")
        kind = changes.pop("kind", "original")
        traceparent = changes.pop("traceparent", None)
        planned_at = changes.pop("planned_at", None) or utc_now()
        profile = None if kind == "supersession" else "law_enforcement"
        key = self.sealer.new_key()
        keys, copies, notices, deliveries = [], [], [], []
        for _ in range(count):
            child = child_id or new_id("chd")
            notice_id = new_id("ntc")
            if child_id is None:
                keys.append(
                    {"child_id": child, "kek_version": key.kek_version, "wrapped": key.wrapped}
                )
            if profile is not None and (child_id is None or version > 1):
                copies.append(
                    {
                        "child_id": child,
                        "version": version,
                        "profile": profile,
                        "sealed": seal_copy(
                            self.sealer, await self._key(child, key), child, version, profile, COPY
                        ),
                    }
                )
            notices.append(
                {
                    "notice_id": notice_id,
                    "referral_id": referral_id,
                    "referral_number": number,
                    "child_id": child,
                    "agency_id": agency_id,
                    "role": "fbi",
                    "version": version,
                    "kind": kind,
                    "supersedes": None,
                    "trigger": "careline",
                    "profile": profile,
                    "fields": sorted(COPY),
                    "commitment": "0" * 64,
                    "authority": AUTHORITY,
                    "purpose": "Test",
                    "rule": "fbi",
                    "because": "Example Agency: statewide",
                    "rules_version": "test",
                    "directory_version": 1,
                    "received_at": utc_now(),
                    "planned_at": planned_at,
                    "synthetic": True,
                    "traceparent": traceparent,
                }
            )
            deliveries.append(
                {
                    "notice_id": notice_id,
                    "referral_id": referral_id,
                    "child_id": child,
                    "agency_id": agency_id,
                    "version": version,
                    "state": state,
                    "next_attempt_at": utc_now() if state == "pending" else None,
                    "planned_at": planned_at,
                    **changes,
                }
            )
        await self._insert(models.child_keys, keys)
        await self._insert(models.copies, copies)
        await self._insert(models.notices, notices)
        await self._insert(models.deliveries, deliveries)
        self.db.wakes.wake(DELIVER_WAKE)
        return [str(each["notice_id"]) for each in notices]

    async def _key(self, child_id: str, new: Any) -> Any:
        rows = await self.rows(select(models.child_keys).filter_by(child_id=child_id))
        return type(new)(rows[0].kek_version, rows[0].wrapped) if rows else new

    async def child_of(self, notice_id: str) -> str:
        return str((await self.delivery(notice_id)).child_id)

    async def _insert(self, table: Any, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            async with self.db.transaction() as session:
                await session.execute(insert(table), list(rows))

    async def planned_as(self, role: str, *notices: str) -> None:
        """Of notices that are on record: as if another release had planned them."""
        connection = await asyncpg.connect(self.database.superuser_dsn)
        try:
            await connection.execute("ALTER TABLE notify.notices DISABLE TRIGGER USER")
            await connection.execute(
                "UPDATE notify.notices SET role = $1 WHERE notice_id = ANY($2)", role, list(notices)
            )
        finally:
            await connection.close()

    # What is delivered

    @asynccontextmanager
    async def delivering(
        self, limits: Limits = DEFAULT_LIMITS, open_sender: OpenSender | None = None
    ) -> AsyncIterator["Running"]:
        """The role, in this process; drained at the end."""
        running = self.start(limits, open_sender)
        try:
            yield running
        finally:
            await running.stop()

    def start(
        self, limits: Limits = DEFAULT_LIMITS, open_sender: OpenSender | None = None
    ) -> "Running":
        role = deliver_role(
            self.db,
            self.database.dsns["notify"].app,
            Outbox(models.OUTBOX, Source.NOTIFY),
            Postroom(self.sealer, self.signer),
            open_sender or self.senders,
            limits,
        )
        stop = asyncio.Event()
        return Running(asyncio.ensure_future(role(stop)), stop, self.db)

    def senders(self) -> Sender:
        return Senders(HttpSender(allow_http=True), SmtpSender(self.relay))

    # What is on record

    async def rows(self, query: Any, **parameters: object) -> Sequence[Any]:
        statement = text(query) if isinstance(query, str) else query
        async with self.db.transaction() as session:
            return (await session.execute(statement, parameters)).all()

    async def delivery(self, notice_id: str) -> Any:
        (row,) = await self.rows(select(models.deliveries).filter_by(notice_id=notice_id))
        return row

    async def state(self, notice_id: str) -> str:
        return str((await self.delivery(notice_id)).state)

    async def states(self) -> dict[str, int]:
        rows = await self.rows("SELECT state, count(*) AS n FROM notify.deliveries GROUP BY state")
        return {row.state: row.n for row in rows}

    async def facts(self, notice_id: str) -> list[str]:
        """Of each disclosure in order: the outcomes on record, joined; empty while open."""
        rows = await self.rows(
            "SELECT string_agg(o.outcome || coalesce(':' || o.http_status, ''), '+' "
            "ORDER BY o.occurred_at, o.outcome DESC) AS facts "
            "FROM notify.disclosures d LEFT JOIN notify.disclosure_outcomes o "
            "USING (disclosure_id) WHERE d.notice_id = :notice_id "
            "GROUP BY d.disclosure_id, d.attempted_at ORDER BY d.attempted_at",
            notice_id=notice_id,
        )
        return [row.facts or "" for row in rows]

    async def events(self, *kinds: type[EventData]) -> list[Any]:
        """Data of the events emitted, in order, of these types."""
        by_type = {kind.type: kind for kind in kinds}
        rows = await self.rows(select(models.OUTBOX.outbox).order_by(models.OUTBOX.outbox.c.id))
        events = [Event.model_validate_json(row.body) for row in rows]
        return [
            by_type[each.type].model_validate(each.data) for each in events if each.type in by_type
        ]

    async def tasks(self) -> list[tuple[str, str]]:
        rows = await self.rows(select(task_tables.tasks).order_by(task_tables.tasks.c.created_at))
        return [(row.kind, row.about) for row in rows]

    async def change_agency(self, agency_id: str, **changes: object) -> None:
        async with self.db.transaction() as session:
            await session.execute(
                update(directory_tables.agencies).filter_by(agency_id=agency_id).values(**changes)
            )

    async def make_due(self, notice_id: str) -> None:
        """Do not wait for the backoff."""
        async with self.db.transaction() as session:
            await session.execute(
                update(models.deliveries)
                .where(models.deliveries.c.notice_id == notice_id)
                .where(models.deliveries.c.state == "pending")
                .values(next_attempt_at=utc_now() - timedelta(seconds=1))
            )
        self.db.wakes.wake(DELIVER_WAKE)


@dataclass
class Running:
    """The role as a task."""

    task: "asyncio.Future[None]"
    stopping: asyncio.Event
    db: Database

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.stopping.set()
        self.db.wakes.wake_here(DELIVER_WAKE)
        await self.task

    async def kill(self) -> None:
        """As nearly as SIGKILL as a task can: nothing more is written, the session is lost."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def eventually(condition: Callable[[], Awaitable[bool]], within: float = 5.0) -> None:
    """Wait until it holds; fails when it does not in time."""
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.01)


def decrypt(body: bytes) -> bytes:
    """As the agency does."""
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
    opened = jwe.decrypt_compact(body, KEY, registry=registry).plaintext
    assert opened is not None
    return opened
