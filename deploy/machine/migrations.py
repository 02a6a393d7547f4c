"""Every schema's migrations, run in this process as the schema's owner."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config

from deploy.machine.bootstrap import SchemaDsns

ROOT = Path(__file__).parent.parent.parent
_INI = ROOT / "alembic.ini"


def sections() -> list[str]:
    """The sections of alembic.ini whose script folder exists."""
    parser = ConfigParser()
    parser.read(_INI)
    return [
        name
        for name in parser.sections()
        if (location := parser.get(name, "script_location", raw=True, fallback=None))
        and (ROOT / location.replace("%(here)s/", "") / "env.py").exists()
    ]


def upgrade_all(dsns: Mapping[str, SchemaDsns]) -> None:
    """Bring every schema to its newest version. Idempotent."""
    # Alembic's environments run their own event loop, which needs a thread without one.
    with ThreadPoolExecutor(1) as thread, _environment(dsns):
        for section in sections():
            thread.submit(_upgrade, section).result()


def _upgrade(section: str) -> None:
    command.upgrade(Config(str(_INI), ini_section=section, stdout=open(os.devnull, "w")), "head")  # noqa: SIM115
    asyncio.set_event_loop(None)


@contextmanager
def _environment(dsns: Mapping[str, SchemaDsns]) -> Iterator[None]:
    names = {f"HARTLINE_{schema.upper()}_OWNER_DSN": dsns[schema].owner for schema in dsns}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
