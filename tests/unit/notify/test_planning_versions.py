"""What a later version does to each recipient, by what became of the earlier ones (P8)."""

from dataclasses import replace
from datetime import date

import pytest

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.planning.new_notice import NewNotice
from services.notify.planning.plan import DeliveryState, Earlier, plan_version
from services.notify.routing.routes import Recipient, Refused, Route
from shared.contracts.codes import NoticeKind, RefusalReason, Role

TODAY = date(2026, 3, 3)
POLICE = Agency(
    "agy_police",
    Kind.MUNICIPAL_POLICE,
    "Example Police",
    "law_enforcement",
    frozenset({"Ansonia"}),
    authority="CGS 17a-28",
    authority_from=date(2020, 1, 1),
    encrypted_channel=True,
)
DIRECTORY = Directory(7, (POLICE,), {})
RECIPIENT = Recipient(
    child_id="chd_one",
    agency_id="agy_police",
    role=Role.LOCAL_LAW_ENFORCEMENT,
    profile="law_enforcement",
    authority="CGS 17a-101b(c)",
    purpose="Example purpose",
    rule="careline.local_police",
    because="Example Police: incident town, CGS 17a-101b(c)",
)
IN_ROUTE = Route((RECIPIENT,), (), ())
OUT_OF_ROUTE = Route((), (), ())
BARRED = Route(
    (),
    (
        Refused(
            "chd_one",
            "agy_police",
            Role.LOCAL_LAW_ENFORCEMENT,
            "careline.local_police",
            "Example Police: incident town, CGS 17a-101b(c)",
            RefusalReason.AUTHORITY_EXPIRED,
        ),
    ),
    (),
)


def earlier(
    state: DeliveryState,
    *,
    version: int = 1,
    held: bool = False,
    kind: NoticeKind = NoticeKind.ORIGINAL,
) -> Earlier:
    return Earlier(
        notice_id=f"ntc_{version}",
        referral_id="ref_one",
        child_id="chd_one",
        agency_id="agy_police",
        role=Role.LOCAL_LAW_ENFORCEMENT,
        version=version,
        kind=kind,
        state=state,
        may_hold=held,
    )


def only(notices: tuple[NewNotice, ...]) -> NewNotice:
    (notice,) = notices
    return notice


def test_the_first_version_is_an_original_that_may_leave_at_once() -> None:
    notice = only(plan_version(IN_ROUTE, [], DIRECTORY, TODAY).notices)
    assert (notice.kind, notice.supersedes, notice.blocked) == (NoticeKind.ORIGINAL, None, False)
    assert notice.profile == "law_enforcement"


def test_an_unattempted_version_is_superseded_unsent_and_the_new_one_is_an_original() -> None:
    before = earlier(DeliveryState.PENDING)
    plan = plan_version(IN_ROUTE, [before], DIRECTORY, TODAY)
    assert plan.ended == (before,)
    assert only(plan.notices).kind is NoticeKind.ORIGINAL


def test_a_version_that_waits_for_a_retry_is_superseded_and_the_new_one_corrects_it() -> None:
    before = earlier(DeliveryState.PENDING, held=True)
    plan = plan_version(IN_ROUTE, [before], DIRECTORY, TODAY)
    notice = only(plan.notices)
    assert plan.ended == (before,)
    assert (notice.kind, notice.supersedes, notice.blocked) == (NoticeKind.CORRECTION, 1, False)


def test_p8_a_version_in_flight_ends_first_and_blocks_the_new_one() -> None:
    before = earlier(DeliveryState.ATTEMPTING, held=True)
    plan = plan_version(IN_ROUTE, [before], DIRECTORY, TODAY)
    notice = only(plan.notices)
    assert (plan.ended, plan.last_tries) == ((), (before,))
    assert (notice.kind, notice.supersedes, notice.blocked) == (NoticeKind.CORRECTION, 1, True)


def test_a_third_version_takes_the_place_of_the_second_that_was_blocked() -> None:
    flying = earlier(DeliveryState.ATTEMPTING, held=True)
    waiting = earlier(DeliveryState.BLOCKED, version=2, kind=NoticeKind.CORRECTION)
    plan = plan_version(IN_ROUTE, [waiting, flying], DIRECTORY, TODAY)
    notice = only(plan.notices)
    assert (plan.ended, plan.last_tries) == ((waiting,), (flying,))
    assert (notice.supersedes, notice.blocked) == (1, True)


