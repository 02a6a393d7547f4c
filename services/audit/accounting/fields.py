"""What the fields of requests are made of: citations, instants, ids of rows."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from shared.runtime.errors import Wrong

_SECTION = r"§? ?[0-9][0-9a-z-]{0,12}(\([0-9a-zA-Z]{1,4}\)){0,4}"
_CITATION = re.compile(
    rf"(CGS|PA|Practice Book|[1-9][0-9]? (USC|CFR)) {_SECTION}((, | and |; ){_SECTION}){{0,4}}"
    # A docket number, which has a digit: words could be somebody's name.
    r"|Court order (?=[A-Z-]*[0-9])[A-Z0-9]{1,12}(-[A-Z0-9]{1,12}){0,4}",
    re.ASCII,
)


def _citation(value: str) -> str:
    if not _CITATION.fullmatch(value):
        raise Wrong('must cite a law or an order, such as "CGS 17a-28" or "Court order 123"')
    return value


Citation = Annotated[str, Field(max_length=100), AfterValidator(_citation)]


def _bounded(value: datetime) -> datetime:
    if not 1970 < value.year < 9000:
        raise Wrong("must be a date that a calendar has: of the years 1971 to 8999")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_bounded)]


RowId = Annotated[
    str,
    Field(
        pattern=r"^(dsc_[0-9a-f]{32}|ntc_[0-9a-f]{32}/[0-9]{1,19}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$"
    ),
]
"""As a row has it: a disclosure's id, a refusal's, or a read's of this record."""
