"""What holds of every route, whatever is known, whoever is implicated, whoever is on file."""

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.directory.agencies import POLICE, Agency, Kind
from services.notify.directory.jurisdiction import Beat, Hours
from services.notify.directory.register import Directory
from services.notify.directory.towns import dcf_offices, judicial_districts
from services.notify.routing.facts import (
    Asserted,
    ChildFacts,
    Implicated,
    ImplicatedKind,
    Place,
    PlaceKind,
    ReferralFacts,
)
from services.notify.routing.fanout import route
from services.notify.routing.routes import Route
from services.notify.routing.rule import Condition, Effect, Rule
from services.notify.routing.rulebook import MANDATED
from shared.contracts.codes import HtType, RefusalReason, Stage, Trigger
from tests.support.routing import AGENCIES, NOW, PROFILES, RULES, changed
from tests.support.routing import directory as register

TOWNS = ("Ansonia", "Colchester", "Groton", "Ledyard", "Windham")
PARTS = (None, "groton_city", "mohegan")
DAY = NOW.date()
FEW = settings(max_examples=60, deadline=None)

towns = st.sampled_from(TOWNS)
someone = st.integers(0, 11)
implicated = st.builds(
    Implicated,
    st.sampled_from(ImplicatedKind),
    st.none()
    | someone.map("code_{}".format)
    | st.sampled_from(("Nobody On File", "Example PD", "AGENCY  one", "agency two")),
)
places = st.builds(
    Place,
    st.sampled_from(PlaceKind),
    st.none() | towns,
    st.sampled_from(PARTS),
    st.sampled_from((None, "mohegan", "other")),
    st.none() | st.sampled_from((NOW, NOW.replace(hour=6))),
)
maybe = st.none() | st.booleans()


@st.composite
def children(draw: st.DrawFn) -> tuple[ChildFacts, ...]:
    return tuple(
        ChildFacts(
            f"chd_{number}",
            draw(st.sampled_from(HtType)),
            draw(st.none() | towns),
            draw(st.frozensets(towns, max_size=3)),
            draw(st.sampled_from((None, "CT", "NY"))),
            draw(st.frozensets(places, max_size=2)),
            draw(st.booleans()),
            draw(maybe),
            None,
            draw(maybe),
            draw(maybe),
            draw(st.frozensets(implicated, max_size=2)),
        )
        for number in range(draw(st.integers(1, 3)))
    )


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    def one(number: int) -> Agency:
        kind = draw(st.sampled_from(Kind))
        beat = Beat(draw(towns), draw(st.sampled_from(PARTS)), draw(st.sampled_from(HOURS)))
        return Agency(
            f"agy_{number}",
            kind,
            draw(st.sampled_from(("Agency One", "Agency Two", f"Agency {number}"))),
            draw(st.sampled_from((PROFILES.get(kind, "law_enforcement"), "mdt"))),
            draw(st.frozensets(towns, max_size=2)),
            draw(st.frozensets(st.sampled_from(("Windham", "New London")), max_size=2)),
            draw(st.sampled_from((None, "CGS 17a-28", "CGS 17a-28"))),
            DAY,
            draw(st.sampled_from((None, DAY, DAY.replace(day=1)))),
            draw(st.integers(0, 3)) > 0,
            code=f"code_{number}",
            beats=draw(st.sampled_from(((), (beat,)))),
            affiliations=draw(st.frozensets(someone.map("code_{}".format), max_size=1)),
        )

    count = draw(st.integers(0, 12))
    agencies = tuple(one(number) for number in range(count))
    return Directory(1, agencies, judicial_districts(), dcf_offices())


HOURS = (None, Hours(7 * 60, 24 * 60))


@st.composite
def referrals(draw: st.DrawFn) -> ReferralFacts:
    asserted = st.builds(Asserted, someone.map("agy_{}".format), st.sampled_from((None, "chd_0")))
    return ReferralFacts(
        draw(st.sampled_from(Trigger)),
        NOW,
        draw(children()),
        draw(st.sampled_from((Stage.RECEIVED, Stage.RECEIVED, Stage.ACCEPTED))),
        draw(st.frozensets(asserted, max_size=2)),
    )


def routed(referral: ReferralFacts, directory: Directory) -> Route:
    return route(referral, directory, RULES, NOW)


@FEW
@given(referrals(), directories())
def test_p3_no_recipient_without_authority_in_force_profile_and_channel(
    referral: ReferralFacts, directory: Directory
) -> None:
    for each in routed(referral, directory).recipients:
        agency = directory.get(each.agency_id)
        assert agency is not None
        assert agency.refusal(DAY) is None
        assert agency.profile == each.profile


