"""What the HTTP API of the mailbox takes and answers."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from services.notify.mailbox.answering import Reason
from services.notify.mailbox.opening import Purpose

Words = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ListedOut(_Answer):
    """A notice in the list: nothing of what it says, of whom, or from where."""

    notice_id: str
    kind: str
    form: str
    version: int
    received_at: datetime
    """When it came to this mailbox."""
    unread: bool
    acknowledged: bool


class MailboxOut(_Answer):
    """`cursor`: ask with `after=` this for what comes later. `more`: ask again at once."""

    notices: list[ListedOut]
    cursor: int
    more: bool


class OpeningIn(_Body):
    purpose: Purpose


class Disposition(StrEnum):
    """What the recipient does with it."""

    RECEIVED = "received"
    CASE_OPENED = "case_opened"
    ADDED_TO_CASE = "added_to_case"
    NO_ACTION = "no_action"


class AcknowledgementIn(_Body):
    """Kept sealed; in no event and no log."""

    received_by: Words
    """A person or a desk of the recipient's."""
    case_number: Words | None = None
    disposition: Disposition


class AcknowledgementOut(_Answer):
    acknowledgement_id: str
    notice_id: str
    acknowledged_at: datetime


class ReturnIn(_Body):
    reason: Reason


class ReturnOut(_Answer):
    """Who is told instead is not said."""

    notice_id: str
    returned_at: datetime


class ChangeOut(_Answer):
    """A field that is not as it was in the version before. What it was is not said."""

    field: str
    change: str


class VersionOut(_Answer):
    notice_id: str
    kind: str
    version: int
    received_at: datetime
    unread: bool
    changes: list[ChangeOut] | None
    """Against the version before; null where either has not been read."""


class HistoryOut(_Answer):
    """The oldest version first."""

    versions: list[VersionOut]


class ReceiptsIn(_Body):
    """All that the recipient's own system took from `since` to `until`, by the ids of webhooks."""

    since: AwareDatetime
    until: AwareDatetime
    notice_ids: list[Annotated[str, StringConstraints(pattern=r"^ntc_[0-9a-f]{32}$")]] = Field(
        max_length=10_000
    )


class ReceiptsOut(_Answer):
    """`missing`: what your server answered for in that time and you do not hold."""

    missing: list[str]


class SecretOut(_Answer):
    """Shown once. `before_ends_at`: until when the secret before it signs too."""

    secret: str = Field(description="A Standard Webhooks secret, `whsec_…`.")
    before_ends_at: datetime | None
