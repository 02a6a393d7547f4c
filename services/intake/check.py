"""Intake's look at itself: `python -m services.intake.check`, and `/check` of its own port."""

import sys
from collections.abc import Mapping

from starlette.routing import BaseRoute

from services.intake import way_store
from services.intake.holdings import HOLDINGS
from services.intake.settings import IntakeSettings
from shared.runtime.checking import Look, check_route, run_check
from shared.runtime.db import Database
from shared.runtime.progress import way_route
from shared.runtime.server_checks import common, wrapped
from shared.runtime.wakes import Wakes

NAME = "intake"
_KEYS = ("kek", "commitment", "idempotency", "matching", "statistics")


def looks(settings: IntakeSettings, db: Database) -> dict[str, Look]:
    folder = settings.keys
    return {
        **common(NAME, settings, db, dict.fromkeys(_KEYS, folder)),
        "data keys": lambda: wrapped(NAME, db, folder, HOLDINGS),
    }


def watch_routes(settings: IntakeSettings, db: Database) -> list[BaseRoute]:
    """For the operations port."""
    return [check_route(NAME, looks(settings, db)), way_route(lambda: way_store.way(db))]


def _opened() -> tuple[Database, Mapping[str, Look]]:
    settings = IntakeSettings.load()
    db = Database.open(settings.dsn.get_secret_value(), Wakes(), name=f"check {NAME}", pool_size=4)
    return db, looks(settings, db)


if __name__ == "__main__":
    sys.exit(run_check(NAME, IntakeSettings.load, _opened))
