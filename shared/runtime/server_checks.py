"""What every service checks of itself: its PostgreSQL server, schema, keys, tokens and clock."""

import base64
import json
import stat
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from sqlalchemy import text

from shared.runtime import keys
from shared.runtime.checking import Look
from shared.runtime.db import Database, UnsafeServer, check_server
from shared.runtime.errors import Misconfigured
from shared.runtime.findings import AGAIN, Finding, act, clock, ending, look, well
from shared.runtime.ids import utc_now
from shared.runtime.migrate import check_head
from shared.runtime.rewrapping import Holding, KeyTable
from shared.runtime.settings import Profile, ServiceSettings

_SERVER = text(
    "SELECT pg_is_in_recovery() AS standby, current_setting('data_checksums') AS checksums, "
    "current_setting('archive_mode') AS archive, current_setting('is_superuser') AS superuser, "
    "has_schema_privilege(current_user, :schema, 'CREATE') AS owner, "
    "(SELECT count(*) FROM pg_stat_activity) AS connections, "
    "CAST(current_setting('max_connections') AS integer) AS most"
)
_STARTED = text("SELECT clock_timestamp() - pg_postmaster_start_time()")
_FRESH = timedelta(minutes=1)
STARTED = "PostgreSQL was started less than a minute ago: what waited for it is being taken up."
_CLIENT_CERTIFICATES = ("kafka_ca", "kafka_cert", "mail_ca")


def common(
    service: str, settings: ServiceSettings, db: Database, names: Mapping[str, Path | None]
) -> dict[str, Look]:
    """The looks of every service. `names`: key name → folder (None: it has no keys)."""

    async def files() -> list[Finding]:
        return [
            *settled(service, settings),
            *token(service, settings.internal_token, utc_now()),
            *certificates(service, settings, utc_now()),
        ]

    async def key_files() -> list[Finding]:
        return [
            found
            for name, folder in names.items()
            if folder is not None
            for found in key_versions(f"{service}, keys", folder, name)
        ]

    return {
        "settings": files,
        "keys": key_files,
        "server": lambda: server(service, settings, db),
        "start": lambda: started(service, db),
        "migrations": lambda: head(service, db),
        "clock": lambda: database_clock(service, db),
    }


def settled(service: str, settings: ServiceSettings) -> list[Finding]:
    """What the settings permit and an operator should know."""
    about = f"{service}, settings"
    if settings.profile is Profile.DEVELOPMENT:
        return [well(about, "are complete, for development: samples and a local issuer.")]
    return [well(about, "are complete, for production.")]


async def server(service: str, settings: ServiceSettings, db: Database) -> list[Finding]:
    """Whether it may forget what it acknowledged, and how much room there is."""
    about = f"{service}, server"
    try:
        await check_server(db)
    except UnsafeServer as error:
        return [act(about, str(error), "Stop the services until it is mended.")]
    async with db.connection() as session:
        row = (await session.execute(_SERVER, {"schema": service})).one()
    found = _room(about, row.connections, row.most)
    if row.standby:
        found.append(
            act(about, "is a standby and takes no writes.", "Name the primary in the DSN.")
        )
    if row.superuser == "on" or row.owner:
        do = f"Set the DSN to the role hartline_{service}_app (docs/settings.md)."
        found.append(act(about, "The service runs as a role that may change its tables.", do))
    if row.checksums != "on":
        do = "Run pg_checksums --enable while it is stopped."
        found.append(look(about, "Data checksums are off: a bad disk goes unnoticed.", do))
    if settings.profile is Profile.PRODUCTION and row.archive == "off":
        do = "Set archive_mode and archive_command."
        found.append(look(about, "The WAL is not archived: a dead disk loses data.", do))
    return found or [well(about, "keeps what it acknowledges.")]


def _room(about: str, connections: int, most: int) -> list[Finding]:
    if connections * 5 <= most * 4:
        return []
    do = "See who holds them (pg_stat_activity); raise max_connections."
    return [look(about, f"{connections} of {most} connections are taken.", do)]


async def started(service: str, db: Database) -> list[Finding]:
    async with db.connection() as session:
        return of_start(service, await session.scalar(_STARTED))


def of_start(service: str, ago: timedelta) -> list[Finding]:
    """What waits in the first minute says nothing yet."""
    about = f"{service}, PostgreSQL's start"
    if ago < _FRESH:
        return [look(about, STARTED, f"{AGAIN}, until this line is gone.")]
    return [well(about, "is more than a minute ago.")]


