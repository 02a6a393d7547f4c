"""Nobody gets in (P10): tokens, scopes, ownership, and one 404 for everything else."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.intake.api import Desk
from shared.runtime.db import Database
from shared.runtime.ids import new_event_id
from tests.support.databases import FreshDatabase
from tests.support.intake import BASE, Keys, app_on, patch, post, project, referral

REF = f"ref_{'0' * 32}"
CALL = f"cal_{'0' * 32}"
REC = f"rec_{'0' * 32}"
EXPORT = f"exp_{'0' * 32}"
ROUTES = [
    ("POST", "/v1/referrals", "referrals:create"),
    ("PATCH", f"/v1/referrals/{REF}", "referrals:amend"),
    ("GET", f"/v1/referrals/{REF}", "referrals:status"),
    ("POST", f"/v1/referrals/{REF}/versions/1/niem", "referrals:niem"),
    ("GET", "/v1/code-lists", "referrals:create referrals:status"),
    ("POST", f"/internal/v1/referrals/{REF}/versions/1/projections", "internal:projections"),
    ("POST", "/internal/v1/projections", "internal:projections"),
    (
        "POST",
        f"/internal/v1/referrals/{REF}/decisions/1/critical-incidents",
        "internal:projections",
    ),
    ("POST", f"/internal/v1/consults/{REC}/outcome", "internal:projections"),
    ("POST", "/v1/calls", "calls:write"),
    ("GET", f"/v1/calls/{CALL}", "calls:status"),
    ("PUT", f"/v1/calls/{CALL}/draft", "calls:write"),
    ("POST", f"/v1/calls/{CALL}/referral", "calls:write"),
    ("POST", f"/v1/calls/{CALL}/closing", "calls:close"),
    ("POST", f"/v1/calls/{CALL}/readings", "calls:read"),
    ("POST", f"/v1/referrals/{REF}/decisions", "decisions:write"),
    ("GET", f"/v1/referrals/{REF}/decisions", "decisions:status"),
    ("POST", f"/v1/referrals/{REF}/decisions/readings", "decisions:read"),
    ("PATCH", f"/v1/critical-incidents/inc_{'0' * 32}", "incidents:amend"),
    ("POST", f"/v1/referrals/{REF}/withdrawal", "referrals:withdraw"),
    ("POST", f"/v1/referrals/{REF}/links", "referrals:link"),
    ("GET", f"/v1/referrals/{REF}/links", "referrals:link"),
    ("POST", f"/v1/referrals/{REF}/allegations", "referrals:create"),
    ("GET", "/v1/candidates", "children:match"),
    ("GET", f"/v1/referrals/{REF}/candidates", "children:match"),
    ("POST", "/v1/candidates/answers", "children:match"),
    ("POST", "/v1/consults", "consults:request"),
    ("POST", f"/v1/consults/{REC}/liaisons", "consults:assign"),
    ("POST", f"/v1/consults/{REC}/completion", "consults:complete"),
    ("POST", f"/v1/consults/{REC}/entry", "consults:enter"),
    ("POST", f"/v1/consults/{REC}/shares", "consults:share"),
    ("GET", f"/v1/consults/{REC}", "consults:status"),
    ("POST", f"/v1/consults/{REC}/content", "consults:read"),
    ("POST", f"/v1/consults/{REC}/break-glass", "consults:break_glass"),
    ("POST", "/v1/recusals", "recusals:assert"),
    ("POST", f"/v1/recusals/rcs_{'0' * 32}/lifting", "recusals:lift"),
    ("POST", f"/v1/recusals/rcs_{'0' * 32}/lifting/confirmation", "recusals:confirm"),
    ("GET", "/v1/decision-map", "consults:status"),
    ("GET", "/v1/triage", "triage:list"),
    ("GET", f"/v1/triage/{REF}", "triage:list"),
    ("POST", f"/v1/triage/{REF}/versions/1/content", "triage:read"),
    ("POST", f"/v1/triage/{REF}/reviews", "triage:review"),
    ("POST", "/v1/case-flags", "case_flags:create"),
    ("GET", "/v1/case-flags", "case_flags:list"),
    ("POST", f"/v1/case-flags/{REC}/referral", "case_flags:link"),
    ("POST", f"/v1/case-flags/{REC}/content", "case_flags:read"),
    ("POST", "/v1/operations", "operations:create"),
    ("GET", "/v1/operations", "operations:read"),
    ("POST", f"/v1/operations/{REC}/content", "operations:read"),
    ("POST", f"/v1/operations/{REC}/ends", "operations:end"),
    ("POST", "/v1/placements", "placements:propose"),
    ("POST", f"/v1/placements/{REC}/tellings", "placements:tell"),
    ("POST", f"/v1/placements/{REC}/confirmation", "placements:confirm"),
    ("POST", "/v1/repatriations/determinations", "repatriations:determine"),
    ("POST", "/v1/repatriations", "repatriations:permit"),
    ("POST", "/v1/statistics/releases", "statistics:release"),
    ("GET", "/v1/statistics/releases/1", "statistics:read"),
    ("GET", "/v1/statistics/releases/1/tables.csv", "statistics:read"),
    ("GET", "/v1/statistics/releases/1/picture.svg", "statistics:read"),
    ("GET", "/v1/statistics/releases/1/restatement", "statistics:read"),
    ("POST", "/v1/statistics/releases/1/town-rates", "statistics:read"),
    ("GET", "/v1/statistics/releases/1/restatement/exact", "statistics:exact"),
    ("POST", "/v1/statistics/exports", "statistics:export"),
    ("GET", f"/v1/statistics/exports/{EXPORT}", "statistics:export"),
    ("POST", f"/v1/statistics/exports/{EXPORT}/approval", "statistics:approve"),
    ("POST", f"/v1/statistics/exports/{EXPORT}/content", "statistics:export"),
    ("GET", "/v1/statistics", "statistics:read"),
    ("GET", "/v1/statistics/exact", "statistics:exact"),
    ("GET", "/v1/statistics/2017", "statistics:read"),
    ("GET", "/v1/statistics/2017/exact", "statistics:exact"),
]

EVERY_SCOPE = {scope for _, _, scopes in ROUTES for scope in scopes.split()}


@pytest.fixture
async def intake_db(module_database: FreshDatabase) -> AsyncIterator[Database]:
    """One database for all of these: each test has referrals of its own."""
    yield module_database.open("intake")
    await module_database.close()


def test_p10_this_table_names_every_route(desk: Desk, intake_keys: Keys) -> None:
    found = app_on(desk, intake_keys).openapi()["paths"]
    assert sum(len(methods) for methods in found.values()) == len(ROUTES)


@pytest.mark.parametrize(("method", "path", "scope"), ROUTES)
async def test_p10_no_token_or_a_bad_one_is_401_and_a_missing_scope_403(
    client: httpx.AsyncClient, intake_keys: Keys, method: str, path: str, scope: str
) -> None:
    enough = scope.split()
    others = EVERY_SCOPE.difference(enough)
    tokens = [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        (intake_keys.bearer(scopes=others), 403),
        *((intake_keys.bearer(scopes=[each], person=True), None) for each in enough),
    ]
    for headers, expected in tokens:
        answer = await client.request(method, path, headers=headers)
        if expected is None:
            assert answer.status_code not in (401, 403)
        else:
            assert answer.status_code == expected
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_p10_foreign_unknown_and_malformed_ids_answer_with_the_same_bytes(
    client: httpx.AsyncClient, intake_keys: Keys
) -> None:
    kept = (await post(client, referral(), new_event_id())).json()["referral_id"]
    stranger = intake_keys.bearer("another-system")
    asked = [kept, REF, "ref_x", "%00", "ref_" + "\u00e9" * 32, "x" * 5000]
    got = [await client.get(f"/v1/referrals/{each}", headers=stranger) for each in asked]
    client.headers.update(stranger)
    patched = [await patch(client, each, {"source_type": "ems"}) for each in asked]
    stale = [await patch(client, each, {"source_type": "ems"}, '"9"') for each in asked]
    answers = [*got, *patched, *stale, await client.get("/v1/nothing")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    heads = [{k: v for k, v in answer.headers.items() if k != "date"} for answer in answers]
    assert all(head == heads[0] for head in heads)


async def test_only_who_created_it_may_amend_or_ask(
    client: httpx.AsyncClient, intake_keys: Keys
) -> None:
    kept = (await post(client, referral(), new_event_id())).json()
    assert (await client.get(kept["links"]["self"])).status_code == 200
    client.headers.update(intake_keys.bearer("another-system"))
    assert (await client.get(kept["links"]["self"])).status_code == 404
    client.headers.update(intake_keys.bearer("notify"))
    assert (await project(client, kept["referral_id"])).status_code == 200


async def test_a_body_of_the_wrong_type_or_size_is_415_or_413(client: httpx.AsyncClient) -> None:
    wrong = await client.post(
        "/v1/referrals",
        content=b"trigger=careline",
        headers={"Idempotency-Key": "k", "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert wrong.status_code == 415
    large = await post(client, b'"' + b"x" * 2**21 + b'"')
    assert large.status_code == 413
    plain = await client.patch(f"/v1/referrals/{REF}", json={}, headers={"If-Match": '"1"'})
    assert plain.status_code == 415


async def test_the_probes_are_open(client: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(transport=client._transport, base_url=BASE) as stranger:
        assert (await stranger.get("/livez")).status_code == 200
        assert (await stranger.get("/readyz")).status_code == 200
