"""Whatever happened to earlier versions, in whatever order, a plan keeps P3 and P8."""

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.planning.plan import DeliveryState, Earlier, plan_version
from services.notify.routing.routes import Recipient, Refused, Route
from shared.contracts.codes import NoticeKind, RefusalReason, Role

TODAY = date(2026, 3, 3)
ROLE = Role.LOCAL_LAW_ENFORCEMENT
LEGS = [("chd_a", "agy_1"), ("chd_a", "agy_2"), ("chd_b", "agy_1")]
FEW = settings(max_examples=100, deadline=None)


def agency(agency_id: str, authority: str | None) -> Agency:
    return Agency(
        agency_id,
        Kind.MUNICIPAL_POLICE,
        agency_id,
        "law_enforcement",
        authority=authority,
        authority_from=date(2020, 1, 1),
        encrypted_channel=True,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[Earlier]:
    history = []
    for child_id, agency_id in LEGS:
        for version in range(1, draw(st.integers(0, 3)) + 1):
            state = draw(st.sampled_from(DeliveryState))
            sent = state in (DeliveryState.ATTEMPTING, DeliveryState.DELIVERED)
            history.append(
                Earlier(
                    notice_id=f"ntc_{child_id}_{agency_id}_{version}",
                    referral_id="ref_one",
                    child_id=child_id,
                    agency_id=agency_id,
                    role=ROLE,
                    version=version,
                    kind=draw(st.sampled_from(NoticeKind)),
                    state=state,
                    may_hold=sent or draw(st.booleans()),
                )
            )
    return draw(st.permutations(history))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    told, barred = [], []
    for child, agency_id in LEGS:
        match draw(st.sampled_from(("told", "barred", "absent"))):
            case "told":
                told.append(
                    Recipient(child, agency_id, ROLE, "law_enforcement", "law", "why", "r", "b")
                )
            case "barred":
                reason = RefusalReason.AUTHORITY_EXPIRED
                barred.append(Refused(child, agency_id, ROLE, "r", "b", reason))
    return Route(tuple(told), tuple(barred), ())


directories = st.tuples(st.booleans(), st.booleans()).map(
    lambda lawful: Directory(
        1,
        tuple(agency(f"agy_{n}", "law" if ok else None) for n, ok in enumerate(lawful, start=1)),
        {},
    )
)


@FEW
@given(routes(), histories(), directories)
def test_p8_nothing_of_an_earlier_version_is_tried_again_beside_a_new_notice(
    route: Route, history: list[Earlier], directory: Directory
) -> None:
    plan = plan_version(route, history, directory, TODAY)
    settled = {e.notice_id for e in (*plan.ended, *plan.last_tries)}
    told = {(notice.child_id, notice.agency_id) for notice in plan.notices}
    waiting = (DeliveryState.PENDING, DeliveryState.BLOCKED, DeliveryState.ATTEMPTING)
    for each in history:
        if (each.child_id, each.agency_id) in told and each.state in waiting:
            assert each.notice_id in settled


@FEW
@given(routes(), histories(), directories)
def test_p8_a_notice_is_blocked_exactly_while_an_attempt_of_its_recipient_is_open(
    route: Route, history: list[Earlier], directory: Directory
) -> None:
    flying = {(e.child_id, e.agency_id) for e in history if e.state is DeliveryState.ATTEMPTING}
    for notice in plan_version(route, history, directory, TODAY).notices:
        assert notice.blocked == ((notice.child_id, notice.agency_id) in flying)


@FEW
@given(routes(), histories(), directories)
def test_p3_the_recipients_are_those_of_the_route_and_holders_who_left_it(
    route: Route, history: list[Earlier], directory: Directory
) -> None:
    plan = plan_version(route, history, directory, TODAY)
    content = {(n.child_id, n.agency_id) for n in plan.notices if n.profile is not None}
    empty = {(n.child_id, n.agency_id) for n in plan.notices if n.profile is None}
    assert content == {recipient.leg for recipient in route.recipients}
    holders = {(e.child_id, e.agency_id) for e in history if e.may_hold}
    assert empty <= holders - content - {leg.leg for leg in route.refused}
    for _, agency_id in empty:
        found = directory.get(agency_id)
        assert found is not None
        assert found.refusal(TODAY) is None


@FEW
@given(routes(), histories(), directories)
def test_p8_every_holder_is_corrected_superseded_or_accounted_for(
    route: Route, history: list[Earlier], directory: Directory
) -> None:
    plan = plan_version(route, history, directory, TODAY)
    reached = {(n.child_id, n.agency_id) for n in plan.notices}
    accounted = {leg.leg for leg in (*plan.refused, *plan.withheld)}
    for leg in {(e.child_id, e.agency_id) for e in history if e.may_hold}:
        latest = max(
            (e for e in history if (e.child_id, e.agency_id) == leg), key=lambda e: e.version
        )
        assert leg in reached | accounted or latest.kind is NoticeKind.SUPERSESSION


@FEW
@given(routes(), histories(), directories)
def test_the_order_of_the_history_does_not_matter(
    route: Route, history: list[Earlier], directory: Directory
) -> None:
    forwards = plan_version(route, history, directory, TODAY)
    backwards = plan_version(route, history[::-1], directory, TODAY)
    assert forwards == backwards


def test_an_agency_that_moves_keeps_its_leg() -> None:
    """A renamed agency is the same recipient: legs go by id."""
    directory = Directory(2, (replace(agency("agy_1", "law"), name="Renamed"),), {})
    history = [
        Earlier(
            "ntc_1",
            "ref_one",
            "chd_a",
            "agy_1",
            ROLE,
            1,
            NoticeKind.ORIGINAL,
            DeliveryState.DELIVERED,
            True,
        )
    ]
    (notice,) = plan_version(Route((), (), ()), history, directory, TODAY).notices
    assert notice.because.startswith("Renamed: ")
