"""What a deployment needs before its services start. Every step may be run again.

    python -m deploy.prepare [database] [migrations] [keys] [topics] [samples]

Without a step: all of them. Reads the services' own settings, each from the environment
or as a file of HARTLINE_SECRETS, so that nothing is said twice:

    HARTLINE_SUPERUSER_DSN        database: makes roles and schemas with the passwords of the DSNs
    HARTLINE_<SCHEMA>_DSN         database (of the bus: HARTLINE_BUS_DSN)
    HARTLINE_<SCHEMA>_OWNER_DSN   database, migrations
    HARTLINE_KEYS                 keys: a folder for each service; a trial's keys, no production's
    HARTLINE_BUS                  topics, when it is kafka://…
    HARTLINE_AGENCIES             samples: folder of the sample agencies; development only
    HARTLINE_AGENCIES_URL         samples: where they listen
    HARTLINE_AGENCIES_NETWORKS    samples: private networks they may be in, by comma
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import make_url

from deploy.machine import bootstrap
from deploy.machine.bootstrap import SCHEMAS, SchemaDsns
from deploy.machine.home import make_keys
from deploy.machine.kafka import make_topics
from deploy.machine.migrations import upgrade_all
from deploy.machine.samples import write_directory
from services.notify.delivery.signing import Signer
from services.notify.directory.seeding import seed_samples
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import one_setting
from shared.runtime.wakes import Wakes

_KAFKA = "kafka://"
_WAIT_SECONDS = 60.0


def main(argv: list[str]) -> int:
    try:
        unknown = [step for step in argv if step not in STEPS]
        if unknown:
            raise Misconfigured(f"There is no step {unknown[0]}: choose from {', '.join(STEPS)}.")
        for step in argv or STEPS:
            STEPS[step]()
            print(f"{step}: done", flush=True)
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def database() -> None:
    """Roles, database and schemas."""
    superuser, dsns = _setting("SUPERUSER_DSN"), _dsns()
    urls = [make_url(dsn) for each in dsns.values() for dsn in (each.owner, each.app)]
    names = {url.database for url in urls}
    if len(names) != 1:
        raise Misconfigured("The DSNs name several databases: run one preparation for each server.")
    passwords = {str(url.username): str(url.password) for url in urls}
    if set(passwords) != set(bootstrap.role_names()):
        raise Misconfigured("The DSNs must be those of the roles hartline_<schema>_app and _owner.")
    asyncio.run(bootstrap.make_roles(superuser, passwords))
    asyncio.run(bootstrap.make_database(superuser, str(names.pop())))


def migrations() -> None:
    """Every schema at head."""
    upgrade_all(_dsns())


def keys() -> None:
    """The keys of every service, where there are none."""
    make_keys(Path(_setting("KEYS")))


def topics() -> None:
    """Kafka's topics, when the bus is Kafka."""
    bus = _setting("BUS")
    if not bus.startswith(_KAFKA):
        return
    deadline = time.monotonic() + _WAIT_SECONDS
    while not asyncio.run(make_topics(bus.removeprefix(_KAFKA))):
        if time.monotonic() > deadline:
            raise Misconfigured("Kafka does not answer: see HARTLINE_BUS.")


def samples() -> None:
    """The sample agencies' files, and notify's directory of them."""
    folder, networks = Path(_setting("AGENCIES")), _setting("AGENCIES_NETWORKS").split(",")
    path = write_directory(folder, _setting("AGENCIES_URL"), networks)
    senders = Signer.load(Path(_setting("KEYS")) / "notify").public_keys
    (folder / "senders.txt").write_text("\n".join(senders) + "\n")
    asyncio.run(_seed(path))


async def _seed(path: Path) -> None:
    db = Database.open(_dsns()["notify"].app, Wakes(), name="prepare", pool_size=1)
    try:
        await seed_samples(db, path)
    finally:
        await db.close()


STEPS: Mapping[str, Callable[[], None]] = {
    step.__name__: step for step in (database, migrations, keys, topics, samples)
}


def _dsns() -> dict[str, SchemaDsns]:
    names = [(schema, schema.upper()) for schema in SCHEMAS]
    return {
        schema: SchemaDsns(_setting(f"{name}_OWNER_DSN"), _setting(f"{name}_DSN"))
        for schema, name in names
    }


def _setting(name: str) -> str:
    value = one_setting(f"HARTLINE_{name}")
    if not value:
        raise Misconfigured(f"HARTLINE_{name} is not set: set it (see deploy/prepare.py).")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
