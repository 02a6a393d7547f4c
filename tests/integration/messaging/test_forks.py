"""Two events of one number: whoever decides sees both, and nothing of their content."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from services.notify import models
from services.notify.tasks.store import file_parked, list_tasks
from shared.contracts.base import Event, Topic
from shared.messaging import parked
from shared.messaging.bus import Batch, Incoming, Positions
from shared.messaging.commands import MessagingTables, run_command
from shared.messaging.consumer import Consumer
from shared.messaging.forks import held
from shared.messaging.inbox import Inbox
from shared.messaging.postgres.bus import PostgresBus
from shared.messaging.standing import standing_still
from shared.runtime.db import Database
from shared.runtime.errors import Permanent
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import NOW, Service, received, record
from tests.integration.messaging.test_messaging_inbox_worker import until, working
from tests.support.databases import FreshDatabase

TABLES = MessagingTables(models.ACTS, models.OUTBOX, models.INBOX)


def later(subject: str, offset: int, **changes: object) -> Incoming:
    """A second event no. 1, an hour after the first."""
    data = received(subject).model_dump(mode="json") | changes
    at = NOW + timedelta(hours=1)
    return record(offset, subject, 1, event_id="evt_second", data=data, emitted_at=at)


async def arrived(db: Database, *records: Incoming) -> None:
    """In notify."""
    async with db.transaction() as session:
        offsets = {("referrals", 0): len(records)}
        await Inbox(models.INBOX).receive(session, Batch(records, offsets))


async def say(db: Database, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = await run_command("notify", list(words), db, TABLES)
    return code, capsys.readouterr().out


async def test_both_events_of_a_fork_are_shown_with_what_differs_and_no_content(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db, subject = database.open("notify"), new_id("ref")
    first = record(0, subject, 1, event_id="evt_first")
    await arrived(db, first, record(1, subject, 2), later(subject, 2, version=7, trigger="report"))
    code, said = await say(db, capsys, "parked", "show", subject)
    assert code == 0
    lines = said.splitlines()
    assert f"{subject} #1 sequence_conflict" in lines[0]
    assert lines[1] == "referrals #1"
    assert (
        "stands  evt_first hartline.referral.received.v1 version 1, emitted 2026-11-23T14:00"
        in (lines[2])
    )
    assert lines[2].endswith("not handled yet")
    assert (
        "waits   evt_second hartline.referral.received.v1 version 7, emitted 2026-11-23T15"
        in (lines[3])
    )
    assert lines[3].endswith("in quarantine as referrals/0/2")
    assert lines[4].strip() == "The two differ in children, trigger, version."
    child = Event.model_validate_json(first.body or b"").data["children"]
    assert str(child[0]["child_id"]) not in said  # type: ignore[index]
    assert "report" not in said


async def test_the_task_of_a_fork_has_the_number_and_the_command_that_the_list_has(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything was handled before the second event came: what is next has another number."""
    db, subject = database.open("notify"), new_id("ref")
    await arrived(db, record(0, subject, 1), record(1, subject, 2))
    async with db.transaction() as session:
        await session.execute(text("UPDATE notify.inbox_streams SET cursor = 2"))
    await arrived(db, later(subject, 2))
    async with db.transaction() as session:
        assert await file_parked(session) == 1
        assert await file_parked(session) == 0
        [task] = await list_tasks(session, only_open=True, after=None, limit=2)
    _, listed = await say(db, capsys, "parked", "list")
    assert f"{subject} #1 sequence_conflict" in listed
    assert "the number referrals #1 (a fork)" in task.detail
    assert f"./hartline run notify parked show {subject}" in task.detail


async def test_a_copy_under_another_id_is_told_as_a_copy(service: Service) -> None:
    subject = new_id("ref")
    first = record(0, subject, 1, event_id="one")
    copy = (first.body or b"").replace(b'"one"', b'"other"')
    await service.receive(first)
    async with working(service):
        await until(lambda: len(service.recorder.applied) == 1)
    await service.receive(Incoming("referrals", 0, 1, copy))
    async with service.db.transaction() as session:
        (found,) = await held(session, service.inbox_tables, subject)
    said = found.describe()
    assert said[1].startswith("  stands  one ")
    assert said[1].endswith(", handled")
    assert said[-1].strip() == "The two say the same under two ids."


