"""What the HTTP API of enrolment takes and answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from services.notify.directory.addresses import checked_key, new_endpoint
from services.notify.enrolment.steps import Enrolment
from shared.contracts.base import OpaqueId
from shared.runtime.two_people import Reason

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class InvitationIn(_Body):
    agency_id: OpaqueId


class SubmissionIn(_Body):
    """The agency's endpoint and the public half of its key, with the code it was told."""

    code: Short
    endpoint: Annotated[str, AfterValidator(new_endpoint)]
    encryption_key: Annotated[dict[str, Any], AfterValidator(checked_key)]


class ConfirmationIn(_Body):
    fingerprint: Short
    """As somebody at the agency read it over a telephone number known of old."""


class GoLiveIn(_Body):
    reason: Reason


class EnrolmentOut(BaseModel):
    enrolment_id: str
    agency_id: str
    step: str
    expires_at: datetime
    invited_by: str
    submitted_at: datetime | None
    endpoint: str | None
    fingerprint: str | None
    """RFC 7638. Not told to the person who is to confirm it: null until it is confirmed."""
    proved_at: datetime | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    tested_at: datetime | None
    proposal_id: str | None

    @classmethod
    def of(cls, found: Enrolment, now: datetime) -> "EnrolmentOut":
        shown = {name: getattr(found, name, None) for name in cls.model_fields}
        confirmed = found.confirmed_at is not None
        return cls.model_validate(
            shown
            | {
                "step": found.step(now).value,
                "fingerprint": found.thumbprint if confirmed else None,
            }
        )


class InvitedOut(EnrolmentOut):
    code: str
    """Shown here and never again. Tell it to the agency by telephone, not by the mail that
    invites it."""


class EnrolmentsOut(BaseModel):
    enrolments: list[EnrolmentOut]


class SubmittedOut(BaseModel):
    """To the agency: `fingerprint` is what it will be asked to read out."""

    enrolment_id: str
    step: str
    fingerprint: str | None
