"""What a plan of substitutes has found: new notices, and old ones that count for more. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from services.notify.conflicts.store import SealedPart
from services.notify.planning.new_notice import NewNotice
from services.notify.planning.occasion import Occasion
from services.notify.planning.plan import RECEIVED, Earlier, notice_for
from services.notify.routing.routes import Leg, Route
from shared.contracts.codes import NoticeKind, Role
from shared.contracts.notices import LeftNotice, NoticesRerouted, PlannedNotice
from shared.runtime.ids import new_id


@dataclass(frozen=True, slots=True)
class Found:
    """What a referral version's plan has become: new notices, and old ones that count for more."""

    new: Mapping[str, NewNotice]
    more: Sequence[tuple[Earlier, Role]]

    def of(self, agency_id: str) -> "Found":
        """What is new to one agency alone."""
        return Found({i: n for i, n in self.new.items() if n.agency_id == agency_id}, ())


def find(
    routed: Route,
    history: Sequence[Earlier],
    version: int,
    parts: Sequence[SealedPart],
    children: Set[str],
) -> Found:
    """Nobody but substitutes is added, of `children` alone, and nobody for whom no copy of this
    version was sealed: then the conflict's task is what remains."""
    sealed = {(part.child_id, part.profile) for part in parts}
    there: dict[Leg, Earlier] = {
        (each.child_id, each.agency_id): each
        for each in history
        if each.version == version
        and each.series == RECEIVED
        and each.kind is not NoticeKind.SUPERSESSION
    }
    new = {
        new_id("ntc"): notice_for(each, _before(history, each.leg, version))
        for each in routed.recipients
        if each.in_place
        and each.child_id in children
        and each.leg not in there
        and (each.child_id, each.profile) in sealed
    }
    counting = [(each.leg, each.role) for each in routed.stand_ins]
    counting += [(each.leg, each.role) for each in routed.recipients if each.in_place]
    more = [
        (there[leg], role)
        for leg, role in counting
        if leg in there and leg[0] in children and there[leg].role is not role
    ]
    return Found(new, more)


def _before(history: Sequence[Earlier], leg: Leg, version: int) -> list[Earlier]:
    return [
        each
        for each in sorted(history, key=lambda each: each.version)
        if each.leg == leg and each.series == RECEIVED and each.version < version
    ]


def rerouted(found: Found, gaps: Sequence[Any], occasion: Occasion) -> NoticesRerouted:
    new = [
        PlannedNotice(
            notice_id=notice_id,
            child_id=each.child_id,
            agency_id=each.agency_id,
            role=each.role,
            kind=each.kind,
        )
        for notice_id, each in found.new.items()
    ]
    more = [
        PlannedNotice(
            notice_id=each.notice_id,
            child_id=each.child_id,
            agency_id=each.agency_id,
            role=role,
            kind=each.kind,
        )
        for each, role in found.more
    ]
    return NoticesRerouted(
        referral_id=occasion.referral_id,
        version=occasion.version,
        rules_version=occasion.rules_version,
        directory_version=occasion.directory_version,
        rerouted_at=occasion.now,
        left=tuple(
            LeftNotice(
                notice_id=gap.notice_id,
                child_id=gap.child_id,
                agency_id=gap.agency_id,
                role=Role(gap.role),
                version=gap.version,
            )
            for gap in gaps
        ),
        notices=(*new, *more),
    )
