"""Entries that an old recovery brought back without their traces are found again, by a command."""

from typing import cast

import pytest
from sqlalchemy import text

from services.audit import commands
from services.audit.sealer import Sealer
from services.audit.settings import AuditSettings
from services.audit.traces import Facet, trace
from shared.runtime.db import Database
from tests.integration.audit.test_audit_recovering import CHILD, KEYS, sealed


async def found(db: Database) -> int:
    async with db.transaction() as session:
        number = await session.scalar(
            text("SELECT count(*) FROM audit.traces WHERE trace = :trace"),
            {"trace": trace(Facet.SUBJECT, CHILD)},
        )
    return int(number or 0)


async def run(db: Database, *words: str) -> int:
    return await commands.recover(["traces", *words], cast(AuditSettings, None), db, KEYS)


async def test_p2_what_lacks_its_traces_is_found_again_and_it_is_on_record_who_did_it(
    db: Database, sealer: Sealer, capsys: pytest.CaptureFixture[str]
) -> None:
    await sealed(db, sealer, 10)
    assert await found(db) == 0
    assert await run(db, "--dry-run") == 0
    assert capsys.readouterr().out.startswith("10 of 10 entries lack ")
    assert await found(db) == 0
    assert await run(db, "--by", "night-desk") == 0
    assert capsys.readouterr().out.startswith("10 of 10 entries lacked ")
    assert await found(db) == 10
    assert await run(db) == 0
    assert capsys.readouterr().out.startswith("0 of 10 entries lacked ")
    async with db.transaction() as session:
        [act] = (await session.execute(text("SELECT by, command, changed FROM audit.acts"))).all()
    assert (act.by, act.command, act.changed) == (
        "night-desk",
        "recover traces --by night-desk",
        10,
    )
