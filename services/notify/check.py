"""Notify's look at itself: `python -m services.notify.check`, and `/check` of its own port."""

import sys
from collections.abc import Mapping

from starlette.routing import BaseRoute

from services.notify import telling_checks, waiting_checks, watching_checks, way_store
from services.notify.holdings import HOLDINGS
from services.notify.settings import NotifySettings
from shared.runtime.checking import Look, check_route, run_check
from shared.runtime.db import Database
from shared.runtime.progress import way_route
from shared.runtime.server_checks import common, wrapped
from shared.runtime.wakes import Wakes

NAME = "notify"
_KEYS = ("kek", "commitment", "webhook")


def looks(settings: NotifySettings, db: Database) -> dict[str, Look]:
    folder = settings.keys
    return {
        **common(NAME, settings, db, dict.fromkeys(_KEYS, folder)),
        "data keys": lambda: wrapped(NAME, db, folder, HOLDINGS),
        "towns": lambda: telling_checks.towns(settings, db),
        "what runs out": lambda: telling_checks.running_out(settings, db),
        "synthetic referral": lambda: telling_checks.drilled(settings, db),
        "on call": lambda: telling_checks.on_call(settings, db),
        "watched from outside": lambda: watching_checks.watched(settings),
        "halts": lambda: telling_checks.halted(settings, db),
        "deliveries": lambda: waiting_checks.deliveries(db),
        "tasks": lambda: waiting_checks.tasks(db),
        "calls": lambda: waiting_checks.calls(db),
        "proposals": lambda: waiting_checks.proposals(db),
    }


def watch_routes(settings: NotifySettings, db: Database) -> list[BaseRoute]:
    """For the operations port."""
    return [check_route(NAME, looks(settings, db)), way_route(lambda: way_store.way(db))]


def _opened() -> tuple[Database, Mapping[str, Look]]:
    settings = NotifySettings.load()
    db = Database.open(settings.dsn.get_secret_value(), Wakes(), name=f"check {NAME}", pool_size=4)
    return db, looks(settings, db)


if __name__ == "__main__":
    sys.exit(run_check(NAME, NotifySettings.load, _opened))
