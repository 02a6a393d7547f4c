"""No personal data outside its seal (P5): a canary in every field that a person fills in."""

import asyncio
import base64
import json
from typing import Any

import asyncpg
import httpx
import pytest

from services.intake.documents import Document
from services.intake.projections import load_profiles
from tests.support.calls import saved, send
from tests.support.databases import FreshDatabase, TestServer
from tests.support.intake import Keys, child, patch, post, project, referral
from tests.support.intake_process import IntakeProcess
from tests.support.schemas import text_leaves

PLACED = {
    "residence_town": "Voluntown",
    "incident_towns": ["Sprague"],
    "date_of_birth": "2011-02-03",
}
KINDS: dict[str, dict[str, Any]] = {
    "incident_places": {"kind": "out_of_country"},
    "implicated": {"kind": "other"},
}
TEXTS = sorted(text_leaves(Document) - {*PLACED, "substitute_address", "incident_places.town"})
SECRETS = ("Canary-", "Voluntown", "Sprague", "2011-02-03")


def planted() -> dict[str, Any]:
    """A referral with a canary in every text that its schema has, and telling towns and dates."""
    own: dict[str, Any] = referral(reporter={"anonymous": False})
    whole: dict[str, Any] = child(**PLACED)
    for path in TEXTS:
        head, _, leaf = path.rpartition(".")
        place = own if path == "case_number" else whole
        if head == "reporter":
            place = own["reporter"]
        elif head:
            holder = own if head == "implicated" else whole
            place = holder.setdefault(head, [dict(KINDS.get(head, {}))])[0]
        place[leaf] = f"Canary-{path}"
    return own | {"children": [whole, child(name="Canary-second", **PLACED)]}


def found_in(written: bytes) -> list[str]:
    """The secrets in it, whether as they are, in hexadecimal or in base64."""
    lower = written.lower()
    return [
        secret
        for secret in SECRETS
        if secret.encode() in written
        or secret.encode().hex().encode() in lower
        or any(form in written for form in _base64(secret.encode()))
    ]


def _base64(secret: bytes) -> list[bytes]:
    """What of it is seen in base64 of a longer text, wherever it begins."""
    return [base64.b64encode(b"\0" * shift + secret)[2 * shift : -4] for shift in range(3)]


async def refuse(phone: httpx.AsyncClient, kept: dict[str, Any]) -> list[httpx.Response]:
    """Every way to be refused that is at hand, with canaries in what is refused.

    An unknown field is pointed at by its name, if it looks like one; this one does not.
    """
    path, secret = kept["referral_id"], "Canary- Example"
    return [
        await post(phone, planted() | {"source_type": secret}),
        await post(phone, planted() | {"synthetic": True}, "Canary-key"),
        await post(phone, planted() | {secret: 1}, "other"),
        await post(phone, planted() | {"received_at": secret}, "other"),
        await post(phone, referral(children=[child(residence_town=secret)]), "other"),
        await post(phone, referral(children=[child(date_of_birth=secret)]), "other"),
        await post(phone, referral(children=[child(name=secret * 100)]), "other"),
        await post(phone, referral(children=[child(name=[secret])]), "other"),
        await post(phone, b'{"name": "Canary-', "other"),
        await post(phone, b'{"Canary-\xff": 1}', "other"),
        await post(phone, [secret], "Canary- key"),
        await post(phone, {secret: secret}, "other", **{"Content-Type": f"text/{secret}"}),
        await post(phone, planted(), "other", Authorization=f"Bearer {secret}"),
        await post(phone, b'"' + secret.encode() * 2**18 + b'"', "other"),
        await patch(phone, path, planted()),
        await patch(phone, path, planted(), '"9"'),
        await patch(phone, secret, planted()),
        await patch(phone, path, {"reporter": {"anonymous": True}}),
        await phone.get(f"/v1/referrals/{secret}"),
        await phone.get(f"/{secret}?{secret}={secret}"),
        await project(phone, path, 1, secret),
        await phone.post(
            f"/v1/referrals/{path}/versions/1/niem",
            json={"profile": secret, "purpose": secret, "authority": secret},
        ),
        await patch(phone, path, {"source_type": secret}, key="Canary-key"),
    ]


