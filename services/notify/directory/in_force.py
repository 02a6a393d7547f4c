"""The directory as routing gets it: of today, read again when its version has grown, or as of a
day and a version of the past."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.notify.delivery.channels import beside_encrypted, channel_of, is_complete
from services.notify.directory import store as directory_store
from services.notify.directory.agencies import Agency, kind_of
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.history import Term, in_force
from services.notify.directory.jurisdiction import beats
from services.notify.directory.register import Directory, Former
from services.notify.directory.towns import dcf_offices, judicial_districts
from shared.contracts.codes import Channel
from shared.runtime.db import Session
from shared.runtime.errors import Retryable

__all__ = ["AsOf", "Directories", "directory_as_of", "judicial_districts"]

_VERSION = "hartline.directory_version"


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
        version = session.info.get(_VERSION) or await directory_store.version(session)
        return await self.seen(session, version)

    async def seen(self, session: Session, version: int | None) -> Directory:
        """The same, where a statement of this transaction has read the version already."""
        if not version:
            raise Retryable("the directory holds no agency yet")
        session.info[_VERSION] = version
        if self._latest is None or self._latest.version != version:
            rows = await directory_store.rows_in_force(session)
            former = await directory_store.former(session)
            made = _directory(version, (_agency(row) for row in rows), former)
            self._latest = self.allowed(made)
        return self._latest

    async def past(self, session: Session) -> "PastDirectories":
        """Every version that there ever was."""
        latest = await self.current(session)
        days = await directory_store.days(session)
        return PastDirectories(await directory_store.terms(session), days, self, latest)

    def allowed(self, directory: Directory) -> Directory:
        """Without samples, where none may be routed to."""
        return directory if self._samples else directory.without_samples()


class PastDirectories:
    """What plans were routed by, version for version; each is made when it is first asked for."""

    def __init__(
        self,
        terms: Sequence[Term],
        days: Mapping[int, date],
        directories: Directories,
        latest: Directory,
    ) -> None:
        self._terms = terms
        self._days = days
        self._directories = directories
        self._made = {latest.version: latest}
        self._latest = latest

    def of(self, version: int) -> Directory:
        """As it was on the day that version was made; the latest for a version not on record."""
        day = self._days.get(version)
        if version not in self._made and day is not None:
            found = in_force(self._terms, day, version)
            made = AsOf.of(version, day, found)
            self._made[version] = self._directories.allowed(made.directory())
        return self._made.get(version, self._latest)


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was in force on a day, as far as a version of the directory knew."""

    version: int
    day: date
    entries: dict[str, AgencyEntry]
    """Of the agencies that were not closed, by id."""
    former: tuple[Former, ...] = ()

    @classmethod
    def of(cls, version: int, day: date, found: Mapping[str, AgencyEntry]) -> "AsOf":
        """`found`: closed ones too."""
        closed = [each for each in found.values() if each.closed]
        return cls(
            version,
            day,
            {id_: entry for id_, entry in found.items() if not entry.closed},
            tuple(Former(e.agency_id, e.code, e.name, e.successor) for e in closed),
        )

    def directory(self) -> Directory:
        agencies = (entry.agency() for entry in self.entries.values())
        return _directory(self.version, agencies, self.former)


async def directory_as_of(
    session: Session, today: date, *, day: date | None = None, version: int | None = None
) -> AsOf | None:
    """None when there is no such version.

    Without `day`: on the day that version was made, which is what its notices were routed by;
    without `version` either: today.
    """
    latest = await directory_store.version(session) or 0
    number = latest if version is None else version
    if version is not None and day is None:
        made = await directory_store.version_made(session, version)
        if made is None:
            return None
        day = made.effective_on
    if number > latest:
        return None
    day = day or today
    found = in_force(await directory_store.terms(session), day, number)
    return AsOf.of(number, day, found)


def _directory(version: int, agencies: Iterable[Agency], former: Iterable[Former]) -> Directory:
    return Directory(
        version, tuple(agencies), judicial_districts(), dcf_offices(), former=tuple(former)
    )


def _agency(row: Any) -> Agency:
    ends = [day for day in (row.authority_to, row.mou_to) if day is not None]
    channel = channel_of(row.channel)
    complete = is_complete(channel, row.endpoint, row.encryption_key, row.email)
    return Agency(
        agency_id=row.agency_id,
        kind=kind_of(row.kind),
        name=row.name,
        profile=row.profile,
        towns=frozenset(row.towns),
        judicial_districts=frozenset(row.judicial_districts),
        authority=row.authority,
        authority_from=row.authority_from,
        authority_to=min(ends, default=None),
        encrypted_channel=channel is Channel.ENCRYPTED and complete,
        other_channel=beside_encrypted(channel, row.endpoint, row.email),
        sample=row.sample,
        code=row.code,
        beats=beats(row.beats),
        offices=frozenset(row.offices),
        affiliations=frozenset(row.affiliations),
    )
