"""Which names meet, what lies in the index of them, and who is one person."""

from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.blind import BlindIndex
from services.intake.matching.names import Kind, Trait, normalised, traits
from services.intake.matching.people import Contradiction, Pair, pair, regroup
from shared.runtime import keys
from shared.runtime.errors import Misconfigured

CHILDREN = [f"chd_{letter}" for letter in "abcdef"]
PAIRS = [pair(one, other) for one in CHILDREN for other in CHILDREN if one < other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Test Child-One", "ONE, Test Child"),
        ("Zoe\u0308 Example", "ZOË EXAMPLE"),
        ("Seán O'Example", "Sean O\u2019example"),
        ("Straße Test", "STRASSE test"),
        ("\uff34\uff45\uff53\uff54 One", "Test One"),
        ("  Test   One ", "test one"),
    ],
)
def test_two_spellings_of_a_name_meet(one: str, other: str) -> None:
    assert normalised(one) == normalised(other) != ()


def test_names_that_differ_do_not_meet() -> None:
    assert len({normalised(name) for name in ("Test One", "Test Two", "Test Oné Two")}) == 3


@pytest.mark.parametrize("name", ["", "Unknown", "Jane DOE", "(no name)", "N/A", "female child"])
def test_a_placeholder_is_nobodys_name(name: str) -> None:
    assert traits(name, "2011-02-03") == []


def test_a_child_is_found_by_its_whole_name_or_by_a_part_and_its_birth() -> None:
    assert traits("Test One", "2011-02-03") == [
        Trait(Kind.NAME, ("one", "test")),
        Trait(Kind.PART_AND_BIRTH, ("one", "2011-02-03")),
        Trait(Kind.PART_AND_BIRTH, ("test", "2011-02-03")),
    ]
    assert traits("Test One", None) == [Trait(Kind.NAME, ("one", "test"))]
    assert traits("Test", None) == []
    assert traits(None, "2011-02-03") == []


@given(st.text())
def test_any_text_is_a_name_and_normalising_it_again_changes_nothing(name: str) -> None:
    once = normalised(name)
    assert normalised(" ".join(once)) == once


def test_a_digest_is_keyed_and_says_nothing_without_the_key(tmp_path: Path) -> None:
    keys.make("hmac", tmp_path / "matching-1.key")
    keys.make("hmac", tmp_path / "idempotency-1.key")
    trait = Trait(Kind.NAME, ("one", "test"))
    before = BlindIndex.load(tmp_path)
    assert before.digest(trait) == before.digest(trait)
    assert before.digest(trait) != before.digest(Trait(Kind.NAME, ("onetest",)))
    assert before.digest(trait) != before.digest(Trait(Kind.PART_AND_BIRTH, trait.parts))
    keys.make("hmac", tmp_path / "matching-2.key")
    after = BlindIndex.load(tmp_path)
    assert (after.current, after.digest(trait)) != (before.current, before.digest(trait))


def test_a_conflict_is_found_again_under_every_version_of_its_key(tmp_path: Path) -> None:
    for name in ("matching-1", "idempotency-1"):
        keys.make("hmac", tmp_path / f"{name}.key")
    before = BlindIndex.load(tmp_path)
    keys.make("hmac", tmp_path / "idempotency-2.key")
    after = BlindIndex.load(tmp_path)
    (kept,) = before.person("ref_1", "worker")
    assert after.person("ref_1", "worker")[1:] == (kept,)
    assert before.person("ref_2", "worker") != (kept,)
    assert before.case("Case 12-345") == before.case("CASE12345") != before.case("12345")
    assert before.case(" -/") == ()


def test_without_its_key_intake_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"matching-1\.key"):
        BlindIndex.load(tmp_path)


def people() -> dict[str, str]:
    return {child: f"per_{child}" for child in CHILDREN}


def settle(answers: dict[Pair, bool]) -> dict[str, str] | Contradiction:
    fresh = count()
    return regroup(people(), answers, lambda: f"per_new_{next(fresh)}")


def test_who_is_confirmed_is_one_person_also_by_way_of_another() -> None:
    a, b, c, *_ = CHILDREN
    settled = settle({(a, b): True, (b, c): True})
    assert isinstance(settled, dict)
    assert settled[a] == settled[b] == settled[c] == f"per_{a}"
    assert len(set(settled.values())) == len(CHILDREN) - 2


def test_who_was_said_to_be_two_cannot_become_one_by_way_of_another() -> None:
    a, b, c, *_ = CHILDREN
    assert settle({(a, b): True, (b, c): True, (a, c): False}) == Contradiction()


def test_a_person_who_was_two_children_is_split_and_the_first_keeps_the_id() -> None:
    a, b, *_ = CHILDREN
    settled = regroup({a: "per_1", b: "per_1"}, {(a, b): False}, lambda: "per_2")
    assert settled == {a: "per_1", b: "per_2"}


@given(st.dictionaries(st.sampled_from(PAIRS), st.booleans()))
def test_persons_are_exactly_what_the_answers_connect(answers: dict[Pair, bool]) -> None:
    settled = settle(answers)
    reach = {child: {child} for child in CHILDREN}
    for _ in CHILDREN:
        for (one, other), same in answers.items():
            if same:
                joined = reach[one] | reach[other]
                reach[one] = reach[other] = joined
    if isinstance(settled, Contradiction):
        assert any(not same and one in reach[other] for (one, other), same in answers.items())
        return
    for one in CHILDREN:
        for other in CHILDREN:
            assert (settled[one] == settled[other]) == (other in reach[one])
    again = regroup(settled, answers, lambda: "per_never")
    assert again == settled
