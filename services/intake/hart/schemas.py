"""HTTP bodies of HART: consults, recusals, triage, flagged cases."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from services.intake.hart.triage import Destination
from services.intake.schemas import Body, Moment, Said
from shared.contracts.base import OpaqueId

Subject = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
"""A token's subject: a member of staff as the issuer knows them."""
LevelCode = Annotated[str, StringConstraints(max_length=40)]
CaseNumber = Annotated[
    str, StringConstraints(pattern=r"^[ ./-]*[A-Za-z0-9][A-Za-z0-9 ./-]*$", max_length=40)
]


class Requester(StrEnum):
    """In what part a consult is asked for (policy 21-14)."""

    INVESTIGATOR = "investigator"
    ONGOING_WORKER = "ongoing_worker"


class Ground(StrEnum):
    """Why somebody must keep out."""

    IMPLICATED = "implicated"
    RELATIVE = "relative"
    PERSONAL = "personal"
    OTHER = "other"


class Purpose(StrEnum):
    """Why a person reads. A code, because the audit log repeats it and no name may be in it."""

    CONSULT = "consult"
    TRIAGE = "triage"
    SUPERVISION = "supervision"
    LEGAL_REVIEW = "legal_review"
    CASE_WORK = "case_work"


class NewRequest(Body):
    """A worker asks for a consult on a child. Implicated staff are recused with it (C18)."""

    referral_id: OpaqueId
    child_id: OpaqueId
    requester: Requester
    requested_at: Moment | None = None
    new_facts: bool = False
    reasons: Said
    implicated_staff: list[Subject] = Field(default=[], max_length=20)


class Assignment(Body):
    """The HART Liaison who is to do it."""

    liaison: Subject


class Completion(Body):
    """What the liaison came to on the current Decision Map scale."""

    level: LevelCode
    narrative: Said
    completed_at: Moment | None = None


class CaseSystemEntry(Body):
    """The consult was entered in the case system, by the caller."""

    entered_at: Moment | None = None


class Nothing(Body):
    """No content: `{}`."""


class Reading(Body):
    """Why a person wants to read; recorded before the first byte."""

    purpose: Purpose


class GlassBreak(Body):
    """Why somebody who is not concerned must read all the same."""

    reason: Said


class NewRecusal(Body):
    """Somebody has a conflict of interest in a referral. One assertion holds at once."""

    referral_id: OpaqueId
    person: Subject
    ground: Ground


class NewReview(Body):
    """The Director has reviewed this version and sent it there."""

    version: int = Field(ge=1, le=10**9)
    sent_to: list[Destination] = Field(min_length=1, max_length=3)


class NewFlag(Body):
    """An open case shows trafficking characteristics. Its DCF-737, if there is one already."""

    case_number: CaseNumber
    flagged_at: Moment | None = None
    reasons: Said
    referral_id: OpaqueId | None = None


class FlagLink(Body):
    """The DCF-737 of a flagged case."""

    referral_id: OpaqueId
