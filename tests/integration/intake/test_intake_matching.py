"""Whether two children are one: candidates by blind index, and a person's word (C10)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.intake.api import Desk
from services.intake.matching import store
from services.intake.matching.count_store import Counts, count
from services.intake.sweeper import Sweeper
from shared.runtime import keys
from shared.runtime.db import Database
from tests.load.explaining import Explaining, Seen
from tests.support.calls import opened, rows, saved, send, typed
from tests.support.intake import Keys, app_on, child, client_of, desk_on, patch, post, referral


@pytest.fixture
async def worker(desk: Desk, intake_keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A person who may say who is who."""
    async with client_of(app_on(desk, intake_keys), intake_keys, "worker", person=True) as client:
        yield client


async def kept(client: httpx.AsyncClient, key: str, *names: str, **fields: Any) -> dict[str, Any]:
    children = [child(name=name, date_of_birth="2011-02-03") for name in names]
    answer = await post(client, referral(children=children, **fields), key)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def waiting(worker: httpx.AsyncClient, path: str = "/v1/candidates") -> list[Any]:
    answer = await worker.get(path)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["candidates"]
    return found


async def say(
    worker: httpx.AsyncClient, one: str, other: str, same: bool, key: str
) -> httpx.Response:
    body = {"child_ids": [one, other], "same": same}
    return await send(worker, "/v1/candidates/answers", body, key)


def first(made: dict[str, Any]) -> str:
    child_id: str = made["children"][0]["child_id"]
    return child_id


async def counted(db: Database) -> Counts:
    now = datetime.now(UTC)
    async with db.transaction() as session:
        return await count(session, now - timedelta(days=1), now + timedelta(days=1))


