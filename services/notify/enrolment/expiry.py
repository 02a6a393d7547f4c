"""What of an agency runs out within 30 days: its authority, its MOU, its key, its certificate.

Pure. One task per agency, thing and day on which it ends.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.notify.delivery.key_end import key_end
from services.notify.tasks.task import NewTask, TaskKind

AHEAD = timedelta(days=30)
_MEND = {
    "authority": "Have its authority renewed and propose the new dates",
    "MOU": "Have it renewed and propose the new date",
    "key": "Invite the agency to enrol a new one",
    "authority of its endpoint": "Have the agency send the next one and propose it in `transport`",
    "certificate that we show": "Put the next one among the keys of notify (docs/keys.md)",
    "certificate": "Call the agency: its endpoint will not be reached over TLS",
}


@dataclass(frozen=True, slots=True)
class Lasting:
    """An agency's dates; None: no end on file, or not known."""

    agency_id: str
    authority_to: date | None
    mou_to: date | None
    encryption_key: dict[str, Any] | None
    certificate_to: datetime | None
    name: str = ""

    @property
    def named(self) -> str:
        """For a person, who knows it by its name."""
        return f"{self.name} ({self.agency_id})" if self.name else self.agency_id

    def ends(self) -> Iterator[tuple[str, date]]:
        """A day that has passed is still told: it is worse."""
        if self.authority_to is not None:
            yield "authority", self.authority_to
        if self.mou_to is not None:
            yield "MOU", self.mou_to
        if (ends := key_end(self.encryption_key)) is not None:
            yield "key", ends.date()
        if self.certificate_to is not None:
            yield "certificate", self.certificate_to.astimezone(UTC).date()


def expiring(agencies: Iterable[Lasting], today: date) -> list[NewTask]:
    return [task for agency in agencies for task in ending(agency.agency_id, agency.ends(), today)]


def ending(agency_id: str, ends: Iterable[tuple[str, date]], today: date) -> list[NewTask]:
    return [_task(agency_id, what, day) for what, day in ends if day <= today + AHEAD]


def mend(what: str) -> str:
    """What to do about it, as the beginning of a sentence."""
    return _MEND[what]


def _task(agency_id: str, what: str, ends: date) -> NewTask:
    detail = (
        f"The {what} of agency {agency_id} ends on {ends.isoformat()}. {_MEND[what]}, or no notice "
        "goes to it from then on, and a person has to tell it (docs/enrolment.md, What runs out)."
    )
    return NewTask(TaskKind.EXPIRING, f"{agency_id} {what} {ends.isoformat()}", None, detail)
