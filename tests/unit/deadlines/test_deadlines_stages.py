"""Notices that meet no duty to tell are of no leg, whoever gets them (P6)."""

from datetime import UTC, datetime

import pytest

from services.deadlines.facts import FactKind
from services.deadlines.reading import facts_of
from shared.contracts.codes import NoticeKind, Role, Stage
from shared.contracts.notices import LeftNotice, NoticesPlanned, NoticesRerouted, PlannedNotice

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
REFERRAL, CHILD, AGENCY, NOTICE = (f"{kind}_{'0' * 32}" for kind in ("ref", "chd", "agy", "ntc"))


def planned(kind: NoticeKind) -> PlannedNotice:
    return PlannedNotice(
        notice_id=NOTICE, child_id=CHILD, agency_id=AGENCY, role=Role.MDT, kind=kind
    )


@pytest.mark.parametrize("kind", NoticeKind)
def test_only_what_tells_of_the_child_is_part_of_a_leg(kind: NoticeKind) -> None:
    told = {NoticeKind.ORIGINAL, NoticeKind.CORRECTION, NoticeKind.RELATED}
    data = NoticesPlanned(
        referral_id=REFERRAL,
        version=1,
        stage=Stage.RECEIVED,
        rules_version="2026-2",
        directory_version=1,
        planned_at=NOW,
        notices=(planned(kind),),
    )
    _, fact = facts_of("evt", data)
    assert (fact.kind is FactKind.PLANNED) == (kind in told)


def test_c15_a_recall_takes_the_wrong_recipient_off_its_leg_and_adds_nobody() -> None:
    left = LeftNotice(notice_id=NOTICE, child_id=CHILD, agency_id=AGENCY, role=Role.MDT, version=1)
    data = NoticesRerouted(
        referral_id=REFERRAL,
        version=1,
        rules_version="2026-2",
        directory_version=1,
        rerouted_at=NOW,
        left=(left,),
        notices=(planned(NoticeKind.RECALL),),
    )
    kinds = [fact.kind for fact in facts_of("evt", data)]
    assert kinds == [FactKind.LEFT, FactKind.SUPERSESSION_PLANNED]
