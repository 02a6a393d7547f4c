"""The commands for whoever is on duty: a dry run does nothing, what follows does no more, and who
did it is kept."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import text

from services.notify import models
from shared.contracts.base import Source
from shared.messaging.commands import MessagingTables, run_command
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from tests.integration.messaging.conftest import NOW, received
from tests.support.databases import FreshDatabase

TABLES = MessagingTables(models.ACTS, models.OUTBOX, models.INBOX)
_PARK = text(
    "INSERT INTO notify.inbox_streams (topic, source, subject, cursor, highest, ready_at, "
    "parked_at, parked_reason) VALUES (:topic, 'urn', :subject, 0, 1, :at, :at, 'Permanent')"
)


async def command(db: Database, *words: str) -> int:
    return await run_command("notify", list(words), db, TABLES)


async def rows(db: Database, query: str) -> list[tuple[object, ...]]:
    async with db.transaction() as session:
        return [tuple(row) for row in await session.execute(text(query))]


async def parked(db: Database, subject: str, topic: str) -> None:
    async with db.transaction() as session:
        at = utc_now()
        await session.execute(_PARK, {"topic": topic, "subject": subject, "at": at})


async def sent(db: Database, subject: str) -> None:
    async with db.transaction() as session:
        await Outbox(models.OUTBOX, Source.NOTIFY).emit(session, NOW, received(subject))
        await session.execute(text("UPDATE notify.outbox SET sent_at = clock_timestamp()"))


def through(said: str) -> str:
    found = re.search(r"--through (\S+)", said)
    assert found is not None, said
    return found[1]


async def test_replay_of_a_parked_subject_does_what_its_dry_run_said_and_no_more(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db, subject = database.open("notify"), new_id("ref")
    await parked(db, subject, "referrals")
    assert await command(db, "parked", "replay", subject, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "1 stream(s) would be released." in said
    assert await rows(db, "SELECT count(*) FROM notify.acts") == [(0,)]
    await parked(db, subject, "deadlines")
    await command(db, "parked", "replay", subject, "--by", "sup-1", "--through", through(said))
    left = "SELECT topic FROM notify.inbox_streams WHERE parked_at IS NOT NULL"
    assert await rows(db, left) == [("deadlines",)]
    ((by, account, typed, changed),) = await rows(
        db, "SELECT by, account, command, changed FROM notify.acts"
    )
    assert (by, changed) == ("sup-1", 1)
    assert account
    assert str(typed).startswith(f"parked replay {subject}")


async def test_a_skip_names_a_person_and_its_dry_run_skips_nothing(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db, subject = database.open("notify"), new_id("ref")
    await parked(db, subject, "referrals")
    assert await command(db, "parked", "skip", subject, "--by", "sup-1", "--dry-run") == 0
    assert subject in capsys.readouterr().out
    assert await rows(db, "SELECT count(*) FROM notify.inbox_streams WHERE parked_at IS NULL") == [
        (0,)
    ]
    with pytest.raises(SystemExit):
        await command(db, "parked", "skip", subject)


async def test_sending_again_stops_where_the_dry_run_ended(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db, topic = database.open("notify"), "referrals"
    await sent(db, new_id("ref"))
    await sent(db, new_id("ref"))
    assert await command(db, "bus", "replay", topic, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "2 event(s) would be sent again." in said
    pending = "SELECT count(*) FROM notify.outbox WHERE sent_at IS NULL"
    assert await rows(db, pending) == [(0,)]
    await sent(db, new_id("ref"))
    await command(db, "bus", "replay", topic, "--through", through(said), "--by", "sup-1")
    assert "2 of 2 event(s) so far" in capsys.readouterr().out
    assert await rows(db, pending) == [(2,)]
    assert await rows(db, "SELECT by, changed FROM notify.acts") == [("sup-1", 2)]


async def test_pruning_removes_what_its_dry_run_counted(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db = database.open("notify")
    await sent(db, new_id("ref"))
    async with db.transaction() as session:
        old = {"at": utc_now() - timedelta(days=40)}
        await session.execute(text("UPDATE notify.outbox SET created_at = :at"), old)
    await sent(db, new_id("ref"))
    await command(db, "prune", "--dry-run")
    said = capsys.readouterr().out
    assert "1 sent and 0 handled event(s) would be removed." in said
    assert await rows(db, "SELECT count(*) FROM notify.outbox") == [(2,)]
    await command(db, "prune", "--through", through(said))
    assert "1 sent and 0 handled event(s) removed." in capsys.readouterr().out
    assert await rows(db, "SELECT changed FROM notify.acts") == [(1,)]


async def test_nobody_can_change_who_did_what(database: FreshDatabase) -> None:
    db = database.open("notify")
    with pytest.raises(Exception, match="permission denied"):
        await db.execute(text("UPDATE notify.acts SET by = 'nobody'"))


async def test_an_unreadable_record_is_released_once_under_a_name_and_a_fork_is_not(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    db = database.open("notify")
    async with db.transaction() as session:
        for offset, reason in ((6, "not_an_event"), (7, "sequence_conflict")):
            await session.execute(
                text(
                    'INSERT INTO notify.inbox_quarantine (topic, partition, "offset", reason, '
                    "length, sha256) VALUES ('referrals', 0, :offset, :reason, 8, 'e9')"
                ),
                {"offset": offset, "reason": reason},
            )
    assert await command(db, "quarantine", "list") == 0
    assert "referrals/0/6 not_an_event 8 bytes, SHA-256 e9" in capsys.readouterr().out
    release = ("quarantine", "release", "referrals/0/6", "--by", "Ann")
    assert await command(db, *release, "--dry-run") == 0
    released = "SELECT released_by FROM notify.inbox_quarantine WHERE released_at IS NOT NULL"
    assert await rows(db, released) == []
    assert await command(db, *release) == 0
    assert await command(db, *release) == 1
    assert await command(db, "quarantine", "release", "referrals/0/7", "--by", "Ann") == 1
    assert await rows(db, released) == [("Ann",)]
    assert await rows(db, 'SELECT "by", changed FROM notify.acts') == [("Ann", 1)]
