"""What a change of the directory takes away is said before it, and the worst is not to be done
unsaid (P3)."""

from datetime import date
from typing import Any

import pytest

from services.notify.directory.agencies import Kind
from services.notify.directory.changes import body, describe, draft
from services.notify.directory.entries import AgencyEntry
from services.notify.directory.losses import Losses, losses
from tests.support.planning import JWK

DAY = date(2026, 3, 3)
ENDED = "2026-03-02"
STATEWIDE = {
    "csp_statewide": "state_police",
    "fbi": "fbi",
    "csa": "chief_states_attorney",
    "hart_lead": "hart_lead_statewide",
    "hart_director": "hart_director",
}


def entry(number: int, code: str, kind: str, **fields: Any) -> AgencyEntry:
    return AgencyEntry.model_validate(
        {
            "agency_id": f"agy_{number:032x}",
            "code": code,
            "kind": kind,
            "name": f"Example {code}",
            "authority": "CGS 17a-28",
            "authority_from": "2020-01-01",
            "endpoint": "https://example.test/hook",
            "encryption_key": JWK,
        }
        | fields
    )


KNOWN = {
    each.agency_id: each
    for each in (
        entry(1, "ansonia_police", "municipal_police", towns=["Ansonia"]),
        entry(2, "derby_police", "municipal_police", towns=["Derby"]),
        entry(3, "csp_troop_i", "state_police", towns=["Bethany"]),
        entry(4, "colchester_police", "municipal_police", beats=["Colchester@07:00-24:00"]),
        *(entry(10 + n, code, kind) for n, (code, kind) in enumerate(STATEWIDE.items())),
    )
}


def lost(*changes: dict[str, Any]) -> Losses:
    return losses(KNOWN, draft(KNOWN, changes, lambda: f"agy_{99:032x}"), DAY)


@pytest.mark.parametrize(("code", "kind"), STATEWIDE.items())
@pytest.mark.parametrize(
    "change",
    [{"authority_to": ENDED}, {"authority": None}, {"closed": True}, {"encryption_key": None}],
)
def test_p3_the_state_is_not_left_without_a_recipient_unsaid(
    code: str, kind: str, change: dict[str, Any]
) -> None:
    found = lost({"code": code, **change})
    assert found.unsaid([]) == [kind]
    assert found.unsaid([Kind(kind)]) == []
    (line,) = found.lines
    assert line.startswith("! Statewide: no lawful ")
    assert line.endswith(f"Refused unless leaves_without names {kind}.")


@pytest.mark.parametrize("place", [{"towns": ["Ansonia"]}, {"beats": ["Ansonia@00:00-07:00"]}])
def test_p3_a_town_makes_a_troop_of_the_state_police_as_a_whole(place: dict[str, Any]) -> None:
    found = lost({"code": "ansonia_police", "towns": []}, {"code": "csp_statewide", **place})
    assert found.unsaid([]) == ["state_police"]
    assert "a troop, and not the State Police as a whole" in found.lines[0]


def test_p3_a_town_that_is_left_without_police_is_named() -> None:
    (line,) = lost({"code": "ansonia_police", "authority_to": ENDED}).lines
    assert line == (
        "! Ansonia: no lawful police is left: Example ansonia_police, its authority or agreement "
        "has expired."
    )


def test_a_town_that_moves_is_named_with_both() -> None:
    found = lost(
        {"code": "ansonia_police", "towns": []},
        {"code": "csp_troop_i", "towns": ["Ansonia", "Bethany"]},
    )
    assert found.lines == [
        "! Ansonia: Example ansonia_police until now, then Example csp_troop_i: notices about its "
        "children go to others."
    ]
    assert found.unsaid([]) == []


def test_an_hour_of_a_town_that_nobody_has_any_more_is_named() -> None:
    found = lost({"code": "colchester_police", "beats": ["Colchester@08:00-24:00"]})
    assert found.lines == [
        "! Colchester@07:00-24:00: Example colchester_police until now, then no police of its "
        "own: notices about its children go to others."
    ]


def test_what_was_missing_before_and_what_is_new_is_no_loss() -> None:
    kent = {"code": "kent_police", "kind": "municipal_police", "name": "Kent", "towns": ["Kent"]}
    assert lost(kent, {"code": "fbi", "name": "Renamed"}).lines == []


def test_a_sample_does_not_stand_in_for_the_last_real_one() -> None:
    sample = entry(50, "sample_fbi", "fbi", sample=True)
    known = KNOWN | {sample.agency_id: sample}
    changes = draft(known, [{"code": "fbi", "authority_to": ENDED}], lambda: "")
    assert losses(known, changes, DAY).unsaid([]) == ["fbi"]


def test_whoever_approves_reads_it_first() -> None:
    changes = draft(KNOWN, [{"code": "fbi", "closed": True}], lambda: "")
    found = losses(KNOWN, changes, DAY)
    stored = body(changes, DAY, found)
    assert stored["leaves_without"] == ["fbi"]
    assert describe(stored)[1] == found.lines[0]


def test_a_town_is_marked_where_it_changes() -> None:
    changes = draft(KNOWN, [{"code": "derby_police", "towns": ["Derby", "Kent"]}], lambda: "")
    assert "    ! towns: Derby -> Derby, Kent" in describe(body(changes, DAY))
