"""A notice that is to be made, as a value; and the one way to make one without content. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from services.notify.directory.register import Directory
from services.notify.planning.relates import Relates
from services.notify.routing.routes import Refused
from services.notify.routing.rule import Form
from shared.contracts.codes import NoticeKind, RefusalReason, Role


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice to be made and delivered. A supersession has no profile, for it has no content."""

    child_id: str
    agency_id: str
    role: Role
    kind: NoticeKind
    supersedes: int | None
    profile: str | None
    authority: str
    purpose: str
    rule: str
    because: str
    blocked: bool
    form: Form = Form.DCF_737
    cause: str | None = None  # of a withdrawal
    recalls: str | None = None  # the notice that a recall asks back
    relates: Relates | None = None


class Addressed(Protocol):
    """Whoever had a notice already, and has it on record for which child and why."""

    @property
    def child_id(self) -> str: ...
    @property
    def agency_id(self) -> str: ...
    @property
    def role(self) -> Role: ...


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of notice that says what its kind says and nothing of the child."""

    kind: NoticeKind
    rule: str
    purpose: str


def contentless(
    message: Message,
    to: Addressed,
    because: str,
    directory: Directory,
    today: date,
    *,
    supersedes: int | None = None,
    blocked: bool = False,
    cause: str | None = None,
    recalls: str | None = None,
    relates: Relates | None = None,
) -> NewNotice | Refused:
    """To whoever had one before, if the law permits telling it anything today (P3).

    `because` goes on after the agency's name.
    """
    agency = directory.get(to.agency_id)
    if agency is None:
        return _refused(message, to, because, RefusalReason.NO_AUTHORITY_ON_FILE)
    if reason := agency.refusal(today):
        return _refused(message, to, because, reason)
    return NewNotice(
        child_id=to.child_id,
        agency_id=to.agency_id,
        role=to.role,
        kind=message.kind,
        supersedes=supersedes,
        profile=None,
        authority=agency.authority or "",
        purpose=message.purpose,
        rule=message.rule,
        because=f"{agency.name}: {because}",
        blocked=blocked,
        cause=cause,
        recalls=recalls,
        relates=relates,
    )


def _refused(message: Message, to: Addressed, because: str, reason: RefusalReason) -> Refused:
    return Refused(to.child_id, to.agency_id, to.role, message.rule, because, reason)
