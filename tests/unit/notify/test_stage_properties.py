"""Whatever stages a referral has reached and whatever became of its notices: P3 and P8 hold."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.conflicts.rules import Conflicts, Ground
from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.planning.plan import (
    NO_DUTY,
    WAITING,
    WITHDRAWAL,
    DeliveryState,
    Earlier,
    Plan,
    plan_version,
)
from services.notify.routing.routes import Recipient, Route
from services.notify.routing.rule import Form
from services.notify.stages.reversing import ACCEPTED, after_reversal, as_withheld
from services.notify.stages.withdrawing import plan_withdrawal
from shared.contracts.codes import NoticeKind, Role, WithdrawalCause

TODAY = date(2026, 3, 3)
AGENCIES = ("agy_1", "agy_2", "agy_3")
CHILDREN = ("chd_a", "chd_b")
SERIES = ("received", ACCEPTED, "shr_1")
FEW = settings(max_examples=150, deadline=None)
OPEN = (*WAITING, DeliveryState.ATTEMPTING)


def agency(agency_id: str, lawful: bool = True) -> Agency:
    return Agency(
        agency_id,
        Kind.MUNICIPAL_POLICE,
        agency_id,
        "law_enforcement",
        authority="law" if lawful else None,
        authority_from=date(2020, 1, 1),
        encrypted_channel=True,
    )


directories = st.tuples(*[st.booleans()] * len(AGENCIES)).map(
    lambda lawful: Directory(
        1, tuple(agency(each, ok) for each, ok in zip(AGENCIES, lawful, strict=True)), {}
    )
)
conflicted = st.frozensets(st.sampled_from(AGENCIES), max_size=1)


def barring(agencies: frozenset[str]) -> Route:
    grounds = dict.fromkeys(agencies, Ground.ASSERTED)
    conflicts = {child: Conflicts(grounds) for child in CHILDREN} if grounds else {}
    return Route((), (), (), conflicts=conflicts, children=frozenset(CHILDREN))


@st.composite
def histories(draw: st.DrawFn) -> list[Earlier]:
    found = []
    for series in SERIES:
        for child in CHILDREN:
            for each in AGENCIES:
                for version in range(1, draw(st.integers(0, 2)) + 1):
                    state = draw(st.sampled_from(DeliveryState))
                    sent = state in (DeliveryState.ATTEMPTING, DeliveryState.DELIVERED)
                    kinds = [NoticeKind.ORIGINAL, NoticeKind.CORRECTION, NoticeKind.SUPERSESSION]
                    found.append(
                        Earlier(
                            f"ntc_{series}_{child}_{each}_{version}",
                            "ref_one",
                            child,
                            each,
                            Role.FBI,
                            version,
                            draw(st.sampled_from(kinds)),
                            state,
                            sent or draw(st.booleans()),
                            series,
                        )
                    )
    return draw(st.permutations(found))


causes = st.sampled_from(WithdrawalCause)


@FEW
@given(causes, histories(), directories, conflicted)
def test_p8_a_withdrawal_waits_for_every_open_notice_of_its_recipient_that_it_does_not_cancel(
    cause: WithdrawalCause, history: list[Earlier], directory: Directory, barred: frozenset[str]
) -> None:
    plan = plan_withdrawal(cause, history, barring(barred), directory, TODAY)
    cancelled = {each.notice_id for each in plan.ended}
    for notice in plan.notices:
        mine = [e for e in history if e.leg == (notice.child_id, notice.agency_id)]
        left = [e for e in mine if e.state in OPEN and e.notice_id not in cancelled]
        assert notice.blocked == bool(left)


@FEW
@given(causes, histories(), directories, conflicted)
def test_c13_every_holder_hears_of_a_withdrawal_or_is_accounted_for_and_nobody_twice(
    cause: WithdrawalCause, history: list[Earlier], directory: Directory, barred: frozenset[str]
) -> None:
    plan = plan_withdrawal(cause, history, barring(barred), directory, TODAY)
    told = [(n.child_id, n.agency_id) for n in plan.notices]
    assert len(set(told)) == len(told)
    withheld = {leg.leg for leg in plan.withheld}
    held = {e.leg for e in history if e.may_hold and e.kind not in NO_DUTY}
    for leg in held:
        assert (leg in told) + (leg in withheld) + (leg[1] in barred) == 1
    for leg in told:
        assert leg in held or cause is not WithdrawalCause.ENTERED_IN_ERROR


@FEW
@given(causes, histories(), directories, conflicted)
def test_p3_a_conflicted_agency_and_one_without_authority_hear_of_no_withdrawal(
    cause: WithdrawalCause, history: list[Earlier], directory: Directory, barred: frozenset[str]
) -> None:
    plan = plan_withdrawal(cause, history, barring(barred), directory, TODAY)
    for notice in plan.notices:
        assert notice.agency_id not in barred
        found = directory.get(notice.agency_id)
        assert found is not None
        assert found.refusal(TODAY) is None
    assert all(leg.agency_id not in barred for leg in plan.withheld)


@FEW
@given(causes, histories(), directories)
def test_c14_only_an_error_cancels_and_then_everything_and_no_withdrawal_has_content(
    cause: WithdrawalCause, history: list[Earlier], directory: Directory
) -> None:
    plan = plan_withdrawal(cause, history, barring(frozenset()), directory, TODAY)
    ended = {e.notice_id for e in plan.ended}
    last = {e.notice_id for e in plan.last_tries}
    if cause is WithdrawalCause.ENTERED_IN_ERROR:
        assert ended == {e.notice_id for e in history if e.state in WAITING}
        assert last == {e.notice_id for e in history if e.state is DeliveryState.ATTEMPTING}
    else:
        assert not ended | last
    for notice in plan.notices:
        assert (notice.profile, notice.cause, notice.recalls) == (None, cause.value, None)


@FEW
@given(histories(), directories, st.sampled_from(SERIES))
def test_p8_a_plan_of_one_series_touches_no_notice_of_another(
    history: list[Earlier], directory: Directory, series: str
) -> None:
    plan = plan_version(Route((), (), ()), history, directory, TODAY, series)
    assert all(each.series == series for each in (*plan.ended, *plan.last_tries))


@FEW
@given(histories(), directories, st.data())
def test_c12_a_reversal_adds_nobody_and_every_holder_is_told_or_accounted_for(
    history: list[Earlier], directory: Directory, data: st.DataObject
) -> None:
    route = data.draw(routes(directory))
    reversed_ = after_reversal(route, history)
    plan = as_withheld(plan_version(reversed_, history, directory, TODAY, ACCEPTED))
    mine = [e for e in history if e.series == ACCEPTED]
    held = {e.leg for e in mine if e.may_hold}
    told = {(n.child_id, n.agency_id) for n in plan.notices}
    assert told <= held
    assert plan.refused == ()
    accounted = told | {leg.leg for leg in plan.withheld}
    for leg in held:
        latest = max((e for e in mine if e.leg == leg), key=lambda e: e.version)
        assert leg in accounted or latest.kind is NoticeKind.SUPERSESSION
    assert all(n.form is Form.DCF_823 or n.profile is None for n in plan.notices)


@st.composite
def routes(draw: st.DrawFn, directory: Directory) -> Route:
    told = [
        Recipient(
            child,
            each.agency_id,
            Role.FBI,
            "law_enforcement",
            "law",
            "why",
            "r",
            "b",
            draw(st.sampled_from([Form.DCF_737, Form.DCF_823])),
        )
        for child in CHILDREN
        for each in directory.agencies
        if each.authority and draw(st.booleans())
    ]
    return Route(tuple(told), (), (), children=frozenset(CHILDREN))


class Ledger:
    """What the tables would hold: plans applied, attempts begun and ended, nothing else."""

    def __init__(self) -> None:
        self.notices: dict[str, Earlier] = {}
        self._ids = count(1)

    def apply(self, plan: Plan, series: str, version: int, revision: int = 0) -> None:
        over = DeliveryState.WITHDRAWN if series == WITHDRAWAL else DeliveryState.SUPERSEDED
        for each in plan.ended:
            self.notices[each.notice_id] = replace(each, state=over)
        for notice in plan.notices:
            id_ = f"ntc_{next(self._ids)}"
            state = DeliveryState.BLOCKED if notice.blocked else DeliveryState.PENDING
            self.notices[id_] = Earlier(
                id_, "ref_one", notice.child_id, notice.agency_id, notice.role, version,
                notice.kind, state, False, series, revision,
            )  # fmt: skip

    def attempt(self, chosen: int) -> None:
        due = [e for e in self.notices.values() if e.state is DeliveryState.PENDING]
        if due:
            each = due[chosen % len(due)]
            self.notices[each.notice_id] = replace(
                each, state=DeliveryState.ATTEMPTING, may_hold=True
            )

    def check(self) -> None:
        """One open delivery per recipient and series, and what is blocked waits for an attempt."""
        by_leg: dict[tuple[object, str], list[Earlier]] = defaultdict(list)
        for each in self.notices.values():
            by_leg[each.leg, each.series].append(each)
        for mine in by_leg.values():
            flying = [e for e in mine if e.state is DeliveryState.ATTEMPTING]
            waiting = [e for e in mine if e.state in WAITING]
            assert len(waiting) <= 1
            if flying and waiting:
                assert waiting[0].state is DeliveryState.BLOCKED or waiting[0].series == WITHDRAWAL
                assert all(e.version <= waiting[0].version for e in flying)


steps = st.lists(
    st.tuples(st.sampled_from(["amend", "accept", "reverse", "share", "try"]), st.integers(0, 50)),
    max_size=14,
)


@FEW
@given(steps, causes, st.data())
def test_p8_through_any_life_of_a_referral_no_later_version_goes_beside_an_open_attempt(
    steps: list[tuple[str, int]], cause: WithdrawalCause, data: st.DataObject
) -> None:
    directory = Directory(1, tuple(agency(each) for each in AGENCIES), {})
    ledger, version, revision, accepted, shared = Ledger(), 1, 0, False, False

    def plan(series: str, *, holds: bool = True) -> None:
        before = list(ledger.notices.values())
        route = data.draw(routes(directory))
        mine = route if holds else after_reversal(route, before)
        ledger.apply(
            plan_version(mine, before, directory, TODAY, series), series, version, revision
        )

    plan("received")
    for step, chosen in steps:
        match step:
            case "amend":
                version += 1
                plan("received")
                if revision:
                    plan(ACCEPTED, holds=accepted)
                if shared:
                    plan("shr_1")
            case "accept" | "reverse" if (step == "accept") != accepted:
                revision, accepted = revision + 1, step == "accept"
                plan(ACCEPTED, holds=accepted)
            case "share" if not shared:
                shared = True
                plan("shr_1")
            case "try":
                ledger.attempt(chosen)
        ledger.check()
    before = list(ledger.notices.values())
    withdrawal = plan_withdrawal(cause, before, barring(frozenset()), directory, TODAY)
    ledger.apply(withdrawal, WITHDRAWAL, version)
    held = {e.leg for e in before if e.may_hold and e.kind not in NO_DUTY}
    assert held <= {(n.child_id, n.agency_id) for n in withdrawal.notices}
    for notice in withdrawal.notices:
        mine = [e for e in ledger.notices.values() if e.leg == (notice.child_id, notice.agency_id)]
        others = [e for e in mine if e.series != WITHDRAWAL and e.state in OPEN]
        assert notice.blocked == bool(others)
