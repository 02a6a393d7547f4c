"""The audit log over a real PostgreSQL."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from services.audit import store
from services.audit.api import routes
from services.audit.leaf import Kind, Submission
from services.audit.note import Checkpoint
from services.audit.sealer import Sealer, Sealing
from shared.runtime import keys
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.db import Database
from shared.runtime.http import create_app
from shared.runtime.wakes import Wakes
from tests.support.audit import ORIGIN, leaf, signer
from tests.support.databases import FreshDatabase

ISSUER = "https://issuer.test"
MakeSealer = Callable[..., Sealer]


def submission(
    number: int, disclosure_id: str | None = None, kind: Kind = Kind.ATTEMPTED
) -> Submission:
    return Submission(f"event-{number}", 0, kind, disclosure_id, leaf(number))


async def submit(db: Database, numbers: Iterable[int]) -> None:
    async with db.transaction() as session:
        await store.submit(session, [submission(number) for number in numbers])


async def as_superuser(database: FreshDatabase, *statements: str) -> None:
    """What only somebody with the server in hand can do."""
    superuser = Database.open(database.superuser_dsn, Wakes(), name="test-superuser")
    try:
        async with superuser.transaction() as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            for table in ("entries", "traces", "nodes", "checkpoints"):
                await session.execute(
                    text(f"ALTER TABLE audit.{table} DISABLE TRIGGER {table}_append_only")
                )
            for statement in statements:
                await session.execute(text(statement))
    finally:
        await superuser.close()


@pytest.fixture
def db(database: FreshDatabase) -> Database:
    return database.open("audit")


@pytest.fixture
def make_sealer(database: FreshDatabase) -> MakeSealer:
    def make(
        *, witnessed: Iterable[Checkpoint] = (), origin: str = ORIGIN, db: Database | None = None
    ) -> Sealer:
        sealing = Sealing(origin, (signer(1, origin),), tuple(witnessed))
        return Sealer(db or database.open("audit"), database.dsns["audit"].app, sealing)

    return make


@pytest.fixture
def sealer(db: Database, make_sealer: MakeSealer) -> Sealer:
    return make_sealer(db=db)


@dataclass(frozen=True)
class Tokens:
    """A local issuer of tokens, and the file with its public half."""

    key: Path
    jwks: Path

    def bearer(
        self,
        scopes: Iterable[str] = ("audit:read",),
        subject: str = "officer-1",
        *,
        person: bool = True,
    ) -> dict[str, str]:
        token = LocalIssuer(self.key, ISSUER).token(subject, scopes, person=person)
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    home = tmp_path_factory.mktemp("audit-keys")
    made = Tokens(home / "issuer.jwk", home / "jwks.json")
    keys.make("issuer", made.key)
    made.jwks.write_text(json.dumps(keys.jwks(made.key)))
    return made


@pytest.fixture
async def client(db: Database, tokens: Tokens) -> AsyncIterator[httpx.AsyncClient]:
    """A compliance officer."""
    app = create_app("audit under test", TokenVerifier(tokens.jwks, ISSUER))
    app.include_router(routes(db))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://audit.test", headers=tokens.bearer()
    ) as client:
        yield client