@FEW
@given(referrals(), directories())
def test_p3_no_implicated_agency_is_told_or_counts_and_nobody_of_its_people(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    told = [*found.recipients, *found.stand_ins]
    for child in referral.children:
        named = {each.agency for each in child.implicated}
        asserted = {a.agency_id for a in referral.conflicts if a.child_id in (None, child.child_id)}
        mine = {each.agency_id for each in told if each.child_id == child.child_id}
        for agency_id in mine:
            agency = directory.get(agency_id)
            assert agency is not None
            assert agency.code not in named
            assert agency.agency_id not in asserted
            assert agency.affiliations.isdisjoint(_on_file(named, directory))


NAMES = [*sorted({each.name for each in AGENCIES}), "Example PD", "Nobody On File"]


@FEW
@given(
    st.frozensets(st.sampled_from(("Ansonia", "Ashford", "Montville")), min_size=1),
    st.lists(
        st.tuples(st.sampled_from(ImplicatedKind), st.none() | st.sampled_from(NAMES)), max_size=2
    ),
    st.sampled_from(AGENCIES),
)
def test_p3_nobody_who_may_be_meant_by_an_officer_is_told(
    towns: frozenset[str], implicated: list[tuple[ImplicatedKind, str | None]], twin: Agency
) -> None:
    """As policy says it, not as the code does: alone is left out who is named for certain."""
    directory = changed(replace(twin, agency_id="agy_twin", code="twin"), twin)
    child = ChildFacts(
        "chd_one",
        HtType.SEX,
        incident_towns=towns,
        implicated=frozenset(Implicated(*each) for each in implicated),
    )
    for trigger in Trigger:
        found = routed(ReferralFacts(trigger, NOW, (child,), Stage.RECEIVED), directory)
        told = [a for e in found.recipients if (a := directory.get(e.agency_id)) is not None]
        for each in child.implicated:
            named = [a for a in directory.agencies if _is_called(a, each.agency)]
            assert not [a for a in told if a in named]
            sure = len(named) == 1 and named[0].kind in MAY_BE.get(each.kind, {named[0].kind})
            if not sure and (len(named) != 1 or each.kind in MAY_BE):
                several = bool(named) and all(a.kind in MAY_BE.get(each.kind, Kind) for a in named)
                kinds = set() if several else MAY_BE.get(each.kind, set())
                kinds = kinds | (POLICE if each.agency == "Example PD" and not kinds else set())
                assert not [a.kind for a in told if a.kind in kinds]


MAY_BE = {
    ImplicatedKind.MUNICIPAL_OFFICER: {
        Kind.MUNICIPAL_POLICE,
        Kind.CAMPUS_POLICE,
        Kind.AIRPORT_POLICE,
    },
    ImplicatedKind.RELATIVE_OF_ONE: set(POLICE),
    ImplicatedKind.STATE_TROOPER: {Kind.STATE_POLICE},
    ImplicatedKind.TRIBAL_OFFICER: {Kind.TRIBAL_POLICE},
    ImplicatedKind.FEDERAL_OFFICER: {Kind.FBI},
    ImplicatedKind.PROSECUTOR: {Kind.CHIEF_STATES_ATTORNEY, Kind.STATES_ATTORNEY},
}


def _is_called(agency: Agency, name: str | None) -> bool:
    said = " ".join((name or "").lower().split())
    return said in (agency.name.lower(), agency.code)


def _on_file(named: set[str | None], directory: Directory) -> set[str]:
    return {each.code for each in directory.agencies if each.code and each.code in named}


@FEW
@given(referrals(), directories())
def test_p3_a_trooper_implicated_leaves_out_every_part_of_the_state_police(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    troopers = {each.agency_id for each in directory.of_kind(Kind.STATE_POLICE)}
    for child in referral.children:
        kinds = {each.kind for each in child.implicated if each.agency is None}
        if ImplicatedKind.STATE_TROOPER in kinds:
            mine = {e.agency_id for e in found.recipients if e.child_id == child.child_id}
            assert mine.isdisjoint(troopers)


@FEW
@given(referrals(), directories())
def test_p3_every_mandated_role_has_a_recipient_a_substitute_or_a_refusal_that_is_a_task(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(replace(referral, stage=Stage.RECEIVED), directory)
    seen = {(leg.child_id, leg.role) for leg in found.recipients}
    seen |= {(leg.child_id, leg.role) for leg in found.stand_ins}
    seen |= {(leg.child_id, leg.role) for leg in found.refused}
    for child in referral.children:
        for role in MANDATED[referral.trigger]:
            assert (child.child_id, role) in seen


@FEW
@given(referrals(), directories())
def test_p3_who_is_left_out_is_on_record_and_never_told(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    left = {leg.leg for leg in found.suppressed}
    assert left.isdisjoint({leg.leg for leg in found.recipients})
    assert left.isdisjoint({leg.leg for leg in found.stand_ins})
    assert all(found.bars(child, agency, directory) for child, agency in left)


@FEW
@given(referrals(), directories())
def test_whoever_counts_for_a_role_has_a_notice_of_its_own(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    assert {leg.leg for leg in found.stand_ins} <= {leg.leg for leg in found.recipients}


@FEW
@given(referrals(), directories())
def test_an_agency_has_one_leg_to_a_child(referral: ReferralFacts, directory: Directory) -> None:
    found = routed(referral, directory)
    legs = [leg.leg for leg in found.recipients]
    legs += [leg.leg for leg in found.refused if leg.agency_id is not None]
    assert len(legs) == len(set(legs))


@FEW
@given(
    referrals(),
    st.lists(
        st.tuples(st.sampled_from(RULES.rules), st.frozensets(st.sampled_from(Condition))),
        max_size=6,
    ),
)
def test_p1_an_agency_has_one_leg_to_a_child_whatever_rules_two_people_have_agreed_to(
    referral: ReferralFacts, more: list[tuple[Rule, frozenset[Condition]]]
) -> None:
    """Two legs could not be kept, and nobody at all would be told."""
    added = [
        replace(rule, id=f"more.{n}", when=tuple(sorted(when)))
        for n, (rule, when) in enumerate(more)
    ]
    book = replace(RULES, rules=(*RULES.rules, *added))
    found = route(referral, register(), book, NOW)
    legs = [leg.leg for leg in (*found.recipients, *found.suppressed)]
    legs += [leg.leg for leg in found.refused if leg.agency_id is not None]
    assert len(legs) == len(set(legs))


@FEW
@given(referrals(), directories(), st.randoms(use_true_random=False))
def test_the_same_inputs_in_any_order_have_the_same_answer(
    referral: ReferralFacts, directory: Directory, shuffle: random.Random
) -> None:
    expected = routed(referral, directory)
    assert routed(referral, directory) == expected
    mixed, agencies = list(referral.children), list(directory.agencies)
    shuffle.shuffle(mixed)
    shuffle.shuffle(agencies)
    again = replace(referral, children=tuple(mixed))
    assert routed(again, replace(directory, agencies=tuple(agencies))) == expected


@FEW
@given(referrals(), directories())
def test_more_facts_never_give_a_recipient_another_profile_than_its_own(
    referral: ReferralFacts, directory: Directory
) -> None:
    """Neither does a fact that is added send anybody a form that its rule does not name."""
    bare = replace(
        referral,
        children=tuple(ChildFacts(c.child_id, c.ht_type) for c in referral.children),
        conflicts=frozenset(),
    )
    before = {each.agency_id: each.profile for each in routed(bare, directory).recipients}
    rules = {rule.id: rule for rule in RULES.rules}
    for each in routed(referral, directory).recipients:
        assert before.get(each.agency_id, each.profile) == each.profile
        assert rules[each.rule].profile == each.profile
        assert rules[each.rule].form is each.form


@FEW
@given(referrals(), directories())
def test_nobody_reads_a_town_in_the_words_of_a_leg(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    said = [leg.because for leg in found.recipients] + [leg.because for leg in found.refused]
    said += [leg.because for leg in found.suppressed] + [leg.because for leg in found.matters]
    assert not any(town in words for words in said for town in TOWNS)


@FEW
@given(referrals(), directories())
def test_p4_where_a_protected_child_lives_changes_nothing(
    referral: ReferralFacts, directory: Directory
) -> None:
    protected = tuple(replace(c, address_confidential=True) for c in referral.children)
    moved = tuple(replace(c, residence_town="Groton") for c in protected)
    assert routed(replace(referral, children=protected), directory) == routed(
        replace(referral, children=moved), directory
    )


@FEW
@given(referrals(), directories())
def test_a_matter_for_a_person_discloses_nothing_and_a_refusal_without_agency_says_so(
    referral: ReferralFacts, directory: Directory
) -> None:
    found = routed(referral, directory)
    assert all(each.effect is not Effect.NOTICE for each in found.matters)
    nobody = [leg for leg in found.refused if leg.agency_id is None]
    assert all(leg.reason is RefusalReason.NO_AGENCY_FOR_ROLE for leg in nobody)
