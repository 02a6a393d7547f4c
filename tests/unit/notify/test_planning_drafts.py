"""From a plan to its rows and events: whose copy goes where, and what is in clear."""

import json
from datetime import UTC, date, datetime

import pytest

from services.notify.delivery.commitment import Committer
from services.notify.directory.agencies import Agency, Kind
from services.notify.directory.register import Directory
from services.notify.directory.towns import judicial_districts
from services.notify.planning.copies import open_copy
from services.notify.planning.drafting import Clerk, Draft, draft, field_names
from services.notify.planning.events import events, tasks_for
from services.notify.planning.intake_client import Projection
from services.notify.planning.occasion import Occasion, PlanRows
from services.notify.planning.plan import plan_version
from services.notify.routing.facts import ReferralFacts
from services.notify.routing.facts_read import FACTS
from services.notify.routing.fanout import route
from services.notify.routing.rulebook import load_rulebook
from shared.contracts.codes import Trigger
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesPlanned, NoticesRefused
from shared.runtime.sealing import Keyring, Sealer, Unsealable, WrappedKey

NOW = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
SEALER = Sealer(Keyring({1: bytes(32)}))
COMMITTER = Committer(bytes(range(32)))
CHILDREN = ("chd_" + "a" * 32, "chd_" + "b" * 32)
REFERRAL = "ref_" + "0" * 32
KINDS = {
    Kind.MUNICIPAL_POLICE: "law_enforcement",
    Kind.FBI: "law_enforcement",
    Kind.CHIEF_STATES_ATTORNEY: "prosecution",
    Kind.HART_LEAD_STATEWIDE: "hart",
    Kind.MDT_MEMBER: "mdt",
}


def directory(*lapsed: Kind) -> Directory:
    return Directory(
        3,
        tuple(
            Agency(
                agency_id=f"agy_{number:032x}",
                kind=kind,
                name=f"Example {kind.value}",
                profile=profile,
                towns=frozenset({"Ansonia", "Derby"}),
                judicial_districts=frozenset({"Ansonia-Milford"}),
                authority=None if kind in lapsed else "CGS 17a-28",
                authority_from=date(2020, 1, 1),
                encrypted_channel=True,
            )
            for number, (kind, profile) in enumerate(KINDS.items())
        ),
        judicial_districts(),
    )


def projection() -> Projection:
    def child(child_id: str, town: str, name: str) -> dict[str, object]:
        copies = {
            profile: {"name": name, "parents": [{"name": f"{profile} sees this of {name}"}]}
            for profile in ("law_enforcement", "prosecution", "hart", "mdt")
        }
        facts = {"ht_type": "sex", "residence_town": None, "incident_towns": [town]}
        return {"child_id": child_id, "facts": facts, "copies": copies}

    return Projection.model_validate(
        {
            "referral_id": REFERRAL,
            "number": "HL-0000-0000",
            "version": 1,
            "trigger": "careline",
            "received_at": "2026-03-03T14:00:00Z",
            "synthetic": True,
            "children": [
                child(CHILDREN[0], "Ansonia", "Test Child One"),
                child(CHILDREN[1], "Derby", "Test Child Two"),
            ],
        }
    )


def drafted(*lapsed: Kind) -> tuple[Draft, PlanRows]:
    fetched, agencies = projection(), directory(*lapsed)
    facts = tuple(child.routing for child in fetched.children)
    referral = ReferralFacts(Trigger.CARELINE, NOW, facts)
    routed = route(referral, agencies, load_rulebook(), NOW)
    plan = plan_version(routed, [], agencies, NOW.date())
    occasion = Occasion(REFERRAL, 1, "2026-1", agencies.version, NOW)
    made = draft(plan, routed, occasion)
    return made, Clerk(SEALER, COMMITTER).rows(made, fetched, {})


