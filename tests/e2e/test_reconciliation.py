"""The ordinary case, with the real processes: the record and what was done are the same."""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from deploy.machine.home import ISSUER, Home, Ports
from deploy.machine.machine import Machine
from deploy.machine.way import Way
from services.audit.reconciling import Reconciler, pairs
from shared.runtime.auth import LocalIssuer
from shared.runtime.closed_windows import SCOPE
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient
from shared.runtime.wakes import Wakes
from tests.support.machines import running, url

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="hartline-reconciled-"))
    made = Machine(Home(folder), Ports.free(), bus="postgresql")
    try:
        made.prepare()
        yield made
    finally:
        made.stop_servers()
        shutil.rmtree(folder, ignore_errors=True)


async def test_after_a_referral_reached_everybody_nothing_is_missing(machine: Machine) -> None:
    """P1, P2: attempts, outcomes, reads, versions and receipts, both ways."""
    async with running(machine):
        result = await Way(machine).go()
        assert result.problems == []
        missing, compared = await _reconciled(machine)
    assert not any(missing.values()), missing
    assert compared >= 2 * (5 + 5 + 1 + 1 + 5)


async def _reconciled(machine: Machine) -> tuple[dict[str, set[str]], int]:
    """As the role does it, but up to this moment."""
    issuer = LocalIssuer(machine.home.issuer_key, ISSUER)
    clients = [
        InternalClient(name, url(machine, name), lambda: issuer.token("service:audit", (SCOPE,)))
        for name in ("intake", "notify")
    ]
    dsn = machine.dsns["audit"].app
    db = Database.open(dsn, Wakes(), name="reconciliation")
    try:
        reconciler = Reconciler(db, dsn, pairs(db, *clients))
        return await reconciler.once(utc_now() + timedelta(seconds=1)), await _compared(db)
    finally:
        for client in clients:
            await client.close()
        await db.close()


async def _compared(db: Database) -> int:
    async with db.transaction() as session:
        found = await session.scalar(
            text("SELECT compared FROM audit.reconciliations ORDER BY id DESC LIMIT 1")
        )
    return int(found or 0)
