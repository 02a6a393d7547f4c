"""HTTP bodies of law-enforcement operation notices."""

from typing import Annotated

from pydantic import Field, StringConstraints

from services.intake.schemas import Body, Long, Moment, Said, Short

Subject = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]


class NewOperation(Body):
    """What a law-enforcement agency said ahead of a recovery, and who may know of it."""

    agency: Short
    contact: Short | None = None
    plan: Said
    place: Long | None = None
    needs: Long | None = None
    starts_at: Moment | None = None
    expires_at: Moment
    named: list[Subject] = Field(min_length=1, max_length=20)


class NewEnd(Body):
    """When it is over; left out: now."""

    expires_at: Moment | None = None
