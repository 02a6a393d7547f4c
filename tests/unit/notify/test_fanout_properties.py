"""What holds of every route, whatever the referral, the directory and the day."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.directory.towns import judicial_districts
from services.notify.routing.facts import ChildFacts, ReferralFacts
from services.notify.routing.fanout import route as route_referral
from services.notify.routing.routes import Recipient, Refused, Route
from services.notify.routing.rulebook import MANDATED, load_rulebook
from shared.contracts.codes import HtType, Role, Trigger

T = TypeVar("T")

RULES = load_rulebook()
TOWNS = ("Ansonia", "Derby", "Warren", "Putnam", "Hartford", "Windham")
DAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 14, 0, tzinfo=UTC)
PROFILES = ("law_enforcement", "prosecution", "hart", "mdt")

days = st.integers(-3, 3).map(lambda n: DAY + timedelta(days=n))
towns = st.frozensets(st.sampled_from(TOWNS), max_size=3)


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    def agency(number: int) -> Agency:
        return Agency(
            agency_id=f"agy_{number}",
            kind=draw(st.sampled_from(Kind)),
            name=f"Agency {number}",
            profile=draw(st.sampled_from(PROFILES)),
            towns=draw(towns),
            judicial_districts=draw(
                st.frozensets(st.sampled_from(("Windham", "Ansonia-Milford")), max_size=2)
            ),
            authority=draw(st.sampled_from((None, "", "CGS 17a-28"))),
            authority_from=draw(st.none() | days),
            authority_to=draw(st.none() | days),
            encrypted_channel=draw(st.booleans()),
        )

    count = draw(st.integers(0, 9))
    return Directory(1, tuple(agency(number) for number in range(count)), judicial_districts())


@st.composite
def referrals(draw: st.DrawFn) -> list[ChildFacts]:
    return [
        ChildFacts(
            f"chd_{number}",
            draw(st.sampled_from(HtType)),
            draw(st.none() | st.sampled_from(TOWNS)),
            draw(towns),
        )
        for number in range(draw(st.integers(1, 3)))
    ]


triggers = st.sampled_from(Trigger)

FEW = settings(max_examples=50, deadline=None)


def route(trigger: Trigger, children: Sequence[ChildFacts], directory: Directory) -> Route:
    return route_referral(ReferralFacts(trigger, NOW, tuple(children)), directory, RULES, NOW)


def _legs(found: Route) -> list[Recipient | Refused]:
    return [*found.recipients, *found.refused]


@FEW
@given(triggers, referrals(), directories(), st.randoms(use_true_random=False))
def test_the_order_of_children_and_agencies_does_not_matter(
    trigger: Trigger, children: list[ChildFacts], directory: Directory, shuffle: random.Random
) -> None:
    expected = route(trigger, children, directory)
    mixed = replace(directory, agencies=_shuffled(directory.agencies, shuffle))
    assert route(trigger, _shuffled(children, shuffle), mixed) == expected


def _shuffled(items: Sequence[T], shuffle: random.Random) -> tuple[T, ...]:
    mixed = list(items)
    shuffle.shuffle(mixed)
    return tuple(mixed)


@FEW
@given(triggers, referrals(), directories())
def test_p3_nobody_is_told_without_authority_in_force_and_an_encrypted_channel(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    agencies = {agency.agency_id: agency for agency in directory.agencies}
    for recipient in route(trigger, children, directory).recipients:
        agency = agencies[recipient.agency_id]
        assert agency.authority
        assert agency.authority_from is not None
        assert agency.authority_from <= DAY
        assert agency.authority_to is None or agency.authority_to >= DAY
        assert agency.encrypted_channel
        assert agency.profile == recipient.profile


@FEW
@given(triggers, referrals(), directories())
def test_p3_every_mandated_role_of_every_child_has_a_recipient_or_a_refusal(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    found = route(trigger, children, directory)
    legs = {(leg.child_id, leg.role) for leg in _legs(found)}
    assert legs == {(child.child_id, role) for child in children for role in MANDATED[trigger]}


@FEW
@given(triggers, referrals(), directories())
def test_an_agency_is_told_at_most_once_about_a_child(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    found = route(trigger, children, directory)
    legs = [each.leg for each in _legs(found) if each.agency_id is not None]
    assert len(legs) == len(set(legs))


@FEW
@given(triggers, referrals(), directories())
def test_a_childs_route_does_not_depend_on_the_other_children(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    together = route(trigger, children, directory)
    for child in children:
        alone = route(trigger, [child], directory)
        mine = tuple(r for r in together.recipients if r.child_id == child.child_id)
        assert alone.recipients == mine


@FEW
@given(triggers, referrals(), directories())
def test_without_a_town_that_is_policed_a_person_is_asked(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    found = route(trigger, children, directory)
    for child in children:
        if not any(directory.police_of(town) for town in child.towns):
            assert child.child_id in found.unresolved


@FEW
@given(triggers, referrals(), directories())
def test_an_agency_whose_authority_lapses_only_leaves_the_recipients(
    trigger: Trigger, children: list[ChildFacts], directory: Directory
) -> None:
    """Nobody is told in its place, and nobody else is told less: it moves to the refused."""
    before = route(trigger, children, directory)
    for lapsed in directory.agencies:
        agencies = tuple(
            replace(a, authority=None) if a is lapsed else a for a in directory.agencies
        )
        after = route(trigger, children, replace(directory, agencies=agencies))
        gone = set(before.recipients) - set(after.recipients)
        assert set(after.recipients) <= set(before.recipients)
        assert {recipient.agency_id for recipient in gone} <= {lapsed.agency_id}


def test_the_mandated_roles_are_the_five_of_the_policy() -> None:
    assert {trigger: len(roles) for trigger, roles in MANDATED.items()} == {
        Trigger.CARELINE: 5,
        Trigger.ONGOING_WORKER: 5,
    }
    assert MANDATED[Trigger.CARELINE] ^ MANDATED[Trigger.ONGOING_WORKER] == {
        Role.HART_LEAD_STATEWIDE,
        Role.HART_DIRECTOR,
    }