async def live(phone: httpx.AsyncClient, made: Keys, path: str) -> list[httpx.Response]:
    """A call left open, one refused, a decision, form DCF-823, candidates; all with canaries."""
    draft = {name: value for name, value in planted().items() if name != "received_at"}
    call = (await send(phone, "/v1/calls", {}, "Canary-call")).json()
    unfit = {"reporter": {"Canary- Example": "Canary-x"}, "children": "Canary-y"}
    answers = [await saved(phone, call, draft), await saved(phone, call, unfit)]
    child_id = (await phone.get(path)).json()["children"][0]["child_id"]
    phone.headers.update(made.bearer("worker", person=True))
    form = dict.fromkeys(("narrative", "legal_status", "placement"), "Canary-form")
    decision = {
        "outcome": "accepted",
        "reasons": ["other"],
        "explanation": "Canary-explanation",
        "follows": 0,
        "critical_incidents": [form | {"child_id": child_id}],
    }
    answers += [
        await send(phone, f"{path}/decisions", decision, "Canary-decision"),
        await send(phone, f"{path}/decisions", decision | {"follows": "Canary-1"}, "other"),
        await send(phone, f"{path}/decisions", decision | {"reasons": ["Canary-r"]}, "other"),
        await send(phone, f"{path}/links", {"relation": "Canary-l"}, "other"),
        await phone.get("/v1/candidates"),
    ]
    phone.headers.update(made.bearer())
    return answers


async def at_rest(dsn: str) -> bytes:
    """Every row of every table of intake and of the bus, and what its bytes say."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname IN ('intake', 'bus')"
        )
        found = []
        for (table,) in tables:
            for (row,) in await connection.fetch(f"SELECT CAST(t AS text) FROM {table} AS t"):
                found.append(row.encode())
            for row in await connection.fetch(f"SELECT * FROM {table}"):
                found += [value for value in row.values() if isinstance(value, bytes)]
        return b"\n".join(found)
    finally:
        await connection.close()


async def swept(dsn: str) -> None:
    """The role sweep has indexed and tallied what is kept: its tables hold what they will."""
    connection = await asyncpg.connect(dsn)
    try:
        waiting = (
            "SELECT count(*) FROM intake.referrals WHERE least(indexed_version, tallied) < version"
        )
        for _ in range(600):
            if await connection.fetchval(waiting) == 0:
                break
            await asyncio.sleep(0.05)
        for table in ("blind_index", "statistics_facts", "statistics_counts"):
            assert await connection.fetchval(f"SELECT count(*) FROM intake.{table}") > 0, table
    finally:
        await connection.close()


async def break_the_table(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE intake.documents RENAME TO broken")
    await connection.close()


@pytest.mark.slow
async def test_p5_a_canary_in_every_personal_field_is_seen_by_its_addressee_alone(
    process: IntakeProcess,
    phone: httpx.AsyncClient,
    database: FreshDatabase,
    postgres: TestServer,
    intake_keys: Keys,
) -> None:
    await process.start()
    answer = await post(phone, planted(), "Canary-key")
    assert answer.status_code == 201, answer.text
    kept = answer.json()
    changed = {"reporter": {"phone": "Canary-changed"}}
    amended = await patch(phone, kept["referral_id"], changed)
    assert amended.status_code == 200
    shown = await project(phone, kept["referral_id"], 2, *load_profiles())
    renamed = await phone.post(
        f"/v1/referrals/{kept['referral_id']}/versions/2/niem",
        json={"profile": "law_enforcement", "purpose": "exchange", "authority": "CGS 17a-28"},
    )
    assert renamed.status_code == 200, renamed.text
    lived = await live(phone, intake_keys, kept["links"]["self"])
    answers = [answer, amended, *await refuse(phone, kept)]
    await swept(database.superuser_dsn)
    await asyncio.sleep(0.3)  # The relay writes to the bus.
    written = {"at rest": await at_rest(database.superuser_dsn)}
    await break_the_table(database.superuser_dsn)
    broken = [await post(phone, planted(), "broken"), await project(phone, kept["referral_id"])]
    metrics = await phone.get(f"{process.ops_url}/metrics")
    assert await process.stop() == 0
    written |= {
        "logs": process.stderr.read_bytes(),
        "metrics": metrics.content,
        "answers": b"\n".join(
            b"%d %r %s" % (each.status_code, each.headers.raw, each.content)
            for each in (*answers, *lived, *broken)
        ),
    }
    if postgres.server is not None:
        written["server"] = postgres.server.log.read_bytes()
    assert set(found_in(shown.content)) == set(found_in(renamed.content)) == set(SECRETS)
    assert {each.status_code for each in broken} == {500}
    assert [each.status_code for each in answers[2:] if not 400 <= each.status_code < 500] == []
    assert [each.status_code for each in lived] == [200, 422, 201, 422, 422, 422, 200]
    assert b"referral_kept" in written["logs"]
    assert b"referral_kept" not in written["at rest"]
    assert kept["referral_id"].encode() in written["at rest"]
    assert {place: found_in(what) for place, what in written.items() if found_in(what)} == {}


def test_the_canaries_can_be_found_however_they_are_written() -> None:
    assert len(TEXTS) >= 20
    body = json.dumps(planted())
    assert found_in(body.encode()) == list(SECRETS)
    assert found_in(body.encode().hex().upper().encode()) == list(SECRETS)
    for shift in range(3):
        hidden = base64.b64encode(b"x" * shift + body.encode())
        assert found_in(hidden) == list(SECRETS)
