"""The rules as a file: whole or refused, and complete as shipped."""

from pathlib import Path

import pytest
import yaml

from services.notify.routing.duties import DUTIES, FITS
from services.notify.routing.rule import Effect, Selector
from services.notify.routing.rulebook import (
    DCF_737,
    MANDATED,
    load_rulebook,
    profiles,
    read_rulebook,
)
from shared.contracts.codes import HtType, Role, Stage, Trigger
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
    assert "careline, fbi, sex, labor, sex_and_labor, other: 0 rules apply" in _refusal(
        tmp_path, shipped
    )


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


def _without(*ids: str) -> dict[str, list[dict[str, object]]]:
    shipped = _shipped()
    shipped["rules"] = [rule for rule in shipped["rules"] if rule["id"] not in ids]
    return shipped


@pytest.mark.parametrize("rule_id", [rule.id for rule in load_rulebook().rules])
def test_no_rule_that_ships_can_be_left_out(tmp_path: Path, rule_id: str) -> None:
    rule = next(rule for rule in load_rulebook().rules if rule.id == rule_id)
    sentence = _refusal(tmp_path, _without(rule_id))
    assert f"{rule.role.value}, " in sentence
    assert "0 rules apply; exactly one must (" in sentence
    assert f"`stage: {rule.stage.value}`" in sentence
    assert ", line " in sentence


@pytest.mark.parametrize("rule_id", [rule.id for rule in load_rulebook().rules if rule.when])
def test_a_duty_on_a_condition_cannot_be_narrowed_to_fewer_children(
    tmp_path: Path, rule_id: str
) -> None:
    shipped = _shipped()
    (rule,) = [each for each in shipped["rules"] if each["id"] == rule_id]
    extra = "foreign_national" if rule["when"] != ["foreign_national"] else "missing_from_care"
    rule["when"] = [*_conditions(rule), extra]
    assert f"`when: [{', '.join(_conditions(rule)[:-1])}]`" in _refusal(tmp_path, shipped)


def _conditions(rule: dict[str, object]) -> list[str]:
    found = rule["when"]
    assert isinstance(found, list)
    return found


def test_a_duty_cannot_be_kept_for_some_types_of_trafficking_only(tmp_path: Path) -> None:
    shipped = _shipped()
    (rule,) = [each for each in shipped["rules"] if each["id"] == "missing.ncmec"]
    rule["ht_types"] = ["sex", "sex_and_labor"]
    sentence = _refusal(tmp_path, shipped)
    assert "careline, ncmec, labor, other: 0 rules apply" in sentence
    assert "ongoing_worker, ncmec, labor, other: 0 rules apply" in sentence
    assert "42 USC 671(a)(35)(B)" in sentence


def test_a_duty_of_both_triggers_cannot_be_kept_for_one(tmp_path: Path) -> None:
    shipped = _shipped()
    (rule,) = [each for each in shipped["rules"] if each["id"] == "accepted.siu"]
    rule["trigger"] = "careline"
    sentence = _refusal(tmp_path, shipped)
    assert "ongoing_worker, siu, sex, labor, sex_and_labor, other: 0 rules apply" in sentence
    assert "careline, siu" not in sentence


