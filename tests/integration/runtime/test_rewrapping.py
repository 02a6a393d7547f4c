"""Rotating the KEK: every key that a service holds is wrapped anew, and everything still opens."""

import secrets
from collections.abc import Sequence

import pytest
from sqlalchemy import MetaData, text

from services.intake import models as intake_models
from services.intake.calls import models as _calls  # noqa: F401 - they register their tables
from services.intake.hart import models as _hart  # noqa: F401
from services.intake.holdings import HOLDINGS as INTAKE
from services.intake.operations import models as _operations  # noqa: F401
from services.notify import models as notify_models
from services.notify.delivery.webhook_secrets import open_secret, seal_secret
from services.notify.holdings import HOLDINGS as NOTIFY
from shared.runtime.errors import Misconfigured
from shared.runtime.rewrapping import Holding, KeyTable, run_rewrap
from shared.runtime.sealing import Keyring, Sealer, WrappedKey
from tests.support.databases import FreshDatabase

OLD, NEW = ({number: secrets.token_bytes(32)} for number in (1, 2))
BEFORE, BOTH, AFTER = (Sealer(Keyring(each)) for each in (OLD, OLD | NEW, NEW))
AGENCY = "agy_1"


@pytest.mark.parametrize(
    ("metadata", "holdings"),
    [(intake_models.child_keys.metadata, INTAKE), (notify_models.child_keys.metadata, NOTIFY)],
)
def test_every_table_that_holds_a_wrapped_key_is_rotated(
    metadata: MetaData, holdings: Sequence[Holding]
) -> None:
    tables = metadata.tables.values()
    found = {table.fullname for table in tables if "wrapped" in table.columns}
    assert found == {each.name for each in holdings if isinstance(each, KeyTable)}


async def fill(database: FreshDatabase) -> dict[str, tuple[WrappedKey, bytes]]:
    kept = {}
    db = database.open("notify")
    async with db.transaction() as session:
        for number in range(1200):
            child, key = f"chd_{number}", BEFORE.new_key()
            kept[child] = (key, BEFORE.seal(key, "t", child, b"synthetic"))
            await session.execute(
                text(
                    "INSERT INTO notify.child_keys (child_id, kek_version, wrapped) "
                    "VALUES (:child, 1, :wrapped)"
                ),
                {"child": child, "wrapped": key.wrapped},
            )
        await session.execute(
            text(
                "INSERT INTO notify.child_keys (child_id, kek_version, wrapped, shredded_at) "
                "VALUES ('chd_gone', 0, '', now())"
            )
        )
        await session.execute(
            text(
                "INSERT INTO notify.agencies (agency_id, kind, name, profile, webhook_secrets) "
                "VALUES (:agency, 'fbi', 'Example', 'hart', CAST(:secrets AS bytea[]))"
            ),
            {
                "agency": AGENCY,
                "secrets": [seal_secret(BEFORE, AGENCY, each) for each in ("whsec_a", "whsec_b")],
            },
        )
    return kept


async def test_after_it_the_old_kek_is_needed_for_nothing_and_nothing_is_sealed_anew(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = await fill(database)
    db = database.open("notify")
    assert await run_rewrap("notify", ["--dry-run"], db, BOTH, NOTIFY, notify_models.ACTS) == 0
    assert "notify.child_keys: 1200 by an older KEK" in capsys.readouterr().out
    assert await run_rewrap("notify", [], db, BOTH, NOTIFY, notify_models.ACTS) == 0
    assert "All is wrapped by kek-2.key" in capsys.readouterr().out
    async with db.transaction() as session:
        rows = (await session.execute(text("SELECT * FROM notify.child_keys"))).all()
        secret = await session.scalar(text("SELECT webhook_secrets FROM notify.agencies"))
    for row in rows:
        if row.child_id == "chd_gone":
            assert (row.wrapped, row.kek_version) == (b"", 0)
            continue
        key = WrappedKey(row.kek_version, row.wrapped)
        assert AFTER.open(key, "t", row.child_id, kept[row.child_id][1]) == b"synthetic"
    assert [open_secret(AFTER, AGENCY, each) for each in secret] == ["whsec_a", "whsec_b"]


async def test_a_dry_run_changes_nothing_and_a_second_run_finds_nothing(
    database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(database)
    db = database.open("notify")
    await run_rewrap("notify", ["--dry-run"], db, BOTH, NOTIFY, notify_models.ACTS)
    async with db.transaction() as session:
        assert await session.scalar(text("SELECT max(kek_version) FROM notify.child_keys")) == 1
    await run_rewrap("notify", [], db, BOTH, NOTIFY, notify_models.ACTS)
    capsys.readouterr()
    await run_rewrap("notify", [], db, BOTH, NOTIFY, notify_models.ACTS)
    assert "notify.child_keys: 0 by an older KEK" in capsys.readouterr().out


async def test_a_process_that_lacks_the_old_kek_changes_nothing(database: FreshDatabase) -> None:
    await fill(database)
    db = database.open("notify")
    with pytest.raises(Misconfigured, match=r"kek-1\.key"):
        await run_rewrap("notify", [], db, AFTER, NOTIFY, notify_models.ACTS)


async def test_intakes_holdings_are_counted_and_renewed_where_they_lie(
    database: FreshDatabase,
) -> None:
    db = database.open("intake")
    key = BEFORE.new_key()
    async with db.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO intake.operations (operation_id, kek_version, wrapped, key_version, "
                "sealed, expires_at, recorded_by, recorded_at) "
                "VALUES ('opr_1', 1, :wrapped, 1, '', now(), 'x', now())"
            ),
            {"wrapped": key.wrapped},
        )
    assert await run_rewrap("intake", [], db, BOTH, INTAKE, intake_models.ACTS) == 0
    async with db.transaction() as session:
        for holding in INTAKE:
            assert await holding.behind(session, 2) == 0
