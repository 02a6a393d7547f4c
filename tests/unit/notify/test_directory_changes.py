"""A draft of changes, in words, as a file, and which towns it leaves without a recipient."""

from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from services.notify.directory import file as directory_file
from services.notify.directory.changes import Invalid, body, draft, read_body
from services.notify.directory.coverage import gaps, report
from services.notify.directory.difference import EntryChange, lines, summary
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.register import Directory
from shared.contracts.codes import RefusalReason
from shared.runtime.errors import Misconfigured
from tests.support.planning import JWK

DAY = date(2026, 3, 3)


def entry(number: int, **fields: Any) -> AgencyEntry:
    return AgencyEntry.model_validate(
        {
            "agency_id": f"agy_{number:032x}",
            "code": f"example_{number}",
            "kind": "municipal_police",
            "name": f"Example {number}",
            "towns": ["Ansonia"],
            "authority": "CGS 17a-28",
            "authority_from": "2020-01-01",
            "endpoint": "https://example.test/hook",
            "encryption_key": JWK,
            "contact": "Desk 555-0100",
        }
        | fields
    )


KNOWN = {each.agency_id: each for each in (entry(1), entry(2, towns=["Derby"]))}


def ids() -> Callable[[], str]:
    numbers = count(100)
    return lambda: f"agy_{next(numbers):032x}"


def drafted(*changes: dict[str, Any]) -> list[EntryChange]:
    return draft(KNOWN, changes, ids())


def test_a_change_names_only_what_becomes_different() -> None:
    (change,) = drafted({"code": "example_1", "name": "Renamed"})
    assert change.before == KNOWN[change.after.agency_id]
    assert change.fields == ["name"]
    assert change.after.towns == ["Ansonia"]


def test_what_changes_nothing_is_left_out() -> None:
    assert (
        drafted({"code": "example_1", "name": "Example 1", "towns": ["Ansonia", "Ansonia"]}) == []
    )