def test_p4_a_notice_leads_to_its_own_profiles_copy_of_its_own_child_and_no_other() -> None:
    _, rows = drafted()
    keys = {
        str(row["child_id"]): WrappedKey(row["kek_version"], row["wrapped"])  # type: ignore[arg-type]
        for row in rows.child_keys
    }
    sealed = {(row["child_id"], row["version"], row["profile"]): row for row in rows.copies}
    names = dict(zip(CHILDREN, ("Test Child One", "Test Child Two"), strict=True))
    assert len(rows.notices) == 10
    for notice in rows.notices:
        child_id, profile = str(notice["child_id"]), str(notice["profile"])
        box = sealed[child_id, notice["version"], profile]["sealed"]
        assert isinstance(box, bytes)
        copy = open_copy(SEALER, keys[child_id], child_id, 1, profile, box)
        assert copy["name"] == names[child_id]
        assert json.dumps(copy).count("sees this of") == 1
        assert f"{profile} sees this" in json.dumps(copy)


def test_a_copy_is_sealed_once_per_child_and_profile_however_many_read_it() -> None:
    """Police and FBI share a profile; the facts that routing had lie beside the copies."""
    _, rows = drafted()
    assert len(rows.copies) == 2 * (4 + 1)
    assert len(rows.child_keys) == 2


def test_p5_a_copy_opens_in_its_own_row_only() -> None:
    _, rows = drafted()
    first = rows.copies[0]
    key_row = next(row for row in rows.child_keys if row["child_id"] == first["child_id"])
    key = WrappedKey(key_row["kek_version"], key_row["wrapped"])  # type: ignore[arg-type]
    with pytest.raises(Unsealable):
        open_copy(SEALER, key, CHILDREN[1], 1, str(first["profile"]), first["sealed"])  # type: ignore[arg-type]


def test_p5_nothing_of_a_child_is_in_clear_in_rows_events_or_tasks() -> None:
    made, rows = drafted(Kind.FBI)
    written = repr(rows) + "".join(event.model_dump_json() for event in events(made))
    written += repr(tasks_for(made))
    for secret in ("Test Child", "sees this of", "Ansonia", "Derby"):
        assert secret not in written


def test_a_notice_lists_the_names_of_its_fields_and_never_a_value() -> None:
    _, rows = drafted()
    assert all(notice["fields"] == ["name", "parents.name"] for notice in rows.notices)
    assert sorted(field_names({"a": [], "b": {"c": 1}, "d": [{"e": 2}, {"e": 3}]})) == [
        "a",
        "b.c",
        "d.e",
        "d.e",
    ]


def test_commitments_differ_by_notice_and_need_the_key() -> None:
    copy = {"name": "Test Child One"}
    same = Committer(bytes(range(32))).over("ntc_1", copy)
    assert same == COMMITTER.over("ntc_1", dict(reversed(copy.items())))
    others = {
        COMMITTER.over("ntc_2", copy),
        COMMITTER.over("ntc_1", {}),
        Committer(bytes(32)).over("ntc_1", copy),
    }
    assert len({same, *others}) == 4


def test_p3_a_refusal_is_said_twice_and_becomes_a_task_and_no_notice() -> None:
    made, rows = drafted(Kind.FBI)
    said = list(events(made))
    assert [type(event) for event in said] == [NoticesPlanned, NoticesRefused, DisclosuresRefused]
    assert len(rows.notices) == len(rows.deliveries) == 8
    assert len(rows.refusals) == 2
    filed = tasks_for(made)
    assert {task.about for task in filed} == set(made.refused)
    assert all("no authority on file" in task.detail for task in filed)


def test_a_plan_with_nobody_to_tell_is_still_said() -> None:
    made, rows = drafted(*KINDS)
    planned = next(iter(events(made)))
    assert isinstance(planned, NoticesPlanned)
    assert planned.notices == ()
    assert not rows.notices
    assert {row["profile"] for row in rows.copies} == {FACTS}
