"""The URL of a pager is a secret (P5), and pages leave by the same guarded way as notices."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from services.notify.holdings import HOLDINGS
from services.notify.models import ACTS
from services.notify.oncall import pager_secrets, roster_store, rostering
from services.notify.oncall.pager import Alarm, PagerFailed
from services.notify.oncall.roster_file import RosterFile
from services.notify.oncall.webhook_pager import WebhookPager
from services.notify.proposals import store as proposal_store
from services.notify.wiring import PROPOSABLES
from shared.runtime.db import Database
from shared.runtime.rewrapping import run_rewrap
from shared.runtime.sealing import Keyring, Sealer
from tests.support.databases import FreshDatabase
from tests.support.planning import SEALER
from tests.support.receiver import Receiver
from tests.support.rosters import roster

NOW = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
TOKEN = "synthetic-hook-token-0042"
URL = f"https://pager.example/hooks/{TOKEN}"
ALARM = Alarm("tsk_1", "refused", NOW, 1, "https://console.test/tasks/tsk_1")


@pytest.fixture
def db(database: FreshDatabase) -> Database:
    return database.open("notify")


async def propose(db: Database, url: str = URL) -> str:
    """A roster in which Ann's pager is there."""
    file = RosterFile.model_validate(roster({"ann": ("webhook", url)}))
    async with db.transaction() as session:
        made = await rostering.propose_roster(
            session, SEALER, file, reason="Test.", by="maker", now=NOW
        )
    return made.proposal_id


async def put(db: Database, url: str = URL) -> str:
    """In force; where Ann is paged, as it lies in the table."""
    proposal_id = await propose(db, url)
    async with db.transaction() as session:
        await proposal_store.decide(
            session,
            proposal_id,
            approve=True,
            by="checker",
            decision="Good.",
            now=NOW,
            proposables=PROPOSABLES,
        )
        in_force = await roster_store.in_force(session, NOW)
    return in_force.people["ann"].channels[0].to


async def test_p5_no_table_of_notify_holds_the_url_of_a_pager(db: Database) -> None:
    stored = await put(db)
    async with db.transaction() as session:
        tables = await session.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relkind = 'r' "
                "AND relnamespace = CAST('notify' AS regnamespace) "
                "AND has_table_privilege(oid, 'SELECT')"
            )
        )
        assert {"rosters", "proposals"} <= set(tables)
        for table in tables:
            rows = await session.scalars(text(f"SELECT CAST(t AS text) FROM notify.{table} t"))
            assert not [row for row in rows if TOKEN in row], table
    assert TOKEN not in stored
    assert pager_secrets.opened(SEALER, stored) == URL


async def test_whoever_approves_it_sees_where_it_leads_and_by_what_to_know_it(db: Database) -> None:
    proposal_id = await propose(db)
    async with db.transaction() as session:
        proposal = await proposal_store.get(session, proposal_id)
    assert proposal is not None
    said = "\n".join(rostering.ROSTERS.describe(proposal.body))
    assert f"ann is paged by webhook {pager_secrets.shown(URL)}" in said
    assert "https://pager.example/" in said
    assert TOKEN not in said


async def test_nobody_proposes_a_sealed_pager_with_words_of_their_own(db: Database) -> None:
    stored = await put(db)
    body = roster({})
    for channel in (
        {"kind": "webhook", "to": stored},
        {"kind": "webhook", "to": URL, "shown": "https://yours.example"},
    ):
        body["people"]["ann"] = [channel]
        with pytest.raises(ValueError, match="ann"):
            RosterFile.model_validate(body)


async def test_a_page_goes_to_the_sealed_url(db: Database, receiver: Receiver) -> None:
    stored = await put(db, receiver.url)
    await WebhookPager(SEALER, ("127.0.0.0/8",), allow_http=True).page(stored, [ALARM], NOW)
    (request,) = receiver.requests
    assert json.loads(request.body)["alerts"][0]["labels"]["task"] == "tsk_1"


async def test_a_roster_from_before_still_pages(db: Database, receiver: Receiver) -> None:
    """It was stored in clear."""
    body: dict[str, Any] = roster({"ann": ("webhook", receiver.url)})
    proposal_id = await propose(db)
    async with db.transaction() as session:
        assert await roster_store.add(session, body, 0, proposal_id, NOW)
        in_force = await roster_store.in_force(session, NOW)
    to = in_force.people["ann"].channels[0].to
    await WebhookPager(SEALER, ("127.0.0.0/8",), allow_http=True).page(to, [ALARM], NOW)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("networks", "allow_http"), [((), True), (("127.0.0.0/8",), False), (("10.0.0.0/8",), True)]
)
async def test_no_page_leaves_for_a_private_address_or_without_tls_that_nobody_allowed(
    receiver: Receiver, networks: tuple[str, ...], allow_http: bool
) -> None:
    with pytest.raises(PagerFailed, match="egress_refused"):
        await WebhookPager(SEALER, networks, allow_http=allow_http).page(receiver.url, [ALARM], NOW)
    assert receiver.requests == []


async def test_a_key_that_is_gone_fails_the_page_and_says_no_url(db: Database) -> None:
    stored = await put(db)
    other = Sealer(Keyring({1: bytes(32)}))
    with pytest.raises(PagerFailed, match=r"^Unsealable$"):
        await WebhookPager(other).page(stored, [ALARM], NOW)


async def test_a_pager_under_an_older_kek_keeps_the_rotation_from_being_called_done(
    db: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(db)
    newer = Sealer(Keyring({1: bytes(range(32)), 2: bytes(32)}))
    assert await run_rewrap("notify", [], db, newer, HOLDINGS, ACTS) == 1
    assert "4 are left. Have the roster's file approved again" in capsys.readouterr().out
    assert await run_rewrap("notify", [], db, SEALER, HOLDINGS, ACTS) == 0
