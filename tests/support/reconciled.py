"""Reconciliation of a machine's real services, up to this moment."""

from datetime import timedelta

from sqlalchemy import text

from deploy.machine.home import ISSUER
from deploy.machine.machine import Machine
from services.audit import reconciling_store
from services.audit.reconciling import Reconciler
from services.audit.sides import pairs
from shared.runtime.auth import LocalIssuer
from shared.runtime.closed_windows import SCOPE
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient
from shared.runtime.wakes import Wakes
from tests.support.machines import url


async def reconciled(machine: Machine) -> tuple[list[str], int]:
    """As the role does it: what is missing and has not turned up since, in words, and how much was
    compared, in this run and those before it."""
    issuer = LocalIssuer(machine.home.issuer_key, ISSUER)
    clients = [
        InternalClient(name, url(machine, name), lambda: issuer.token("service:audit", (SCOPE,)))
        for name in ("intake", "notify")
    ]
    dsn = machine.dsns["audit"].app
    db = Database.open(dsn, Wakes(), name="reconciliation")
    try:
        await Reconciler(db, dsn, pairs(db, *clients)).once(utc_now() + timedelta(seconds=1))
        async with db.transaction() as session:
            still = await reconciling_store.open_discrepancies(session)
            total = await session.scalar(text("SELECT sum(compared) FROM audit.reconciliations"))
        return [f"{each.kind}: {each.subject}" for each in still], int(total or 0)
    finally:
        for client in clients:
            await client.close()
        await db.close()
