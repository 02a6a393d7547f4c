"""The period that a report is asked for."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

from shared.runtime.errors import Wrong
from shared.runtime.problem import Problem

FIRST_YEAR, LAST_YEAR = 1900, 2199


def _reckonable(moment: datetime) -> datetime:
    """In UTC; near the ends of the calendar there is no such time, nor any that PostgreSQL has."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Wrong(f"must be in one of the years {FIRST_YEAR} to {LAST_YEAR}")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_reckonable)]


def must_be_a_period(since: datetime, until: datetime) -> None:
    if until <= since:
        errors = [{"in": "query", "parameter": "until", "detail": "must be later than `since`"}]
        raise Problem(
            422, "Unprocessable Content", "The period ends before it begins.", errors=errors
        )
