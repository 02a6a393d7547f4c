"""Deadlines' look at itself: `python -m services.deadlines.check`, and `/check` on its operations
port."""

import sys
from collections.abc import Mapping

from starlette.routing import BaseRoute

from services.deadlines import way_store
from services.deadlines.settings import DeadlinesSettings
from shared.runtime.checking import Look, check_route, run_check
from shared.runtime.db import Database
from shared.runtime.progress import way_route
from shared.runtime.server_checks import common
from shared.runtime.wakes import Wakes

NAME = "deadlines"


def looks(settings: DeadlinesSettings, db: Database) -> dict[str, Look]:
    return common(NAME, settings, db, {})


def watch_routes(settings: DeadlinesSettings, db: Database) -> list[BaseRoute]:
    """For the operations port."""
    return [check_route(NAME, looks(settings, db)), way_route(lambda: way_store.way(db))]


def _opened() -> tuple[Database, Mapping[str, Look]]:
    settings = DeadlinesSettings.load()
    db = Database.open(settings.dsn.get_secret_value(), Wakes(), name=f"check {NAME}", pool_size=4)
    return db, looks(settings, db)


if __name__ == "__main__":
    sys.exit(run_check(NAME, DeadlinesSettings.load, _opened))
