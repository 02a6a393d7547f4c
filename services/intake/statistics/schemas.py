"""HTTP bodies of the statistics. Strict, as intake's are."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from services.intake.schemas import Body, Short
from services.intake.statistics.records import ExportKind, Format, Reason
from shared.runtime.errors import Wrong

Year = Annotated[int, Field(ge=2000, le=2199)]


class NewRelease(Body):
    """Freeze a year's tables. The reason is shown to whoever sees the release."""

    year: Year
    reason: Reason


class NewExport(Body):
    """Ask for exact figures; another person must approve it."""

    kind: ExportKind
    year: Year
    month: int | None = Field(None, ge=1, le=12)
    format: Format = Format.JSON

    @model_validator(mode="after")
    def _month_fits(self) -> Self:
        if (self.month is not None) != (self.kind is ExportKind.HART_MONTHLY):
            raise Wrong("month must be given for hart_monthly and for nothing else")
        return self


class Population(Body):
    """Children living in each town: what makes a count a rate."""

    source: Short
    children: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]] = Field(max_length=169)