async def test_c10_two_callers_about_one_child_are_two_referrals_and_one_person(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one = await kept(client, "one", "Test Child-One")
    other = await kept(client, "two", "ONE, Test Child")
    abandoned = await opened(client)
    (candidate,) = await waiting(worker)
    assert candidate["because"] == ["name", "part_and_birth"]
    assert {side["number"] for side in candidate["children"]} == {one["number"], other["number"]}
    assert await counted(intake_db) == Counts(reports=3, referrals=2, children=2)
    answer = await say(worker, first(one), first(other), True, "yes")
    assert answer.status_code == 201, answer.text
    assert len({each["person_id"] for each in answer.json()["children"]}) == 1
    assert await waiting(worker) == []
    assert await counted(intake_db) == Counts(reports=3, referrals=2, children=1)
    await saved(client, abandoned, typed(children=[child(name="Test Child Two")]))
    await send(client, abandoned["links"]["finish"], {})
    assert await counted(intake_db) == Counts(reports=3, referrals=3, children=2)


async def test_candidates_show_ids_and_numbers_and_no_content(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    await kept(client, "one", "Test Child One")
    await kept(client, "two", "Test Child One")
    (candidate,) = await waiting(worker)
    assert set(candidate) == {"children", "because", "found_at"}
    for side in candidate["children"]:
        assert set(side) == {"child_id", "referral_id", "number", "person_id"}


async def test_p5_no_name_and_no_birth_lies_in_the_index(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    await kept(client, "one", "Canary Voluntown")
    await waiting(worker)
    for table in ("blind_index", "people", "candidates"):
        found = repr(await rows(intake_db, f"SELECT * FROM intake.{table}")).lower()
        assert not any(secret in found for secret in ("canary", "voluntown", "2011"))
    (row,) = await rows(intake_db, "SELECT count(*) AS n FROM intake.blind_index")
    assert row["n"] == 3


async def test_siblings_of_one_referral_and_tests_are_never_candidates(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    await kept(client, "one", "Test Child One", "Test Child One")
    await kept(client, "two", "Test Child One", synthetic=True)
    assert await waiting(worker) == []


async def test_an_answer_is_taken_back_by_a_later_one_and_history_stays(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one, other = [await kept(client, key, "Test Child One") for key in ("one", "two")]
    pair = first(one), first(other)
    for number, same in enumerate((True, False, True)):
        answers = [await say(worker, *pair, same, f"key-{number}") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].content == answers[1].content
        persons = {each["person_id"] for each in answers[0].json()["children"]}
        assert len(persons) == (1 if same else 2)
    history = await rows(intake_db, "SELECT same, answered_by FROM intake.sameness ORDER BY answer")
    assert [each["same"] for each in history] == [True, False, True]
    assert {each["answered_by"] for each in history} == {"worker"}


async def test_an_answer_that_contradicts_others_is_refused(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    a, b, c = [first(await kept(client, key, "Test Child One")) for key in ("a", "b", "c")]
    assert (await say(worker, a, b, True, "1")).status_code == 201
    assert (await say(worker, a, c, False, "2")).status_code == 201
    assert (await say(worker, b, c, True, "3")).status_code == 409
    assert (await say(worker, a, c, True, "4")).status_code == 201
    assert (await say(worker, b, c, True, "3")).status_code == 201


async def test_a_name_that_is_corrected_is_compared_again(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    one = await kept(client, "one", "Test Child One")
    other = await kept(client, "two", "Somebody Else Entirely")
    await kept(client, "three", "Test Child One")
    assert len(await waiting(worker)) == 1
    named = child(name="Nobody Knows", child_id=first(one))
    assert (await patch(client, one["referral_id"], {"children": [named]})).status_code == 200
    assert await waiting(worker) == []
    named = child(name="Nobody Knows", child_id=first(other))
    await patch(client, other["referral_id"], {"children": [named]})
    (candidate,) = await waiting(worker, f"/v1/referrals/{one['referral_id']}/candidates")
    assert candidate["because"] == ["name"]


async def test_two_sweepers_miss_no_pair_and_index_each_referral_once(
    client: httpx.AsyncClient, desk: Desk, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    for number in range(6):
        await kept(client, f"key-{number}", "Test Child One")
    sweepers = [Sweeper(desk.life.chores) for _ in range(3)]
    await asyncio.gather(*(each.sweep_once() for each in sweepers))
    assert len(await waiting(worker)) == 15
    (row,) = await rows(intake_db, "SELECT count(*) AS n FROM intake.people")
    assert row["n"] == 6


async def test_a_new_key_has_everything_indexed_again_and_loses_no_answer(
    client: httpx.AsyncClient, intake_db: Database, tmp_path: Any
) -> None:
    made = Keys.make(tmp_path)

    def desk() -> Desk:
        return desk_on(intake_db, made)

    async with client_of(app_on(desk(), made), made, "worker", person=True) as before:
        one, other, third = [await kept(before, key, "Test Child One") for key in "abc"]
        await say(before, first(one), first(other), True, "yes")
        assert len(await waiting(before)) == 2
    digests = await rows(intake_db, "SELECT digest FROM intake.blind_index")
    keys.make("hmac", made.directory / "matching-2.key")
    async with client_of(app_on(desk(), made), made, "worker", person=True) as after:
        assert len(await waiting(after)) == 2
        await kept(after, "d", "Test Child One")
        assert len(await waiting(after)) == 5
    again = await rows(intake_db, "SELECT digest FROM intake.blind_index")
    assert not {each["digest"] for each in digests} & {each["digest"] for each in again}
    assert third["number"]


async def test_p9_what_is_not_indexed_and_what_is_not_answered_has_an_age(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    async def ages() -> dict[str, float]:
        async with intake_db.transaction() as session:
            return await store.ages(session)

    await kept(client, "one", "Test Child One")
    await kept(client, "two", "Test Child One")
    before = await ages()
    assert before["unindexed"] > 0 == before["candidate"]
    await waiting(worker)
    after = await ages()
    assert after["unindexed"] == 0 < after["candidate"]


async def test_what_is_indexed_is_looked_up_by_its_keys_however_young_the_tables(
    client: httpx.AsyncClient, intake_db: Database
) -> None:
    made = await kept(client, "one", "Test Child One", "Test Child Two")
    seen = Seen()
    async with intake_db.transaction() as session:
        found = await store.unindexed(Explaining(session._connection, seen), 20)
    assert {each.child.child_id for each in found} == {c["child_id"] for c in made["children"]}
    ((plan,),) = seen.plans.values()
    assert "Index Scan documents_pkey" in plan.nodes
    assert "Hash Join" not in plan.nodes  # It would hash every document of that version.


async def test_p10_only_a_person_is_shown_candidates_and_unknown_children_are_the_one_404(
    client: httpx.AsyncClient, worker: httpx.AsyncClient
) -> None:
    one = first(await kept(client, "one", "Test Child One"))
    assert (await client.get("/v1/candidates")).status_code == 403
    assert (await say(client, one, one, True, "machine")).status_code == 403
    unknown = await say(worker, one, f"chd_{'0' * 32}", True, "unknown")
    assert (unknown.status_code, unknown.content) == (404, (await worker.get("/v1/no")).content)
    itself = await say(worker, one, one, True, "itself")
    assert itself.json()["errors"][0]["pointer"] == "#/child_ids/1"


async def test_c10_what_was_entered_in_error_counts_nowhere(
    client: httpx.AsyncClient, worker: httpx.AsyncClient, intake_db: Database
) -> None:
    one = await kept(client, "one", "Test Child One")
    other = await kept(client, "two", "Test Child Two")
    call = await opened(client)
    await send(worker, f"{call['links']['self']}/closing", {"why": "not_a_report"}, "close")
    paths = [f"/v1/referrals/{each['referral_id']}/withdrawal" for each in (one, other)]
    await send(worker, paths[0], {"cause": "entered_in_error"}, "error")
    await send(worker, paths[1], {"cause": "false_report"}, "false")
    assert await counted(intake_db) == Counts(reports=1, referrals=1, children=1)
