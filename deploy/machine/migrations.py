"""Every schema's migrations, as the schema's owner."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.machine.bootstrap import SchemaDsns
from shared.runtime.migrate import SERVICES, upgrade

_ROOT = Path(__file__).parents[2]


def sections() -> list[str]:
    """The sections of alembic.ini that have a script folder."""
    return [name for name in SERVICES if (_scripts(name) / "env.py").exists()]


def upgrade_all(dsns: Mapping[str, SchemaDsns]) -> None:
    """Bring every schema to head. Idempotent, blocking; may be called inside an event loop."""
    # Alembic's environments run an event loop of their own, which needs a thread without one.
    with ThreadPoolExecutor(1) as thread:
        for section in sections():
            thread.submit(upgrade, section, dsns[section].owner).result()


def _scripts(section: str) -> Path:
    if section == "bus":
        return _ROOT / "shared" / "messaging" / "postgres" / "migrations"
    return _ROOT / "services" / section / "migrations"
