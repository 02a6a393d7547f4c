"""The audit over HTTP: who may read, what they see, and that every read is in the log first."""

import base64
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.audit import store
from services.audit.leaf import Kind
from services.audit.note import open_checkpoint
from services.audit.proofs import verify_proof
from services.audit.sealer import Sealer
from services.audit.tlog import leaf_hash
from shared.runtime.db import Database
from tests.integration.audit.conftest import Tokens, submission
from tests.support.audit import leaf, signer

KEYS = [signer(1).public]
DISCLOSURE, UNKNOWN = f"dsc_{1:032x}", f"dsc_{2:032x}"
ROUTES = ("/v1/checkpoint", "/v1/entries/0", "/v1/entries/0/proof", f"/v1/disclosures/{DISCLOSURE}")


@pytest.fixture
async def signed(db: Database, sealer: Sealer) -> None:
    """Five entries under a checkpoint, two of them of one disclosure; a sixth not signed yet."""
    async with db.transaction() as session:
        await store.submit(session, [submission(0), submission(1, DISCLOSURE)])
        await store.submit(session, [submission(2), submission(3, DISCLOSURE, Kind.COMPLETED)])
        await store.submit(session, [submission(4)])
    await sealer.drain()
    async with db.transaction() as session:
        await store.submit(session, [submission(5, UNKNOWN)])
    await sealer.sequence_once()


async def queued(db: Database) -> list[dict[str, Any]]:
    """The records of what is committed and not yet in the log."""
    async with db.transaction() as session:
        rows = await session.scalars(text("SELECT leaf FROM audit.submissions ORDER BY id"))
        return [json.loads(leaf)["record"] for leaf in rows]


@pytest.mark.usefixtures("signed")
async def test_the_checkpoint_is_a_signed_note_and_reading_it_is_no_entry(
    client: httpx.AsyncClient, db: Database
) -> None:
    answer = await client.get("/v1/checkpoint")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert open_checkpoint(answer.content, KEYS).size == 5
    assert await queued(db) == []


async def test_before_anything_is_signed_there_is_no_checkpoint_to_give(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/checkpoint")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.usefixtures("signed")
async def test_an_entry_comes_with_the_exact_bytes_of_its_leaf(client: httpx.AsyncClient) -> None:
    found = (await client.get("/v1/entries/1")).json()
    assert base64.b64decode(found["leaf"]) == leaf(1)
    assert (found["index"], found["kind"]) == (1, "attempted")
    assert found["leaf_hash"] == leaf_hash(leaf(1)).hex()


@pytest.mark.usefixtures("signed")
async def test_every_entry_has_a_proof_that_a_stranger_can_verify(
    client: httpx.AsyncClient,
) -> None:
    """P7."""
    for index in range(5):
        answer = await client.get(f"/v1/entries/{index}/proof")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert verify_proof(answer.content, leaf(index), KEYS)[0] == index


@pytest.mark.usefixtures("signed")
async def test_a_disclosure_has_its_attempt_and_its_outcome(client: httpx.AsyncClient) -> None:
    found = (await client.get(f"/v1/disclosures/{DISCLOSURE}")).json()
    assert found == {
        "disclosure_id": DISCLOSURE,
        "entries": [{"index": 1, "kind": "attempted"}, {"index": 3, "kind": "completed"}],
    }


@pytest.mark.usefixtures("signed")
async def test_reading_the_audit_is_itself_an_entry_committed_before_the_answer(
    client: httpx.AsyncClient, db: Database, sealer: Sealer, tokens: Tokens
) -> None:
    """P2: who, what; found or not."""
    await client.get("/v1/entries/1")
    await client.get("/v1/entries/1/proof", headers=tokens.bearer(subject="svc", person=False))
    await client.get(f"/v1/disclosures/{UNKNOWN}")
    officer = {"actor": "officer-1", "actor_kind": "person"}
    assert await queued(db) == [
        {**officer, "asked": "entry", "about": "1"},
        {"actor": "svc", "actor_kind": "service", "asked": "proof", "about": "1"},
        {**officer, "asked": "disclosure", "about": UNKNOWN},
    ]
    await sealer.drain()
    assert (await client.get("/v1/entries/6")).json()["kind"] == "audit_read"


@pytest.mark.usefixtures("signed")
async def test_what_is_unknown_unsigned_or_malformed_answers_with_the_same_bytes(
    client: httpx.AsyncClient,
) -> None:
    """P10."""
    paths = (
        "/v1/entries/5",
        "/v1/entries/5/proof",
        "/v1/entries/999999999999999999",
        "/v1/entries/9999999999999999999999",
        "/v1/entries/-1",
        "/v1/entries/01",
        "/v1/entries/%D9%A1",
        "/v1/entries/x/proof",
        f"/v1/disclosures/{UNKNOWN}",
        "/v1/disclosures/dsc_1",
        "/v1/disclosures/Example%20Person",
        "/v1/nothing",
    )
    answers = [await client.get(path) for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.usefixtures("signed")
async def test_nothing_a_caller_typed_gets_into_the_log(
    client: httpx.AsyncClient, db: Database
) -> None:
    """P5: what is no id of ours may be a name."""
    await client.get("/v1/disclosures/Example%20Person")
    await client.get("/v1/entries/Example%20Person")
    assert await queued(db) == []


@pytest.mark.usefixtures("signed")
@pytest.mark.parametrize("path", ROUTES)
async def test_nobody_gets_in_without_a_token_for_it(
    client: httpx.AsyncClient, tokens: Tokens, db: Database, path: str
) -> None:
    """P10."""
    assert (await client.get(path)).status_code == 200
    before = len(await queued(db))
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 401
    wrong = tokens.bearer(["notices:read"])
    assert (await client.get(path, headers=wrong)).status_code == 403
    assert len(await queued(db)) == before


@pytest.mark.usefixtures("signed")
async def test_an_answer_that_cannot_be_recorded_is_not_given(
    client: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(store, "submit", refuse)
    answer = await client.get("/v1/entries/1")
    assert answer.status_code == 503
    assert "leaf" not in answer.text
