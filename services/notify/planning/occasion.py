"""What is planned, by what and when, and the rows that depend on nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.notify.planning.new_notice import NewNotice
from services.notify.planning.plan import RECEIVED, DeliveryState
from services.notify.planning.relates import related_part
from services.notify.routing.routes import Refused, Suppressed
from services.notify.routing.rule import Form
from shared.contracts.codes import NoticeKind, Stage

Row = dict[str, object]
CONFLICT_OF_INTEREST = "conflict_of_interest"
"""`refusals.reason` of a suppressed leg. No event has such a reason: it would betray somebody."""


@dataclass(frozen=True, slots=True)
class PlanRows:
    """What a plan adds, as rows of the tables named."""

    child_keys: Sequence[Row]
    copies: Sequence[Row]
    notices: Sequence[Row]
    deliveries: Sequence[Row]
    refusals: Sequence[Row]
    stand_ins: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Occasion:
    """The version that is planned, by which rules and directory, and when."""

    referral_id: str
    version: int
    rules_version: str
    directory_version: int
    now: datetime
    stage: Stage = Stage.RECEIVED
    series: str = RECEIVED
    revision: int = 0

    @property
    def withheld_kind(self) -> NoticeKind:
        """What it is that may not be sent, where no duty asks for it."""
        if self.stage is Stage.WITHDRAWN:
            return NoticeKind.WITHDRAWAL
        if self.series.startswith("related/"):
            return NoticeKind.RELATED
        return NoticeKind.RECALL if self.series.startswith("recall/") else NoticeKind.SUPERSESSION

    def part(self, form: Form) -> str | None:
        """Under which name a form's own part is sealed, beside the copies; a DCF-737 has none."""
        if form is Form.DCF_737:
            return None
        return part_of(form, self.series, self.revision)


def part_of(form: Form, series: str, revision: int) -> str:
    return f"{form.value}/{series}/{revision}"


def delivery_row(notice_id: str, notice: NewNotice, occasion: Occasion) -> Row:
    state = DeliveryState.BLOCKED if notice.blocked else DeliveryState.PENDING
    return {
        "notice_id": notice_id,
        "referral_id": occasion.referral_id,
        "child_id": notice.child_id,
        "agency_id": notice.agency_id,
        "version": occasion.version,
        "series": occasion.series,
        "state": state.value,
        "next_attempt_at": None if notice.blocked else occasion.now,
        "planned_at": occasion.now,
    }


def about(notice: NewNotice) -> Row:
    """What its kind is about, of those that hold no copy, as it stands on the form."""
    found: Row = {}
    if notice.cause is not None:
        found["withdrawal"] = {"cause": notice.cause}
    if notice.recalls is not None:
        found["recall"] = {"notice_id": notice.recalls}
    if notice.relates is not None:
        found["related"] = related_part(notice.relates.number, notice.relates.relation.value)
    return found


def related_row(notice: NewNotice) -> Row:
    relates = notice.relates
    if relates is None:
        return {"relates_to": None, "relation": None}
    return {"relates_to": relates.referral_id, "relation": relates.relation.value}


def refusal_row(
    notice_id: str, leg: Refused | Suppressed, kind: NoticeKind, occasion: Occasion
) -> Row:
    return {
        "notice_id": notice_id,
        "referral_id": occasion.referral_id,
        "child_id": leg.child_id,
        "agency_id": leg.agency_id,
        "role": leg.role.value,
        "version": occasion.version,
        "kind": kind.value,
        "reason": leg.reason.value if isinstance(leg, Refused) else CONFLICT_OF_INTEREST,
        "rule": leg.rule,
        "because": leg.because,
        "refused_at": occasion.now,
        "series": occasion.series,
        "revision": occasion.revision,
    }
