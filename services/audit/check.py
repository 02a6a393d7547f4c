"""Audit's look at itself: `python -m services.audit.check`, and `/check` on its operations port."""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta

from starlette.routing import BaseRoute

from services.audit import reconciling_store, way_store
from services.audit.settings import AuditSettings
from shared.runtime.checking import Look, check_route, run_check
from shared.runtime.db import Database
from shared.runtime.findings import Finding, act, look, well
from shared.runtime.ids import utc_now
from shared.runtime.progress import way_route
from shared.runtime.server_checks import common
from shared.runtime.settings import Profile
from shared.runtime.wakes import Wakes

NAME = "audit"
_FIRST, _LATE = timedelta(hours=1), timedelta(hours=2)
_INCOMPLETE = "docs/runbook.md, The record is incomplete: what each kind means and what to do."


def looks(settings: AuditSettings, db: Database) -> dict[str, Look]:
    async def outside() -> list[Finding]:
        return witnessed(settings)

    return {
        **common(NAME, settings, db, {"log": settings.keys}),
        "reconciliation": lambda: reconciled(db),
        "witnesses": outside,
    }


async def reconciled(db: Database) -> list[Finding]:
    async with db.connection() as session:
        last = await reconciling_store.last_window(session)
        missing = await reconciling_store.count_open(session)
        first = await reconciling_store.first_entry(session)
    return of_reconciliation(last, missing, first, utc_now())


def of_reconciliation(
    last: datetime | None, missing: Mapping[str, int], first: datetime | None, now: datetime
) -> list[Finding]:
    """The last comparison of the record with what was done, and what it found. `first`: of the
    log's entries; until an hour after it, nothing need have been compared."""
    about = f"{NAME}, reconciliation"
    if missing:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(missing.items()))
        return [act(about, f"What was done and the record differ: {kinds}.", _INCOMPLETE)]
    if last is None:
        says = "Nothing has been compared yet"
        if first is None or now - first <= _FIRST:
            return [well(about, f"{says}: the log has just begun.")]
        do = "See the role reconcile (audit_not_reconciled in its log), intake and notify."
        return [look(about, f"{says}, and the log began at {first:%Y-%m-%dT%H:%M:%SZ}.", do)]
    says = f"compared up to {last:%Y-%m-%dT%H:%M:%SZ}; nothing is missing."
    if now - last > _LATE:
        do = "See the role reconcile (audit_not_reconciled in its log), intake and notify."
        return [act(about, f"It has stood still: {says}", do)]
    return [well(about, says)]


def witnessed(settings: AuditSettings) -> list[Finding]:
    """Whether anybody but us can vouch for the log."""
    if settings.witnesses or settings.mail or settings.profile is Profile.DEVELOPMENT:
        return [well(f"{NAME}, witnesses", "are as this profile wants them.")]
    do = "Set HARTLINE_AUDIT_WITNESSES, or HARTLINE_AUDIT_MAIL (docs/audit.md)."
    return [look(f"{NAME}, witnesses", "Nobody outside keeps our checkpoints.", do)]


def watch_routes(settings: AuditSettings, db: Database) -> list[BaseRoute]:
    """For the operations port."""
    return [check_route(NAME, looks(settings, db)), way_route(lambda: way_store.way(db))]


def _opened() -> tuple[Database, Mapping[str, Look]]:
    settings = AuditSettings.load()
    db = Database.open(settings.dsn.get_secret_value(), Wakes(), name=f"check {NAME}", pool_size=4)
    return db, looks(settings, db)


if __name__ == "__main__":
    sys.exit(run_check(NAME, AuditSettings.load, _opened))
