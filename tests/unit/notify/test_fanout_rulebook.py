"""The rules as a file: whole or refused, and complete as shipped."""

from pathlib import Path

import pytest
import yaml

from services.notify.rule import Effect, Selector
from services.notify.rulebook import DCF_737, MANDATED, load_rulebook, profiles
from shared.contracts.codes import HtType, Stage, Trigger
from shared.runtime.errors import Misconfigured


def test_every_rule_cites_a_law_or_the_policy() -> None:
    laws = ("CGS ", "DCF Policy ", "42 USC ", "22 USC ")
    book = load_rulebook()
    citations = [rule.citation for rule in book.rules]
    citations += [each.citation for each in book.substitutes]
    assert all(citation.startswith(laws) for citation in citations)


def test_every_type_of_trafficking_reaches_every_mandated_role_by_one_rule() -> None:
    for trigger, roles in MANDATED.items():
        for ht_type in HtType:
            found = [
                rule.role
                for rule in load_rulebook().of(trigger, Stage.RECEIVED)
                if rule.effect is Effect.NOTICE and not rule.when and ht_type in rule.ht_types
            ]
            assert sorted(found) == sorted(roles)


def test_intake_is_asked_for_the_profiles_of_the_route_and_for_no_other() -> None:
    expected = ["hart", "law_enforcement", "mdt", "prosecution"]
    assert profiles(load_rulebook(), Trigger.CARELINE) == expected


def _shipped() -> dict[str, list[dict[str, object]]]:
    loaded: dict[str, list[dict[str, object]]] = yaml.safe_load(DCF_737.read_text())
    return loaded


def _refusal(tmp_path: Path, content: object) -> str:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(Misconfigured) as caught:
        load_rulebook(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_a_file_that_leaves_out_a_duty_is_refused_by_name(tmp_path: Path) -> None:
    shipped = _shipped()
    shipped["rules"] = [rule for rule in shipped["rules"] if rule["id"] != "careline.fbi"]
    assert "careline, fbi, sex: 0 rules apply" in _refusal(tmp_path, shipped)


def test_a_file_in_which_two_rules_apply_is_refused(tmp_path: Path) -> None:
    shipped = _shipped()
    shipped["rules"].append(shipped["rules"][1] | {"id": "another"})
    assert "2 rules apply" in _refusal(tmp_path, shipped)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"citation": ""}, "citation"),
        ({"select": "whoever"}, "select"),
        ({"because": "{town} town"}, "because"),
        ({"kind": "fbi"}, "kind"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_rule_that_is_not_whole_is_refused_with_its_place(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    shipped = _shipped()
    assert shipped["rules"][0]["select"] == Selector.POLICE_OF_TOWNS
    shipped["rules"][0] |= change
    sentence = _refusal(tmp_path, shipped)
    assert "rules.0" in sentence
    assert said in sentence


def test_a_file_that_is_not_there_or_not_yaml_is_refused_without_a_trace(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        load_rulebook(tmp_path / "missing.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("rules: [")
    with pytest.raises(Misconfigured):
        load_rulebook(broken)
