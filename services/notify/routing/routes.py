"""What routing answers: legs and a route, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.notify.conflicts.rules import Conflicts, Ground
from services.notify.directory.register import Directory
from services.notify.routing.choosing import Gap
from services.notify.routing.rule import Effect, Form
from shared.contracts.codes import RefusalReason, Role

Leg = tuple[str, str | None]
"""(child id, agency id): one recipient's way to one child's notice."""


def role_of(stored: str) -> Role | None:
    """None: no role of this release; of a later one, perhaps."""
    try:
        return Role(stored)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _ToAgency:
    child_id: str
    agency_id: str
    role: Role

    @property
    def leg(self) -> Leg:
        return self.child_id, self.agency_id


@dataclass(frozen=True, slots=True)
class Recipient(_ToAgency):
    """An agency that must be told about a child, and the reason, frozen into the notice."""

    profile: str
    authority: str
    purpose: str
    rule: str
    because: str
    form: Form = Form.DCF_737
    in_place: bool = False
    """Chosen only because somebody else has a conflict of interest."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A leg on which nothing may be sent. Without an agency: nobody fits the role."""

    child_id: str
    agency_id: str | None
    role: Role
    rule: str
    because: str
    reason: RefusalReason

    @property
    def leg(self) -> Leg:
        return self.child_id, self.agency_id


@dataclass(frozen=True, slots=True)
class Suppressed(_ToAgency):
    """An agency that would be told and has a conflict of interest: it must learn nothing."""

    rule: str
    ground: Ground
    because: str


@dataclass(frozen=True, slots=True)
class StandIn(_ToAgency):
    """An agency whose notice counts for this role too, in place of one with a conflict."""


@dataclass(frozen=True, slots=True)
class Matter:
    """Something for a person: a review item or a question. Nothing is disclosed by it."""

    child_id: str
    role: Role
    rule: str
    effect: Effect
    because: str


@dataclass(frozen=True, slots=True)
class Route:
    """In a fixed order: by child, then rule, then agency."""

    recipients: tuple[Recipient, ...]
    refused: tuple[Refused, ...]
    unresolved: tuple[str, ...]
    """Children of whose towns a person must find out more; `gaps` says what."""
    suppressed: tuple[Suppressed, ...] = ()
    stand_ins: tuple[StandIn, ...] = ()
    unnamed: tuple[str, ...] = ()
    """Children in whose matter somebody is implicated whose agency is not known."""
    matters: tuple[Matter, ...] = ()
    conflicts: Mapping[str, Conflicts] = field(default_factory=dict)
    """By child: who may learn nothing, chosen by a rule or not."""
    children: frozenset[str] = frozenset()
    gaps: Mapping[str, tuple[Gap, ...]] = field(default_factory=dict)
    destroyed: frozenset[str] = frozenset()
    """Children whose content was destroyed: nobody can say any more who has a conflict in their
    matter, so that nothing goes their way. They have not left the route either."""

    def bars(
        self,
        child_id: str,
        agency_id: str | None,
        directory: Directory,
        *,
        asking_back: bool = False,
    ) -> bool:
        """Whether nothing may go this way; of a child that the referral no longer names, whoever
        is barred from another, and everybody where another's content was destroyed.

        `asking_back`: it says nothing and takes back what is held (`barred.bars` says the same).
        """
        known = child_id in self.children
        if self.destroyed and not known:
            return True
        mine = [c for child, c in self.conflicts.items() if child == child_id or not known]
        agency = directory.get(agency_id or "")
        found = {each.grounds.get(agency_id or "") for each in mine}
        found |= set() if agency is None else {each.ground(agency) for each in mine}
        return bool(found - {None, Ground.TAKEN_BACK if asking_back else None})