def test_an_unknown_code_is_a_new_agency() -> None:
    (change,) = drafted({"code": "new_one", "kind": "fbi", "name": "New"})
    assert change.before is None
    assert (change.after.agency_id, change.after.profile) == (f"agy_{100:032x}", "law_enforcement")
    assert change.watched == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"code": "example_1", "towns": ["Atlantis"]}, ("towns", 0)),
        ({"code": "example_1", "beats": ["Ansonia@7-9"]}, ("beats", 0)),
        ({"code": "example_1", "beats": ["Atlantis/x"]}, ("beats", 0)),
        ({"code": "example_1", "max_in_flight": 0}, ("max_in_flight",)),
        ({"code": "example_1", "max_per_minute": "12"}, ("max_per_minute",)),
        ({"code": "example_1", "max_per_minute": True}, ("max_per_minute",)),
        ({"code": "example_1", "offices": ["Atlantis"]}, ("offices", 0)),
        ({"code": "example_1", "endpoint": "ftp://example.test"}, ("endpoint",)),
        ({"code": "example_1", "encryption_key": {"kty": "oct", "k": "A"}}, ("encryption_key",)),
        ({"code": "example_1", "allowed_networks": ["all"]}, ("allowed_networks", 0)),
        ({"code": "example_1", "mou_to": "2027-01-01"}, ()),
        ({"code": "example_1", "authority_to": "2019-01-01"}, ()),
        ({"code": "example_1", "successor": "example_2"}, ()),
        ({"code": "example_1", "profile": "hart"}, ()),
        ({"code": "example_1", "surprise": 1}, ("surprise",)),
        ({"agency_id": f"agy_{1:032x}", "code": "example_2"}, ("code",)),
        ({"kind": "fbi", "name": "No code"}, ("code",)),
        ({"code": "new_one", "name": "No kind"}, ("kind",)),
    ],
)
def test_what_is_wrong_is_told_by_place(change: dict[str, Any], place: tuple[object, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        drafted({"code": "example_2", "name": "Fine"}, change)
    assert (1, place) in [(at, tuple(error["loc"])) for at, error in caught.value.errors]


def test_one_agency_twice_is_refused() -> None:
    with pytest.raises(Invalid):
        drafted({"code": "example_1", "name": "A"}, {"code": "example_1", "name": "B"})


def test_a_draft_is_the_same_when_it_is_read_back() -> None:
    changes = drafted(
        {"code": "example_1", "authority": None, "authority_from": None},
        {"code": "new_one", "kind": "mdt_member", "name": "New", "affiliations": ["example_1"]},
    )
    assert read_body(body(changes, DAY)) == (DAY, changes)


def test_the_difference_is_in_words_and_marks_what_must_not_change_unseen() -> None:
    changes = drafted(
        {"code": "example_1", "endpoint": "https://new.example.test", "name": "Renamed"},
        {"code": "new_one", "kind": "fbi", "name": "New", "encryption_key": JWK},
    )
    assert lines(changes, DAY) == [
        "2 agencies change with effect from 2026-03-03.",
        "~ example_1 Renamed (municipal_police)",
        "    ! endpoint: https://example.test/hook -> https://new.example.test",
        "      name: Example 1 -> Renamed",
        "+ new_one New (fbi)",
        "    ! channel: encrypted",
        "    ! encryption_key: key cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
        "    ! profile: law_enforcement",
    ]
    assert summary(changes) == "1 new and 1 changed agencies; of those changed: endpoint"


def test_a_file_that_was_exported_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "directory.csv"
    every = entry(3, beats=["Groton/groton_city", "Colchester@07:00-24:00"], mou="MOU, 2024",
                  mou_to="2027-01-01", allowed_networks=["192.0.2.0/24"], sample=True,
                  max_in_flight=4, max_per_minute=30)  # fmt: skip
    known = KNOWN | {every.agency_id: every}
    file.write_text(directory_file.write(known.values()))
    assert draft(known, directory_file.read(file), ids()) == []


def test_a_column_left_out_changes_nothing_and_an_empty_cell_empties(tmp_path: Path) -> None:
    file = tmp_path / "directory.csv"
    file.write_text("code,contact,towns\nexample_1,,Ansonia; Derby\n")
    (change,) = draft(KNOWN, directory_file.read(file), ids())
    assert change.fields == ["contact", "towns"]
    assert (change.after.contact, change.after.towns) == (None, ["Ansonia", "Derby"])


def test_a_limit_is_marked_and_an_empty_cell_lifts_it(tmp_path: Path) -> None:
    file = tmp_path / "directory.csv"
    file.write_text("code,max_in_flight,max_per_minute\nexample_1,2,\nexample_2,,\n")
    (change,) = draft(KNOWN, directory_file.read(file), ids())
    assert lines([change], DAY)[2:] == ["    ! max_in_flight: none -> 2"]
    lifted = draft(
        {change.after.agency_id: change.after},
        [{"code": "example_1", "max_in_flight": None}],
        ids(),
    )
    assert lifted[0].after.max_in_flight is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("code,surprise\nexample_1,1\n", "a column is none of"),
        ("", "a column is none of"),
        ("code,name\nexample_1\n", "line 2 has more or fewer cells"),
        ("code,max_in_flight\nexample_1,few\n", "line 2 has a cell that cannot be read"),
        ("code,name\nexample_1,a,b\n", "line 2 has more or fewer cells"),
        ("code,name\n,Nobody\n", "neither agency_id nor code"),
        ("code,encryption_key\nexample_1,{\n", "line 2 has a cell"),
        ("code,closed\nexample_1,maybe\n", "line 2 has a cell"),
    ],
)
def test_a_file_that_is_not_right_is_refused_by_line(
    tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "directory.csv"
    file.write_text(content)
    with pytest.raises(Misconfigured, match=said):
        directory_file.read(file)


def test_an_agreement_that_has_ended_ends_the_authority() -> None:
    agency = entry(1, mou="MOU 7", mou_to="2026-03-02", authority_to="2030-01-01").agency()
    assert agency.refusal(date(2026, 3, 2)) is None
    assert agency.refusal(DAY) is RefusalReason.AUTHORITY_EXPIRED


def test_a_closed_agency_has_no_authority() -> None:
    agency = entry(1, closed=True, successor="example_2").agency()
    assert agency.refusal(DAY) is RefusalReason.NO_AUTHORITY_ON_FILE


def test_coverage_says_which_town_has_nobody_and_why() -> None:
    districts = {"Ansonia": "Ansonia-Milford", "Derby": "Ansonia-Milford", "Kent": "Litchfield"}
    member = entry(3, kind="mdt_member", towns=[], judicial_districts=["Ansonia-Milford"])
    derby = entry(2, towns=["Derby"], authority_to="2025-12-31")
    agencies = tuple(each.agency() for each in (entry(1), derby, member))
    found = [str(gap) for gap in gaps(Directory(1, agencies, districts), DAY)]
    assert found[:3] == [
        "Derby: no lawful police: Example 2, its authority or agreement has expired",
        "Kent: no lawful police: nobody on file",
        "Kent: no lawful MDT member: nobody on file",
    ]
    assert "Statewide: no lawful fbi: nobody on file" in found
    assert report(Directory(1, agencies, districts), DAY)[0] == (
        "Directory version 1 on 2026-03-03: 1 of 3 towns have lawful police and MDT recipients."
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "example_1", "affiliations": ["exmaple_2"]}, "affiliations"),
        ({"code": "example_1", "closed": True, "successor": "nobody"}, "successor"),
        ({"agency_id": f"agy_{1:032x}", "code": "another"}, "code"),
        ({"code": "example_1", "name": "Example\n1"}, "name"),
        ({"code": "example_1", "name": "Example\u200b1"}, "name"),
    ],
)
def test_p3_what_a_conflict_follows_is_held_together(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as found:
        drafted(change)
    assert [each["loc"][0] for _, each in found.value.errors] == [field]


def test_an_affiliation_of_an_agency_among_the_changes_is_one_of_somebody() -> None:
    member = {"code": "member", "kind": "mdt_member", "name": "M", "affiliations": ["example_1"]}
    closed = {"code": "example_2", "closed": True, "successor": "example_1"}
    assert len(drafted(member, closed)) == 2


def test_an_affiliation_of_nobody_is_shown_where_gaps_are() -> None:
    lost = entry(3, affiliations=["example_9"]).agency()
    found = gaps(Directory(1, (lost,), {}), DAY)
    assert "Example 3: no lawful affiliation: no agency on file has the code example_9" in map(
        str, found
    )