def test_a_delivered_version_stays_as_it_is_and_is_corrected() -> None:
    plan = plan_version(IN_ROUTE, [earlier(DeliveryState.DELIVERED, held=True)], DIRECTORY, TODAY)
    notice = only(plan.notices)
    assert (plan.ended, plan.last_tries) == ((), ())
    assert (notice.kind, notice.supersedes) == (NoticeKind.CORRECTION, 1)


def test_a_correction_names_the_latest_version_that_may_be_held() -> None:
    history = [
        earlier(DeliveryState.DELIVERED, held=True),
        earlier(DeliveryState.DELIVERED, version=2, held=True, kind=NoticeKind.CORRECTION),
        earlier(DeliveryState.PENDING, version=3, kind=NoticeKind.CORRECTION),
    ]
    assert only(plan_version(IN_ROUTE, history, DIRECTORY, TODAY).notices).supersedes == 2


def test_p8_who_left_the_route_and_may_hold_a_version_gets_a_supersession_without_content() -> None:
    before = earlier(DeliveryState.DELIVERED, held=True)
    notice = only(plan_version(OUT_OF_ROUTE, [before], DIRECTORY, TODAY).notices)
    assert notice.kind is NoticeKind.SUPERSESSION
    assert notice.profile is None
    assert notice.supersedes == 1
    assert notice.because == "Example Police: may hold version 1 and is no longer in the route"


def test_p4_who_left_the_route_and_certainly_holds_nothing_hears_nothing() -> None:
    before = earlier(DeliveryState.PENDING)
    plan = plan_version(OUT_OF_ROUTE, [before], DIRECTORY, TODAY)
    assert plan.notices == ()
    assert plan.ended == (before,)


def test_p8_a_supersession_too_waits_for_the_attempt_in_flight() -> None:
    before = earlier(DeliveryState.ATTEMPTING, held=True)
    plan = plan_version(OUT_OF_ROUTE, [before], DIRECTORY, TODAY)
    assert only(plan.notices).blocked
    assert plan.last_tries == (before,)


@pytest.mark.parametrize("state", [DeliveryState.PENDING, DeliveryState.DELIVERED])
def test_a_supersession_that_stands_is_neither_repeated_nor_taken_back(
    state: DeliveryState,
) -> None:
    history = [
        earlier(DeliveryState.DELIVERED, held=True),
        earlier(state, version=2, kind=NoticeKind.SUPERSESSION),
    ]
    plan = plan_version(OUT_OF_ROUTE, history, DIRECTORY, TODAY)
    assert (plan.notices, plan.ended, plan.last_tries) == ((), (), ())


def test_who_comes_back_into_the_route_is_corrected_in_place_of_the_supersession() -> None:
    unsent = earlier(DeliveryState.PENDING, version=2, kind=NoticeKind.SUPERSESSION)
    history = [earlier(DeliveryState.DELIVERED, held=True), unsent]
    plan = plan_version(IN_ROUTE, history, DIRECTORY, TODAY)
    assert plan.ended == (unsent,)
    assert only(plan.notices).kind is NoticeKind.CORRECTION


def test_p3_outranks_p8_who_lost_its_authority_gets_no_correction_and_no_retry() -> None:
    before = earlier(DeliveryState.PENDING, held=True)
    plan = plan_version(BARRED, [before], DIRECTORY, TODAY)
    assert plan.notices == ()
    assert plan.refused == BARRED.refused
    assert plan.ended == (before,)


@pytest.mark.parametrize(
    ("directory", "reason"),
    [
        (
            Directory(7, (replace(POLICE, authority_to=date(2026, 3, 2)),), {}),
            RefusalReason.AUTHORITY_EXPIRED,
        ),
        (Directory(7, (), {}), RefusalReason.NO_AUTHORITY_ON_FILE),
    ],
)
def test_p3_a_supersession_needs_authority_too_and_is_withheld_without(
    directory: Directory, reason: RefusalReason
) -> None:
    before = earlier(DeliveryState.DELIVERED, held=True)
    plan = plan_version(OUT_OF_ROUTE, [before], directory, TODAY)
    assert plan.notices == ()
    assert plan.refused == ()
    assert [leg.reason for leg in plan.withheld] == [reason]


def test_a_child_that_is_new_in_a_version_gets_originals() -> None:
    second = replace(RECIPIENT, child_id="chd_two")
    route = Route((RECIPIENT, second), (), ())
    before = earlier(DeliveryState.DELIVERED, held=True)
    kinds = {n.child_id: n.kind for n in plan_version(route, [before], DIRECTORY, TODAY).notices}
    assert kinds == {"chd_one": NoticeKind.CORRECTION, "chd_two": NoticeKind.ORIGINAL}
