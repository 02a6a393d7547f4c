"""What a reversed acceptance means for whoever was told of it (C12). Pure.

Nothing is deleted and nobody new is told. Whoever may hold a DCF-823 gets its correction, which
says how the incident stands now; whoever was told only because the case was accepted is no longer
in the route, and hears that its version is out of date; what was never attempted is not sent.
"""

from collections.abc import Iterable
from dataclasses import replace

from services.notify.planning.new_notice import NewNotice
from services.notify.planning.plan import Earlier, Plan
from services.notify.routing.routes import Leg, Refused, Route
from services.notify.routing.rule import Form
from shared.contracts.codes import NoticeKind

ACCEPTED = "accepted"
"""The series of an accepted case's notices."""


def after_reversal(route: Route, history: Iterable[Earlier]) -> Route:
    """The route of an accepted case once it is none: those who may hold a DCF-823."""
    held = {each.leg for each in history if each.series == ACCEPTED and each.may_hold}
    return replace(
        route,
        recipients=tuple(
            each for each in route.recipients if each.leg in held and each.form is Form.DCF_823
        ),
        refused=tuple(each for each in route.refused if each.leg in held),
        unresolved=(),
        stand_ins=(),
        unnamed=(),
        matters=(),
    )


def as_withheld(plan: Plan) -> Plan:
    """Whoever may not be told of a reversal is a refused disclosure; no duty is left open by it."""
    mine: tuple[Refused, ...] = (*plan.withheld, *plan.refused)
    return replace(plan, refused=(), withheld=mine)


def without_repeated_supersessions(plan: Plan, told: frozenset[Leg]) -> Plan:
    """`told`: who hears that it is off the route by the plan of another series already."""

    def repeats(notice: NewNotice) -> bool:
        leg = (notice.child_id, notice.agency_id)
        return notice.kind is NoticeKind.SUPERSESSION and leg in told

    return replace(plan, notices=tuple(each for each in plan.notices if not repeats(each)))