async def test_what_is_parked_and_no_fork_is_shown_as_the_next_to_handle(service: Service) -> None:
    subject = new_id("ref")
    service.recorder.fail[subject] = Permanent("never")
    await service.receive(record(0, subject, 1, event_id="one"))
    parked_now = "SELECT 1 FROM svc.inbox_streams WHERE parked_at IS NOT NULL"
    async with asyncio.timeout(10), working(service):
        while not await service.fetch(parked_now):
            await asyncio.sleep(0.01)
    async with service.db.transaction() as session:
        (found,) = await held(session, service.inbox_tables, subject)
    assert found.describe()[1].startswith("  waits   one hartline.referral.received.v1 version 1")
    assert found.others == []


async def test_the_way_says_what_is_a_fork_and_which_number_it_is(service: Service) -> None:
    subject = new_id("ref")
    await service.receive(record(0, subject, 1), record(1, subject, 2))
    await service.receive(later(subject, 2), Incoming("referrals", 0, 3, b"no event"))
    async with service.db.transaction() as session:
        fork, unread = await standing_still(session, service.inbox_tables)
        (listed,) = await parked.list_parked(session, service.inbox_tables)
    assert (fork.what, fork.id, fork.why) == ("fork", subject, "referrals #1")
    assert (unread.what, unread.id, unread.why) == ("unreadable", "referrals/0/3", "not_an_event")
    assert listed.sequence == 1


async def test_what_is_parked_nowhere_has_nothing_to_show(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db = database.open("notify")
    code, said = await say(db, capsys, "parked", "show", "ref_unknown")
    assert (code, said) == (1, "ref_unknown is not parked here.\n")


async def test_a_replay_that_releases_no_stream_releases_nothing_of_the_quarantine(
    service: Service,
) -> None:
    """A tool does no more than its dry run said."""
    subject = new_id("ref")
    await service.receive(record(0, subject, 1), later(subject, 1))
    async with service.db.transaction() as session:
        before = utc_now() - timedelta(hours=1)
        assert await parked.replay(session, service.inbox_tables, subject, before) == 0
    still = await service.fetch("SELECT 1 FROM svc.inbox_quarantine WHERE released_at IS NULL")
    assert len(still) == 1


@pytest.mark.parametrize("words", [("parked", "skip"), ("quarantine", "release")])
async def test_a_dry_run_asks_for_no_name_and_the_deed_does(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    db, subject = database.open("notify"), new_id("ref")
    await arrived(db, record(0, subject, 1), later(subject, 1), Incoming("referrals", 0, 2, b"-"))
    named = subject if words[0] == "parked" else "referrals/0/2"
    code, said = await say(db, capsys, *words, named, "--dry-run")
    assert code == 0
    assert "1 " in said
    with pytest.raises(SystemExit):
        await say(db, capsys, *words, named)


class Handed:
    """A subscription with one batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    async def fetch(self, limit: int, wait: float) -> Batch:
        return self.batch

    async def commit(self, positions: Positions) -> None:
        return

    async def close(self) -> None:
        return


async def test_the_log_says_that_a_fork_has_parked_a_subject(
    service: Service, database: FreshDatabase
) -> None:
    subject, bus = new_id("ref"), PostgresBus(database.dsns["bus"].app, "test")
    consumer = Consumer("svc", service.db, service.inbox_tables, bus, (Topic.REFERRALS,))
    batch = Batch([record(0, subject, 1), later(subject, 1)], {("referrals", 0): 2})
    with capture_logs() as logged:
        await consumer.consume_once(Handed(batch))
    await bus.close()
    events = [(each["event"], each.get("topic"), each.get("reason")) for each in logged]
    assert ("subject_parked", "referrals", "sequence_conflict") in events