@pytest.mark.parametrize(
    ("rule_id", "change", "said"),
    [
        ("careline.fbi", {"kind": "licensing"}, "kind: fbi: `kind` must be fbi"),
        ("careline.fbi", {"profile": "mdt"}, "profile: fbi: `profile` must be law_enforcement"),
        ("careline.fbi", {"form": "dcf_823"}, "form: fbi: `form` must be dcf_737"),
        ("careline.fbi", {"stage": "accepted"}, "stage: fbi: `stage` must be received"),
        ("accepted.siu", {"form": "dcf_737"}, "form: siu: `form` must be dcf_823"),
        ("accepted.siu", {"select": "statewide"}, "`select` must be office_of_towns"),
        ("consult.mdt", {"form": "dcf_737"}, "form: mdt: `form` must be consult_outcome"),
        ("missing.ncmec", {"when": []}, "`when` must have missing_from_care"),
        ("accepted.regional_office", {"when": []}, "`when` must have dcf_not_implicated"),
        ("foreign.eligibility_coordinator", {"when": []}, "`when` must have foreign_national"),
        ("every.hart_director_review", {"stage": "withdrawn"}, "no rule tells of a withdrawal"),
    ],
)
def test_what_does_not_fit_a_role_is_refused_with_its_line_and_what_would(
    tmp_path: Path, rule_id: str, change: dict[str, object], said: str
) -> None:
    shipped = _shipped()
    place = [each["id"] for each in shipped["rules"]].index(rule_id)
    shipped["rules"][place] |= change
    sentence = _refusal(tmp_path, shipped)
    (name,) = change
    mine = next(line for line in sentence.splitlines() if f"rules.{place}.{name}:" in line)
    assert said in mine
    written = (tmp_path / "rules.yaml").read_text().splitlines()
    number = int(mine.split(", line ")[1].split(":")[0])
    assert any(name in line for line in written[number - 2 : number])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"by": ["fbi", "licensing", "state_police", "chief_states_attorney"]},
            "licensing may not",
        ),
        ({"by": ["fbi"]}, "in place of campus_police: chief_states_attorney, state_police must"),
        ({"instead_of": ["campus_police"]}, "in place of municipal_police: "),
    ],
)
def test_c16_no_police_are_without_the_stand_ins_that_they_must_have(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    shipped = _shipped()
    shipped["substitutes"][0] |= change
    assert said in _refusal(tmp_path, shipped)


def test_every_role_has_its_fit_and_every_duty_its_law() -> None:
    assert set(FITS) == set(Role)
    laws = ("CGS ", "DCF Policy ", "42 USC ", "22 USC ")
    assert all(duty.citation.startswith(laws) for duty in DUTIES)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("rules:\n", "# A comment.\n\nrules:\n"), True),
        (("ht_types: [labor]", "ht_types:\n      - labor"), True),
        (("[C26]", "[C26, C9]"), False),
        (("CGS 17a-101j(b)", "CGS 17a-101j"), False),
    ],
)
def test_two_files_are_one_if_they_say_the_same(change: tuple[str, str], same: bool) -> None:
    shipped = DCF_737.read_text()
    other = shipped.replace(*change)
    assert other != shipped
    assert (read_rulebook(other, "other").digest == load_rulebook().digest) is same


def test_every_mistake_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    shipped = _without("missing.ncmec", "facility.licensing")
    lines = _refusal(tmp_path, shipped).splitlines()
    assert len(lines) == 4
    assert all(line.startswith(f"{tmp_path}/rules.yaml, line ") for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: one\nversion: two\nrules: []", "line 2: version is given twice"),
        ("version: one\nrules: &again [*again]", "line 2: rules.0"),
        ("version: one\nrules: []\nsubstitute: []", "line 3: substitute: there is no such field"),
        ("rules: []", "line 1: version: this field is needed"),
        ("version: 2026-99-99\nrules: []", "a value cannot be read"),
        (f"rules: {'[' * 5000}", "line 1: lists lie in one another too deep"),
    ],
)
def test_a_text_that_is_no_rules_file_is_refused_with_the_line(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read_rulebook(text, "rules")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("because", "{agency.__class__}"),
        ("because", "{agency.nope}"),
        ("because", "{agency:>99999}"),
        ("because", "{agency!r}"),
        ("because", "{} {0}"),
        ("because", "one\nline"),
        ("citation", "CGS\u200b 1-2"),
        ("id", "a/b"),
        ("id", "Rule careline.fbi: unchanged"),
    ],
)
def test_what_would_be_worked_out_or_misread_is_refused(
    tmp_path: Path, field: str, value: str
) -> None:
    loaded = _shipped()
    loaded["rules"][0][field] = value
    assert f"rules.0.{field}" in _refusal(tmp_path, loaded)


@pytest.mark.parametrize("name", ["2026-2 ", "2026\u20112", "a\0b", "a/b", "a\nb", "", "x" * 65])
def test_a_versions_name_is_plain_so_that_no_other_looks_like_it(name: str) -> None:
    text = yaml.safe_dump({**_shipped(), "version": name})
    with pytest.raises(Misconfigured):
        read_rulebook(text, "rules")


def test_c16_the_fbi_is_not_without_its_stand_ins(tmp_path: Path) -> None:
    loaded = _shipped()
    loaded["substitutes"] = [e for e in loaded["substitutes"] if e["id"] != "instead_of.fbi"]
    assert "fbi" in _refusal(tmp_path, loaded)
