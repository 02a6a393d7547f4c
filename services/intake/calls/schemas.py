"""HTTP bodies of calls. No field is for caller-ID: nothing is derived from it, and none is kept."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import model_validator

from services.intake.codes import OneOf
from services.intake.fields import Cited
from services.intake.schemas import Body, Moment
from shared.contracts.base import OpaqueId
from shared.runtime.errors import Wrong


class ClosedWhy(StrEnum):
    """Why a person closes a call that became no referral. Our list."""

    NOT_A_REPORT = "not_a_report"
    FINISHED_ELSEWHERE = "finished_elsewhere"
    """The caller rang again, and that call is the referral that is named."""
    ENTERED_IN_ERROR = "entered_in_error"


class NewCall(Body):
    """A call comes in. `received_at` is now, unless the call was written down on paper before."""

    received_at: Moment | None = None
    synthetic: bool = False


class Closing(Body):
    """With `finished_elsewhere`, and only with that, the referral that holds what was said."""

    why: ClosedWhy
    referral_id: OpaqueId | None = None

    @model_validator(mode="after")
    def _referral_where_it_is_one(self) -> Self:
        if (self.why is ClosedWhy.FINISHED_ELSEWHERE) != (self.referral_id is not None):
            raise Wrong("referral_id must be given for finished_elsewhere and for nothing else")
        return self


class Reading(Body):
    """Why somebody reads what was typed, and by what right; both are recorded first (P2)."""

    purpose: Annotated[str, OneOf("reading_purpose")]
    authority: Cited
