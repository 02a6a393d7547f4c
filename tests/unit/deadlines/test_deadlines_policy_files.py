"""Policy files are refused with file, line and what would be right."""

from datetime import date
from pathlib import Path

import pytest

from services.deadlines.__main__ import main
from services.deadlines.book import PolicyBook
from services.deadlines.changes.proposals import examine
from services.deadlines.policy_files import SHIPPED, load, load_calendars
from shared.runtime.errors import Misconfigured

LE12 = (SHIPPED / "le12.yaml").read_text()
BY = next(line.strip() for line in LE12.splitlines() if "by: [" in line)


def refusal(folder: Path, **files: str) -> str:
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(content)
    with pytest.raises(Misconfigured) as refused:
        load(folder)
    return str(refused.value)


def line_of(words: str, content: str) -> int:
    return next(n for n, line in enumerate(content.splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("right", "wrong", "mend"),
    [
        ("hours: 12", "hours: 12h", "a whole number of hours, like `hours: 12`"),
        ("hours: 12", "hours: 0", "a whole number of hours"),
        (
            "hours: 12",
            "minutes: 12",
            "`length.minutes` is not known: known here are calendar, ",
        ),
        (
            "by: [notice.delivered, ",
            "by: [notice.opened, ",
            "facts that count as told: notice.delivered",
        ),
        (BY, "by: []", "facts that count as told: notice.delivered"),
        ("role: local_law_enforcement", "role: police", "the leg: local_law_enforcement, "),
        ("every_agency_told", "any_agency_told", "every_agency_told"),
        ("referral.received", "referral.opened", "what starts it: referral.received"),
        ("citation: ", "citaton: ", "did you mean `citation`?"),
        ("triggers: [", "triggers: [fax, ", "a list of triggers: careline, ongoing_worker"),
        ('"2026-2"', "2026", 'a quoted text, like "2026-1"'),
        ("force: law", "force: custom", "`law` with a citation, or `policy`"),
        ("confidence: high", "confidence: sure", "how sure we are: high, medium, low, or ours"),
        ("policy: le12", "policy: LE 12", "a name in lower case"),
        ("force: law", "force: law\nforce: policy", "`force` is given twice: keep one"),
        ("force: law", "force: law\neffective_from: 2026-02-30", "the first day in Connecticut"),
        ("when: ", "when: [", "this is not YAML"),
    ],
)
def test_a_flaw_is_named_with_file_line_and_mend(
    tmp_path: Path, right: str, wrong: str, mend: str
) -> None:
    content = LE12.replace(right, wrong, 1)
    said = refusal(tmp_path, le12=content).splitlines()
    expected = line_of(wrong.splitlines()[-1], content)
    near = {expected, expected + 1} if "YAML" in mend else {expected}
    assert any(
        line.startswith(tuple(f"{tmp_path / 'le12.yaml'}:{n}: " for n in near)) and mend in line
        for line in said
    ), said


@pytest.mark.parametrize("field", ["length", "basis", "satisfied", "duty", "words", "source"])
def test_a_missing_field_is_named_with_what_to_write(tmp_path: Path, field: str) -> None:
    content = LE12.replace(f"{field}:", f"x_{field}:", 1)
    assert f"`{field}` is missing: write " in refusal(tmp_path, le12=content)


def test_a_law_without_citation_is_refused(tmp_path: Path) -> None:
    content = "\n".join(line for line in LE12.splitlines() if not line.startswith("citation"))
    said = refusal(tmp_path, le12=content)
    assert "`force: law` needs a `citation`; without one write `force: policy`" in said


def test_days_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    content = f"{LE12}effective_from: 2026-02-01\neffective_to: 2026-01-01\n"
    assert "`effective_to` lies before `effective_from`" in refusal(tmp_path, le12=content)


def test_policies_of_one_duty_may_not_overlap(tmp_path: Path) -> None:
    other = LE12.replace("policy: le12", "policy: other") + "effective_from: 2027-01-01\n"
    said = refusal(tmp_path, le12=LE12, other=other)
    line = len(other.splitlines())
    assert f"other.yaml:{line}: on some days it and le12.yaml would both govern" in said


def test_policies_of_one_duty_may_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(f"{LE12}effective_to: 2026-12-31\n")
    new = LE12.replace('"2026-2"', '"2027-1"') + "effective_from: 2027-01-01\n"
    (tmp_path / "new.yaml").write_text(new)
    assert {policy.version for policy in load(tmp_path)} == {"2026-2", "2027-1"}


def test_between_two_versions_of_a_policy_no_day_is_without_one(tmp_path: Path) -> None:
    new = LE12.replace('"2026-2"', '"2026-3"') + "effective_from: 2026-04-01\n"
    said = refusal(tmp_path, old=f"{LE12}effective_to: 2026-02-28\n", new=new)
    line = len(new.splitlines())
    assert f"new.yaml:{line}: no version of le12 governs from 2026-03-01 on: begin then." in said


def test_a_proposal_leaves_no_day_without_a_version_either() -> None:
    le12 = next(policy for policy in load() if policy.policy == "le12")
    book = PolicyBook([le12.model_copy(update={"effective_to": date(2026, 2, 28)})])
    for first, gap in (("2026-04-01", True), ("2026-03-01", False)):
        text = LE12.replace('"2026-2"', '"2026-3"') + f"effective_from: {first}\n"
        found = examine(text, "le12.yaml", load_calendars(), book, date(2026, 1, 1))
        said = "no version of le12 governs from 2026-03-01 on: begin then."
        assert isinstance(found, list) is gap
        assert not gap or [str(each) for each in found] == [
            f"le12.yaml:{len(text.splitlines())}: {said}"
        ]


def test_a_calendar_has_a_name_of_its_own(tmp_path: Path) -> None:
    content = "calendar: every_day\nsource: x\nweekdays: [monday]\n"
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(content)
    with pytest.raises(Misconfigured, match=r"two\.yaml:1: there is a calendar every_day already"):
        load_calendars(tmp_path)


DAYS = LE12.replace("hours: 12", "days: 1\n  calendar: every_day")
ENTRY = (SHIPPED / "entry5d.yaml").read_text()


@pytest.mark.parametrize(
    ("content", "near", "mend"),
    [
        (LE12.replace("[240, 60]", "[720]"), "before_minutes", "before the clock's beginning"),
        (DAYS.replace("[240, 60]", "[44640]"), "before_minutes", "before the clock's beginning"),
        (DAYS.replace("[240, 60]", "[1380]"), "before_minutes", "before the clock's beginning"),
        (LE12.replace("citation", "# "), "force:", "`force: law` needs a `citation`"),
        (LE12.replace("hours: 12", "hours: 12\n  days: 1"), "  hours", "give one of `hours`"),
        (LE12.replace("hours: 12", "days: 5"), "length", "need a `calendar`"),
        (LE12.replace("  role: ", "  # "), "satisfied", "`role` belongs to"),
        (
            f"{LE12}effective_from: 2026-02-01\neffective_to: 2026-01-01\n",
            "effective_to",
            "lies before `effective_from`",
        ),
        (f'{LE12}rewrites: ["2026-1"]\n', "rewrites", "`rewrites` needs an `effective_from`"),
        (
            ENTRY.replace("by: [consult.entered]", "by: [consult.completed]"),
            "  by:",
            "consult.completed starts this clock and would meet it at once",
        ),
    ],
)
def test_what_does_not_fit_together_is_named_where_it_is_mended(
    tmp_path: Path, content: str, near: str, mend: str
) -> None:
    said = refusal(tmp_path, le12=content).splitlines()
    expected = f"{tmp_path / 'le12.yaml'}:{line_of(near, content)}: "
    assert [line for line in said if line.startswith(expected) and mend in line], said


def test_a_policy_has_one_duty(tmp_path: Path) -> None:
    other = LE12.replace('"2026-2"', '"2026-3"').replace("duty: tell_", "duty: inform_")
    said = refusal(tmp_path, le12=LE12, other=other)
    assert "other.yaml:3: its duty is `tell_local_law_enforcement` in le12.yaml" in said


def test_a_version_goes_over_to_one_other(tmp_path: Path) -> None:
    heirs = {
        f"le12_{n}": LE12.replace('"2026-2"', f'"{n}"')
        + f'effective_from: {n}-01-01\neffective_to: {n}-12-31\nrewrites: ["2026-2"]\n'
        for n in (2027, 2028)
    }
    le12 = f"{LE12}effective_to: 2026-12-31\n"
    assert "le12_2027.yaml rewrites 2026-2 too" in refusal(tmp_path, le12=le12, **heirs)


def test_a_version_may_be_given_once(tmp_path: Path) -> None:
    assert "count the version up" in refusal(tmp_path, one=LE12, two=LE12)


@pytest.mark.parametrize("content", ["", "- a list", "just words", "policy: [\n", "\x00"])
def test_what_is_no_policy_is_refused(tmp_path: Path, content: str) -> None:
    assert "le12.yaml:" in refusal(tmp_path, le12=content)


BOMB = "\n".join(
    ["policy: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
)


@pytest.mark.parametrize(
    ("content", "line", "mend"),
    [
        (BOMB, 1, "`&` and `*` are not read here"),
        ("policy: le12\nwords: &a [*a]", 2, "`&` and `*` are not read here"),
        ("policy: le12\nwords: *a", 2, "`&` and `*` are not read here"),
        ("policy: le12\nwords: !!timestamp x", 2, "`!` is not read here"),
        ('policy: le12\nwords: !!int ""', 2, "`!` is not read here"),
        ("policy: le12\nversion: " + "9" * 5000, 2, "there is no such number"),
        ("policy: le12\nversion: 0b_", 2, "there is no such number"),
        ("policy: le12\nversion: 1" + ":59" * 400 + ".5", 2, "there is no such number"),
        ('policy: le12\nwords: "a\\0b"', 2, "a character that cannot be stored"),
        ('policy: le12\nwords: "a\\ud800b"', 2, "a character that cannot be stored"),
        ("policy: le12\n? [a, b]\n: 1\n", 2, "this is not YAML"),
        ("policy: " + "[" * 9000, 1, "too deep"),
    ],
    ids=lambda each: str(each)[:20],
)
def test_what_yaml_makes_of_a_short_text_ends_in_a_sentence_with_its_line(
    tmp_path: Path, content: str, line: int, mend: str
) -> None:
    said = refusal(tmp_path, le12=content)
    assert f"le12.yaml:{line}: " in said
    assert mend in said


def test_of_a_text_that_is_all_wrong_the_first_flaws_are_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, le12="\n".join(f"a{n}: 1" for n in range(4000)))
    assert len(said.splitlines()) == 50


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "le12.yaml").write_bytes(b"policy: \xff\xfe")
    assert "UTF-8" in refusal(tmp_path)


def test_no_policy_at_all_is_refused(tmp_path: Path) -> None:
    assert "no clock would ever run" in refusal(tmp_path)


def test_every_flaw_of_every_file_is_named_at_once(tmp_path: Path) -> None:
    one, two = LE12.replace("hours: 12", "hours: x"), LE12.replace("force: law", "force: x")
    assert len(refusal(tmp_path, one=one, two=two).splitlines()) == 2


def test_the_command_shows_the_shipped_policies_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["policies"]) == 0
    said = capsys.readouterr().out
    assert "le12 2026-2: 12 h for tell_local_law_enforcement (CGS 17a-101b(c), 17a-103(c))." in said
    assert "le12_labor 2026-2: 12 h" in said


def test_the_command_refuses_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "le12.yaml").write_text(LE12.replace("hours: 12", "hours: 12h"))
    assert main(["policies", str(tmp_path)]) == 2
    assert "le12.yaml:" in capsys.readouterr().err
