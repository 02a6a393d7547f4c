"""What other rules would change: at every stage, and in everything that a rule decides of a leg."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from services.notify.directory.agencies import Kind
from services.notify.directory.register import Directory
from services.notify.routing.facts import Asserted, ChildFacts, ImplicatedKind, ReferralFacts
from services.notify.routing.replay import Change, Difference, Past, replay
from services.notify.routing.rule import Condition, Form, Rule, Rulebook
from services.notify.routing.sample_year import REFERRALS, sample_year
from shared.contracts.codes import HtType, Stage, Trigger
from tests.support.routing import NOW, RULES, agency, changed, child, directory, officer

IN_ANSONIA = child("Ansonia", home="Ansonia")
AT_SCHOOL = replace(IN_ANSONIA, implicated=frozenset([officer(ImplicatedKind.SCHOOL_EMPLOYEE)]))
POLICE_IN_CONFLICT = frozenset([Asserted("agy_ansonia_police")])


def past(
    *children: ChildFacts, conflicts: Iterable[Asserted] = (), reached: Iterable[Stage] = ()
) -> Past:
    facts = ReferralFacts(Trigger.CARELINE, NOW, children, conflicts=frozenset(conflicts))
    return Past("ref_one", 1, facts, NOW, reached=frozenset({Stage.RECEIVED, *reached}))


def with_rule(id_: str, **fields: Any) -> Rulebook:
    """The rules in which this one is another."""
    assert any(each.id == id_ for each in RULES.rules)
    rules = (replace(each, **fields) if each.id == id_ else each for each in RULES.rules)
    return replace(RULES, version="new", rules=tuple(rules))


def without(id_: str) -> Rulebook:
    return replace(RULES, rules=tuple(each for each in RULES.rules if each.id != id_))


def compared(new: Rulebook, *referrals: Past, by: Directory | None = None) -> Difference:
    return replay(referrals, lambda _: by or directory(), RULES, new)


@pytest.mark.parametrize(
    ("rules", "of", "stage", "says"),
    [
        (
            with_rule("accepted.education", citation="CGS 0-0"),
            AT_SCHOOL,
            Stage.ACCEPTED,
            "~ accepted: told Education (authority CGS 17a-101j(b); CGS 17a-28 becomes "
            "CGS 0-0; CGS 17a-28): 1",
        ),
        (
            with_rule("accepted.regional_office", form=Form.DCF_737),
            IN_ANSONIA,
            Stage.ACCEPTED,
            "~ accepted: told Regional Office Milford (form dcf_823 becomes dcf_737): 1",
        ),
        (
            with_rule("consult.mdt", purpose="Another {purpose}"),
            IN_ANSONIA,
            Stage.CONSULT_SHARED,
            "~ consult_shared: told Mdt Milford Police (purpose Multidisciplinary team case review "
            "of the HART consult becomes Another {purpose}): 1",
        ),
        (
            with_rule("accepted.regional_office", profile="mdt"),
            IN_ANSONIA,
            Stage.ACCEPTED,
            "~ accepted: told (profile child_protection, form dcf_823) becomes refused "
            "(no_authority_on_file): Regional Office Milford: 1",
        ),
        (
            without("accepted.education"),
            AT_SCHOOL,
            Stage.ACCEPTED,
            "- accepted: told Education (profile licensing, form dcf_737): 1",
        ),
        (
            with_rule("every.hart_director_review", citation="DCF Policy 0-0"),
            IN_ANSONIA,
            Stage.RECEIVED,
            "~ received: review hart_director (the reason given, or its citation): 1",
        ),
        (
            with_rule("careline.fbi", ht_types=frozenset({HtType.LABOR})),
            IN_ANSONIA,
            Stage.WITHDRAWN,
            "- withdrawn: told Fbi (form withdrawal): 1",
        ),
        (
            with_rule("careline.fbi", stage=Stage.WITHDRAWN),
            IN_ANSONIA,
            Stage.WITHDRAWN,
            "+ withdrawn: named in vain Fbi (profile law_enforcement, form dcf_737): 1",
        ),
    ],
)
def test_a_change_of_any_stage_is_shown_where_the_referral_never_came_to_it(
    rules: Rulebook, of: ChildFacts, stage: Stage, says: str
) -> None:
    found = compared(rules, past(of))
    lines = list(found.lines())
    assert lines[0] == "1 referral versions replayed, 1 differ."
    assert says in lines
    assert found.by_stage[stage] == 1


def test_how_many_came_to_a_stage_and_how_many_are_replayed_as_if_they_had() -> None:
    found = compared(RULES, past(IN_ANSONIA), past(IN_ANSONIA, reached=[Stage.ACCEPTED]))
    assert (
        "accepted: 0 differ. 1 came to it; the others are replayed as if they had." in found.lines()
    )


def test_c16_the_stand_ins_of_an_asserted_conflict_are_compared() -> None:
    substitutes = tuple(
        replace(each, by=each.by[:1]) if each.id == "instead_of.local_police" else each
        for each in RULES.substitutes
    )
    rules = replace(RULES, substitutes=substitutes)
    nobody_implicated = compared(rules, past(IN_ANSONIA))
    assert nobody_implicated.changed == 0
    assert next(nobody_implicated.lines()) == (
        "1 referral versions replayed, 0 differ; 1 changed rule is called for by none of them."
    )
    in_conflict = compared(rules, past(IN_ANSONIA, conflicts=POLICE_IN_CONFLICT))
    assert "- received: stands in Fbi: 1" in in_conflict.lines()
    assert in_conflict.called_for["instead_of.local_police"] > 0


def test_a_change_that_no_referral_calls_for_never_passes_for_no_change() -> None:
    found = compared(with_rule("accepted.education", citation="CGS 0-0"), past(IN_ANSONIA))
    lines = list(found.lines())
    assert lines[0] == (
        "1 referral versions replayed, 0 differ; 1 changed rule is called for by none of them."
    )
    assert lines[-1] == (
        "Rule ~ accepted.education: citation “CGS 17a-101j(b)” becomes “CGS 0-0” "
        "(no referral replayed calls for it)"
    )


def test_the_same_rules_differ_in_nothing() -> None:
    found = compared(replace(RULES, version="renamed"), past(IN_ANSONIA))
    lines = list(found.lines())
    assert lines[0] == "1 referral versions replayed, 0 differ."
    assert len(lines) == 1 + len(Stage)


def test_each_is_routed_by_the_directory_of_its_version() -> None:
    later = agency("ansonia_police", Kind.MUNICIPAL_POLICE, "Ansonia")
    by = {1: directory(), 2: changed(replace(later, name="Renamed Police"))}
    referrals = [replace(past(IN_ANSONIA), directory_version=number) for number in by]
    found = replay(referrals, by.__getitem__, RULES, without("careline.local_police"))
    told = [says for stage, _, says in found.totals if stage is Stage.RECEIVED]
    assert {each.split(" (")[0] for each in told} == {"told Ansonia Police", "told Renamed Police"}


def test_every_change_is_handed_on_by_id_and_without_a_town() -> None:
    changes: list[Change] = []
    replay(
        [past(IN_ANSONIA)],
        lambda _: directory(),
        RULES,
        without("careline.fbi"),
        each_change=changes.append,
    )
    assert [(each.stage, each.child_id, each.sign) for each in changes] == [
        (Stage.RECEIVED, "chd_one", "-"),
        (Stage.WITHDRAWN, "chd_one", "-"),
    ]


def test_progress_ends_with_the_whole_count() -> None:
    told: list[int] = []
    replay([past(IN_ANSONIA)] * 1001, lambda _: directory(), RULES, RULES, told.append)
    assert told == [500, 1000, 1001]


def _every_rule_changed() -> Rulebook:
    return replace(
        RULES,
        rules=tuple(replace(each, purpose="Another") for each in RULES.rules),
        substitutes=tuple(replace(each, citation="Another") for each in RULES.substitutes),
    )


def test_the_sample_year_calls_for_every_rule_there_is() -> None:
    found = compared(_every_rule_changed(), *sample_year(NOW))
    found.sample = True
    rules = {each.id for each in RULES.rules} | {each.id for each in RULES.substitutes}
    assert {id_ for id_ in rules if not found.called_for[id_]} == set()
    assert next(found.lines()).startswith("212 made-up referrals of the sample year replayed, 212")


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_of_a_rule_holds_of_somebody_in_the_sample_year(
    condition: Condition,
) -> None:
    rule: Rule = replace(RULES.rules[0], when=(condition,), ht_types=frozenset(HtType))
    children = [one for each in sample_year(NOW) for one in each.facts.children]
    assert any(map(rule.fits, children))
    assert not all(map(rule.fits, children))


def test_the_sample_year_is_the_same_always_and_its_times_lie_in_the_year_before() -> None:
    year = list(sample_year(NOW))
    assert year == list(sample_year(NOW))
    assert len(year) == REFERRALS == 212
    times = [each.facts.received_at for each in year]
    assert times == sorted(times)
    assert (NOW - times[0]).days == 365
    assert times[-1] < NOW
    assert sum(each.facts.children[0].missing_from_care is True for each in year) == 26


def test_the_sample_year_differs_by_a_rule_and_says_that_it_is_made_up() -> None:
    found = compared(without("careline.fbi"), *sample_year(NOW))
    assert found.by_stage[Stage.RECEIVED] == sum(
        each.facts.trigger is Trigger.CARELINE for each in sample_year(NOW)
    )