async def head(service: str, db: Database) -> list[Finding]:
    about = f"{service}, migrations"
    try:
        await check_head(db, service)
    except Misconfigured as error:
        return [act(about, str(error), "Stop this version of the service until it has run.")]
    return [well(about, "are all in.")]


async def database_clock(service: str, db: Database) -> list[Finding]:
    async with db.connection() as session:
        await session.scalar(text("SELECT 1"))
        before = utc_now()
        theirs: datetime = await session.scalar(text("SELECT clock_timestamp()"))
        after = utc_now()
    half = (after - before) / 2
    return [clock(f"{service}, PostgreSQL's clock", before + half, theirs, half)]


def key_versions(about: str, folder: Path, name: str) -> list[Finding]:
    """The files of one key: there, readable by their owner only, and which is current."""
    try:
        versions = sorted(keys.load_versions(folder, name))
    except Misconfigured as error:
        return [act(about, str(error), "Have the key's custodian put it there (docs/keys.md).")]
    files = [folder / f"{name}-{version}.key" for version in versions]
    shared = [file for file in files if file.stat().st_mode & stat.S_IRWXG]
    if shared:
        says = f"{shared[0].name} may be read by a group."
        return [look(about, says, "chmod 600 it, unless that group is the service's own.")]
    if versions != list(range(versions[0], versions[-1] + 1)):
        says = f"{name} has versions {', '.join(map(str, versions))}: one between is gone."
        return [look(about, says, "See in docs/keys.md whether it may be gone.")]
    return [well(about, f"{name}-{versions[-1]} is current, mode 0600; {len(versions)} in all.")]


async def wrapped(
    service: str, db: Database, folder: Path, holdings: Sequence[Holding]
) -> list[Finding]:
    """Whether every wrapped key can be opened, and by the newest KEK."""
    about = f"{service}, data keys"
    known = set(keys.load_versions(folder, "kek"))
    async with db.connection() as session:
        used: set[int] = set()
        for each in holdings:
            if isinstance(each, KeyTable):
                query = f"SELECT DISTINCT kek_version FROM {each.name} WHERE wrapped <> ''"
                used |= set(await session.scalars(text(query)))
        behind = sum([await each.behind(session, max(known)) for each in holdings])
    if lost := sorted(used - known):
        says = f"kek-{lost[0]}.key is not there, and children's documents are sealed by it."
        return [act(about, says, "Put it back from the custodian's copy, now (docs/keys.md).")]
    if behind:
        do = f"Run python -m services.{service} rewrap --dry-run, then without it."
        return [look(about, f"{behind} are wrapped by an older KEK.", do)]
    return [well(about, f"are all wrapped by kek-{max(known)}.key.")]


def token(service: str, file: Path | None, now: datetime) -> list[Finding]:
    """The token for calls to other services, which somebody else keeps fresh."""
    if file is None:
        return []
    about, do = f"{service}, internal token", "See what keeps it fresh: nothing is fetched."
    try:
        ends = _expires(keys.read_private(file).strip())
    except Misconfigured as error:
        return [act(about, str(error), do)]
    if ends is None:
        return [act(about, f"{file} holds no token that says when it ends.", do)]
    if ends <= now:
        return [act(about, f"ended at {ends:%Y-%m-%dT%H:%M:%SZ}.", do)]
    return [well(about, f"is good until {ends:%Y-%m-%dT%H:%M:%SZ}.")]


def _expires(jwt: str) -> datetime | None:
    try:
        part = jwt.split(".")[1]
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError):
        return None


def certificates(service: str, settings: ServiceSettings, now: datetime) -> list[Finding]:
    """Those that the settings name by file."""
    named = ((name, getattr(settings, name, None)) for name in _CLIENT_CERTIFICATES)
    files = [(f"HARTLINE_{name.upper()}", file) for name, file in named if file is not None]
    return [
        f for name, file in files for f in _of_file(f"{service}, certificates", name, file, now)
    ]


def _of_file(about: str, name: str, file: Path, now: datetime) -> Iterable[Finding]:
    do = "Put the next one there, then restart the service."
    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return [act(about, f"{name} is no readable file of certificates.", do)]
    ends = min(each.not_valid_after_utc.date() for each in found)
    return [ending(about, name, ends, now.date(), do)]
