"""C29 at intake: one child's content is destroyed for good; ids, times and the record stay."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.intake.api import Desk
from services.intake.models import OUTBOX
from shared.contracts.shredding import ContentShredded, ShredOrdered
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id, new_id
from shared.runtime.sealing import Keyring, Sealer, Shredded, WrappedKey
from tests.support.calls import send
from tests.support.intake import Keys, app_on, child, client_of, events_of, patch, post, project
from tests.support.intake import referral as a_referral

ORDER = ("internal:shred", "internal:subjects")


@pytest.fixture
def audit(intake_keys: Keys) -> Mapping[str, str]:
    """What audit's token says."""
    return intake_keys.bearer("audit", ORDER)


async def create(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await post(client, a_referral(**fields), new_event_id())
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


def ids(kept: dict[str, Any]) -> list[str]:
    return [each["child_id"] for each in kept["children"]]


async def shred(
    client: httpx.AsyncClient, child_id: str, audit: Mapping[str, str], order: str | None = None
) -> httpx.Response:
    return await client.post(
        f"/internal/v1/children/{child_id}/shredding",
        json={"shredding_id": order or new_id("shr")},
        headers=audit,
    )


async def emitted(db: Database, *kinds: type) -> list[Any]:
    async with db.transaction() as session:
        rows = await session.execute(text(f"SELECT body FROM {OUTBOX.outbox.fullname} ORDER BY id"))
        return [each for each in events_of([dict(row) for row in rows]) if isinstance(each, kinds)]


async def test_c29_no_key_that_ever_was_opens_what_is_left_in_the_tables(
    client: httpx.AsyncClient, intake_db: Database, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    kept = await create(client)
    (child_id,) = ids(kept)
    async with intake_db.transaction() as session:
        before = (
            await session.execute(text("SELECT * FROM intake.child_keys NATURAL JOIN "
                                       "intake.documents"))
        ).one()  # fmt: skip
    sealer = Sealer(Keyring.load(intake_keys.directory))
    old = WrappedKey(before.kek_version, before.wrapped, before.key_version)
    place = "intake.documents", f"{child_id}/1", before.sealed
    assert b"Test Child One" in sealer.open(old, *place)
    assert (await shred(client, child_id, audit)).status_code == 200
    async with intake_db.transaction() as session:
        left = (await session.execute(text("SELECT * FROM intake.child_keys"))).one()
        names = await session.scalar(text("SELECT count(*) FROM intake.blind_index"))
    assert (bytes(left.wrapped), names) == (b"", 0)
    with pytest.raises(Shredded):
        sealer.open(WrappedKey(left.kek_version, left.wrapped, left.key_version), *place)


async def test_c29_every_way_to_the_content_answers_that_it_is_gone_and_the_status_stays(
    client: httpx.AsyncClient, audit: Mapping[str, str]
) -> None:
    kept = await create(client)
    (child_id,) = ids(kept)
    await shred(client, child_id, audit)
    gone = [
        await project(client, kept["referral_id"]),
        await patch(client, kept["referral_id"], {"ht_characteristics": True}),
        await client.post(
            f"/v1/referrals/{kept['referral_id']}/versions/1/niem",
            json={"profile": "law_enforcement", "purpose": "quality", "authority": "CGS 17a-28"},
        ),
    ]
    assert [each.status_code for each in gone] == [410, 410, 410], [each.text for each in gone]
    assert "Test Child" not in "".join(each.text for each in gone)
    assert (await client.get(f"/v1/referrals/{kept['referral_id']}")).status_code == 200


async def test_c29_a_sibling_stays_readable_and_the_destroyed_child_is_named_as_such(
    client: httpx.AsyncClient, audit: Mapping[str, str]
) -> None:
    children = [child(name="Test Child One"), child(name="Test Child Two")]
    kept = await create(client, children=children)
    first, second = ids(kept)
    await shred(client, first, audit)
    shown = (await project(client, kept["referral_id"])).json()
    assert [each["child_id"] for each in shown["children"]] == [second]
    assert shown["shredded"] == [first]
    assert "Test Child One" not in str(shown)


async def test_c29_p8_the_siblings_referral_goes_on_as_if_it_were_its_own(
    desk: Desk, client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    """Amended, decided, read, recused in, withdrawn; what was destroyed is in none of it."""
    children = [child(name="Test Child One"), child(name="Test Child Two")]
    kept = await create(client, children=children)
    path, (first, second) = f"/v1/referrals/{kept['referral_id']}", ids(kept)
    why = {"purpose": "supervision", "authority": "CGS 17a-28(g)"}
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        accept = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
        assert (await send(worker, f"{path}/decisions", accept, "one")).status_code == 201
        await shred(client, first, audit)
        amended = await patch(
            client,
            kept["referral_id"],
            {"children": [children[1] | {"child_id": second, "age_years": 13}]},
        )
        assert amended.status_code == 200, amended.text
        shown = (await project(client, kept["referral_id"], 2)).json()
        assert [each["child_id"] for each in shown["children"]] == [second]
        assert shown["shredded"] == [first]
        decline = {"outcome": "not_accepted", "reasons": ["no_specific_incident"], "follows": 1}
        explained = decline | {"explanation": "An example explanation."}
        answer = await send(worker, f"{path}/decisions", explained, "two")
        assert answer.status_code == 201, answer.text
        reading = await send(worker, f"{path}/decisions/readings", why, "three")
        assert [each["child_id"] for each in reading.json()["children"]] == [second]
        internal = f"/internal{path}/decisions/2/critical-incidents"
        told = (await client.post(internal, json=why)).json()
        assert [each["child_id"] for each in told["children"]] == [second]
        assert "Test Child One" not in reading.text + amended.text + answer.text
        error = {"cause": "mistaken_report", "explanation": "An example explanation."}
        withdrawn = await send(worker, f"{path}/withdrawal", error, "four")
        assert withdrawn.status_code == 201, withdrawn.text
    bar = {"referral_id": kept["referral_id"], "person": "worker", "ground": "relative"}
    headers = intake_keys.bearer("lead", ["recusals:assert"], person=True)
    headers["Idempotency-Key"] = "five"
    assert (await client.post("/v1/recusals", json=bar, headers=headers)).status_code == 201


async def test_c29_nothing_new_is_said_of_a_destroyed_child_and_the_error_says_where(
    desk: Desk, client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    """Refused, never dropped unsaid: what cannot be sealed for the child cannot be kept."""
    children = [child(name="Test Child One"), child(name="Test Child Two")]
    kept = await create(client, children=children)
    first, second = ids(kept)
    await shred(client, first, audit)
    both = [children[0] | {"child_id": first}, children[1] | {"child_id": second}]
    refused = await patch(client, kept["referral_id"], {"children": both})
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["#/children/0/child_id"]
    path = f"/v1/referrals/{kept['referral_id']}/decisions"
    accept = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
    form = {"narrative": "An example narrative."}
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        gone = accept | {"critical_incidents": [form | {"child_id": first}]}
        answer = await send(worker, path, gone, "one")
        assert answer.status_code == 422, answer.text
        assert [each["pointer"] for each in answer.json()["errors"]] == [
            "#/critical_incidents/0/child_id"
        ]
        there = accept | {"critical_incidents": [form | {"child_id": second}]}
        decided = await send(worker, path, there, "two")
        assert decided.status_code == 201, decided.text
    (incident,) = decided.json()["critical_incidents"]
    assert incident["child_id"] == second


async def test_c29_the_siblings_form_is_amended_and_the_destroyed_childs_is_gone(
    desk: Desk, client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    kept = await create(client, children=[child(name="Child One"), child(name="Child Two")])
    first, second = ids(kept)
    path = f"/v1/referrals/{kept['referral_id']}/decisions"
    accept = {"outcome": "accepted", "reasons": ["meets_definition"], "follows": 0}
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        decided = (await send(worker, path, accept, "one")).json()
        forms = {each["child_id"]: each["incident_id"] for each in decided["critical_incidents"]}
        await shred(client, first, audit)
        statuses = [
            (
                await worker.patch(
                    f"/v1/critical-incidents/{forms[child_id]}",
                    content=b'{"narrative": "An example narrative."}',
                    headers={"If-Match": '"1"', "Content-Type": "application/merge-patch+json"},
                )
            ).status_code
            for child_id in (first, second)
        ]
    assert statuses == [410, 200]


async def test_c29_it_is_ordered_once_told_to_every_holder_and_confirmed_once(
    client: httpx.AsyncClient, intake_db: Database, audit: Mapping[str, str]
) -> None:
    kept = await create(client)
    (child_id,) = ids(kept)
    order = new_id("shr")
    for _ in range(3):
        assert (await shred(client, child_id, audit, order)).json()["shredding_id"] == order
    found = await emitted(intake_db, ShredOrdered, ContentShredded)
    assert [each.type for each in found] == [ShredOrdered.type, ContentShredded.type]
    assert {(each.referral_id, each.child_id, each.shredding_id) for each in found} == {
        (kept["referral_id"], child_id, order)
    }


async def test_c29_a_destroyed_key_stays_destroyed(
    client: httpx.AsyncClient, intake_db: Database, audit: Mapping[str, str]
) -> None:
    """Not even whoever holds the runtime role puts one back."""
    (child_id,) = ids(await create(client))
    await shred(client, child_id, audit)
    for statement in (
        "UPDATE intake.child_keys SET wrapped = 'x', shredded_at = NULL",
        "DELETE FROM intake.child_keys",
    ):
        with pytest.raises(Exception, match=r"destroyed|violates"):
            async with intake_db.transaction() as session:
                await session.execute(text(statement))


async def test_c29_the_sweep_goes_on_with_the_others(
    client: httpx.AsyncClient, desk: Desk, audit: Mapping[str, str]
) -> None:
    (gone,) = ids(await create(client))
    await shred(client, gone, audit)
    await create(client)
    for chore in (*desk.life.chores.values(), *desk.areas.chores.values()):
        await chore()


async def test_whom_a_child_is_follows_what_a_person_confirmed(
    client: httpx.AsyncClient, desk: Desk, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    (one,), (other,) = ids(await create(client)), ids(await create(client))
    await desk.life.chores["index"]()
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        answer = await worker.post(
            "/v1/candidates/answers",
            json={"child_ids": [one, other], "same": True},
            headers={"Idempotency-Key": "same-1"},
        )
        assert answer.status_code in (200, 201), answer.text
    path = f"/internal/v1/children/{one}/subjects"
    found = (await client.get(path, headers=audit)).json()
    assert found["child_ids"] == [one, other]
    assert (found["call_ids"], found["shredded"]) == ([], [])
    await shred(client, other, audit)
    assert (await client.get(path, headers=audit)).json()["shredded"] == [other]


async def test_c29_a_case_flag_goes_with_the_last_child_whenever_it_is_linked(
    client: httpx.AsyncClient, desk: Desk, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    kept = await create(client)
    (child_id,) = ids(kept)
    case = {"case_number": "C-77", "reasons": "Example reasons"}
    scopes = ("case_flags:create", "case_flags:link", "case_flags:read")
    async with client_of(app_on(desk, intake_keys), intake_keys) as worker:
        worker.headers.update(intake_keys.bearer("director", scopes, person=True))
        linked = case | {"referral_id": kept["referral_id"]}
        before = (await send(worker, "/v1/case-flags", linked, "f1")).json()["flag_id"]
        after = (await send(worker, "/v1/case-flags", case | {"case_number": "C-78"}, "f2")).json()[
            "flag_id"
        ]
        subjects = f"/internal/v1/children/{child_id}/subjects"
        assert (await client.get(subjects, headers=audit)).json()["record_ids"] == [before]
        await shred(client, child_id, audit)
        link = f"/v1/case-flags/{after}/referral"
        named = {"referral_id": kept["referral_id"]}
        assert (await send(worker, link, named, "l1")).status_code == 201
        for flag in (before, after):
            read = await send(worker, f"/v1/case-flags/{flag}/content", {"purpose": "triage"}, "r")
            assert (read.status_code, "Example" in read.text) == (410, False)


async def test_p10_only_audit_may_order_or_ask(
    client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    (child_id,) = ids(await create(client))
    path = f"/internal/v1/children/{child_id}"
    assert (await client.get(f"{path}/subjects")).status_code == 403
    assert (await shred(client, child_id, intake_keys.bearer())).status_code == 403
    nobody = f"chd_{0:032x}"
    assert (await shred(client, nobody, audit)).status_code == 404
    assert (await shred(client, "chd_1", audit)).status_code == 404
    unknown = await client.get(f"/internal/v1/children/{nobody}/subjects", headers=audit)
    assert unknown.status_code == 404


async def test_c29_the_tables_of_a_year_count_a_destroyed_child_as_it_was_counted(
    desk: Desk, client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    children = [child(race_ethnicity=["hispanic"]), child(race_ethnicity=["asian"])]
    kept = await create(client, children=children)
    first, second = ids(kept)
    year = kept["received_at"][:4]
    before = await exact(desk, intake_keys, year)
    await shred(client, first, audit)
    assert await exact(desk, intake_keys, year) == before
    later = {"children": [children[1] | {"child_id": second, "age_years": 13}]}
    assert (await patch(client, kept["referral_id"], later)).status_code == 200
    assert await exact(desk, intake_keys, year) == before


async def test_c29_an_answer_about_the_sibling_counts_a_destroyed_child_as_it_was_counted(
    desk: Desk, client: httpx.AsyncClient, intake_keys: Keys, audit: Mapping[str, str]
) -> None:
    kept = await create(
        client, children=[child(race_ethnicity=["hispanic"]), child(race_ethnicity=["asian"])]
    )
    (first, second), (other,) = ids(kept), ids(await create(client))
    year = kept["received_at"][:4]
    await exact(desk, intake_keys, year)
    await shred(client, first, audit)
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as worker:
        same = {"child_ids": [second, other], "same": True}
        answer = await send(worker, "/v1/candidates/answers", same)
        assert answer.status_code in (200, 201), answer.text
    tables = await exact(desk, intake_keys, year)
    counted = {row["row"]: row["count"] for each in tables for row in each["rows"]}
    assert [counts for row, counts in counted.items() if "Hispanic" in row] == [1], counted


async def exact(desk: Desk, made: Keys, year: str) -> Any:
    headers = made.bearer("officer", ["statistics:exact"], person=True)
    async with client_of(app_on(desk, made), made) as client:
        answer = await client.get(f"/v1/statistics/{year}/exact", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["tables"]
