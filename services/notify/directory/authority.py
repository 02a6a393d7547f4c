"""Whether the law permits telling an agency today (P3). Default deny."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from shared.contracts.codes import RefusalReason

_CONNECTICUT = ZoneInfo("America/New_York")


def today(now: datetime) -> date:
    """The calendar day in Connecticut, by which authorities begin and end."""
    return now.astimezone(_CONNECTICUT).date()


def refusal(
    authority: str | None,
    in_force_from: date | None,
    in_force_to: date | None,
    reachable: bool,
    on: date,
) -> RefusalReason | None:
    """Why nothing may be sent on that day, or None when it may.

    `in_force_to` is the last day in force; None: no end on file. An authority without a first
    day is not an authority on file. `reachable`: its record holds what its channel needs.
    """
    if not authority or in_force_from is None:
        return RefusalReason.NO_AUTHORITY_ON_FILE
    if on < in_force_from:
        return RefusalReason.AUTHORITY_NOT_YET_IN_FORCE
    if in_force_to is not None and on > in_force_to:
        return RefusalReason.AUTHORITY_EXPIRED
    return None if reachable else RefusalReason.NO_ENCRYPTION_KEY
