"""Bodies and answers of recalls and closings. Reasons are codes: a story would be personal data."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class RecallReason(StrEnum):
    """Why a disclosure went to the wrong recipient."""

    WRONG_TOWN = "wrong_town"
    WRONG_AGENCY = "wrong_agency"
    WRONG_CHILD = "wrong_child"
    DIRECTORY_ERROR = "directory_error"
    CONFLICT_OVERLOOKED = "conflict_overlooked"
    OTHER = "other"


class CloseReason(StrEnum):
    """Why a notice need not, or cannot, reach its recipient any more."""

    TOLD_BY_OTHER_MEANS = "told_by_other_means"
    RECIPIENT_DISSOLVED = "recipient_dissolved"
    RECIPIENT_REFUSES = "recipient_refuses"
    NOT_LAWFUL = "not_lawful"
    TEST = "test"
    OTHER = "other"


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RecallIn(_Body):
    reason: RecallReason


class CloseIn(_Body):
    reason: CloseReason


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class RecallOut(_Answer):
    """What was misdirected, who says so, and why."""

    notice_id: str
    recall_notice_id: str | None
    """Of the notice that asks for it back; null: nothing was disclosed, or the recipient may not
    be told even that."""
    reason: str
    recalled_by: str
    recalled_at: datetime
    disclosed: bool
    """Whether it is an incident; false: nobody had opened it, and nobody can any more."""


class CloseOut(_Answer):
    notice_id: str
    reason: str
    closed_by: str
    closed_at: datetime
