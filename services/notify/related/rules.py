"""Who gets a related notice, and what it says. Pure.

Only whoever was told of both referrals and has a conflict of interest in neither, whichever child
it is in (P3): nobody learns by it of a referral that it does not hold. It says the number of the
first, and the relation by its code; of the child its reference (P4).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from services.notify.directory.register import Directory
from services.notify.planning.new_notice import Message, NewNotice, contentless
from services.notify.planning.plan import Earlier, Plan
from services.notify.planning.relates import Relates
from services.notify.routing.routes import Refused, Route
from shared.contracts.codes import NoticeKind, Relation

OF_ONE_MATTER = frozenset({Relation.SAME_FACTS, Relation.NEW_ALLEGATION, Relation.SAME_CHILD})
"""Siblings and operations are other children's matters: their links are nobody's outside."""
_RELATED = Message(
    NoticeKind.RELATED,
    rule="related",
    purpose="Relates this referral to one that its recipient holds",
)
_BECAUSE = "was told of both of two linked referrals"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its route of today, and what this recipient holds of it."""

    route: Route
    held: tuple[Earlier, ...]

    def of(self, children: Collection[str]) -> "Side":
        return replace(self, held=tuple(e for e in self.held if e.child_id in children))

    def bars(self, agency_id: str, directory: Directory) -> bool:
        """From any child of it: a link binds them all. Where the content of one was destroyed,
        nobody can say who has a conflict."""
        children = self.route.children | self.route.destroyed
        return any(self.route.bars(c, agency_id, directory) for c in children)


def plan_related(
    agency_id: str, first: Side, second: Side, relates: Relates, directory: Directory, today: date
) -> Plan:
    """One notice for each child of the second that the recipient was told of."""
    silent = first.bars(agency_id, directory) or second.bars(agency_id, directory)
    legs = [] if silent or not first.held else list(_latest(second.held))
    made = [contentless(_RELATED, leg, _BECAUSE, directory, today, relates=relates) for leg in legs]
    return Plan(
        notices=tuple(each for each in made if isinstance(each, NewNotice)),
        ended=(),
        last_tries=(),
        refused=(),
        withheld=tuple(each for each in made if isinstance(each, Refused)),
    )


def of_the_same(first: Side, second: Side, same: frozenset[frozenset[str]]) -> tuple[Side, Side]:
    """The two with what the recipient holds of a child that is in both, and of it in both."""
    both = {
        leg.child_id
        for one in first.held
        for other in second.held
        if frozenset((one.child_id, other.child_id)) in same
        for leg in (one, other)
    }
    return first.of(both), second.of(both)


def _latest(held: Iterable[Earlier]) -> Iterator[Earlier]:
    by_child = {each.child_id: each for each in sorted(held, key=lambda each: each.version)}
    yield from by_child.values()
