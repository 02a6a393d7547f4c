"""The directory in the database: its agencies as of a version, and how they get there."""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from services.notify import models
from services.notify.agencies import Agency, Directory, Kind
from shared.runtime.db import Session
from shared.runtime.errors import Retryable

_TOWNS = Path(__file__).parent / "data" / "ct_towns.csv"
_VERSION = "hartline.directory_version"


@cache
def judicial_districts() -> Mapping[str, str]:
    """The judicial district of each of the 169 towns (CGS 51-344; a sample, see DOMAIN.md)."""
    return {row["town"]: row["judicial_district"] for row in _towns()}


@cache
def dcf_offices() -> Mapping[str, tuple[str, str]]:
    """The DCF area office of each town and its region, `("Norwich", "Region 3")`. As of 2017."""
    return {
        row["town"]: (row["dcf_area_office"], f"Region {row['dcf_region']}") for row in _towns()
    }


def _towns() -> list[dict[str, str]]:
    with _TOWNS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


_VERSION_READ = text(f"SELECT version FROM {models.directory.fullname}")


class Directories:
    """The directory, read again only when its version has changed."""

    def __init__(self, *, samples: bool) -> None:
        """`samples`: whether sample agencies may be routed to at all; never in production."""
        self._samples = samples
        self._latest: Directory | None = None

    async def current(self, session: Session) -> Directory:
        """The directory as this transaction sees it. One cheap read per transaction.

        Raises Retryable while there is none: refusing everybody for good would be no answer.
        """
        version = session.info.get(_VERSION)
        if version is None:
            version = session.info[_VERSION] = await directory_version(session)
        if version is None:
            raise Retryable("the directory holds no agency yet")
        if self._latest is None or self._latest.version != version:
            read = await _read(session, version)
            self._latest = read if self._samples else read.without_samples()
        return self._latest


async def directory_version(session: Session) -> int | None:
    """None as long as nothing was ever put into it."""
    return await session.scalar(_VERSION_READ) or None


async def _read(session: Session, version: int) -> Directory:
    rows = await session.execute(select(models.agencies))
    agencies = tuple(_agency(row) for row in rows)
    return Directory(version, agencies, judicial_districts(), dcf_offices())


def _agency(row: Row[tuple[object, ...]]) -> Agency:
    return Agency(
        agency_id=row.agency_id,
        kind=Kind(row.kind),
        name=row.name,
        profile=row.profile,
        towns=frozenset(row.towns),
        judicial_districts=frozenset(row.judicial_districts),
        authority=row.authority,
        authority_from=row.authority_from,
        authority_to=row.authority_to,
        encrypted_channel=row.endpoint is not None and row.encryption_key is not None,
        sample=row.sample,
    )


async def count_samples(session: Session) -> int:
    query = select(func.count()).select_from(models.agencies).where(models.agencies.c.sample)
    return await session.scalar(query) or 0


async def put_agencies(session: Session, rows: Sequence[Mapping[str, object]]) -> int:
    """Insert or change agencies. The directory's version afterwards; it grows only with a change.

    Agencies that are not among `rows` stay as they are.
    """
    version = await _lock_version(session)
    if not rows or not await _put(session, rows):
        return version
    await session.execute(update(models.directory).values(version=version + 1))
    return version + 1


async def _put(session: Session, rows: Sequence[Mapping[str, object]]) -> bool:
    agencies = models.agencies
    statement = insert(agencies)
    names = [name for name in rows[0] if name != "agency_id"]
    changed = await session.execute(
        statement.on_conflict_do_update(
            index_elements=[agencies.c.agency_id],
            set_={name: statement.excluded[name] for name in names},
            where=func.row(*(agencies.c[name] for name in names)).is_distinct_from(
                func.row(*(statement.excluded[name] for name in names))
            ),
        ).returning(agencies.c.agency_id),
        list(rows),
    )
    return bool(changed.all())


async def _lock_version(session: Session) -> int:
    await session.execute(
        text(
            f"INSERT INTO {models.directory.fullname} (id, version) VALUES (1, 0) "
            "ON CONFLICT DO NOTHING"
        )
    )
    return await session.scalar(select(models.directory.c.version).with_for_update()) or 0
