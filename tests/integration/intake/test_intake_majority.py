"""The alarm before a foreign-national child turns 18: once, bounded, and without its birthday."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from services.intake.api import Desk
from services.intake.keyed import Keyed
from services.intake.majority import watching
from services.intake.majority.models import majority_looks
from services.intake.majority.rules import local_day
from services.intake.majority.watching import MajorityWatch
from services.intake.models import OUTBOX
from shared.contracts.base import Source
from shared.contracts.referrals import MajorityNear
from shared.messaging.outbox import Outbox
from tests.support.intake import Keys, child, events_of, patch, post, referral

NOON = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
SOON = {"date_of_birth": "2008-04-17", "foreign_national": True, "age_years": 17}
LATER = {"date_of_birth": "2008-05-20", "foreign_national": True, "age_years": 17}


class At:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> At:
    return At()


@pytest.fixture
def watch(desk: Desk, intake_keys: Keys, clock: At) -> MajorityWatch:
    vault = Keyed.load(intake_keys.directory).vault
    return MajorityWatch(desk.db, Outbox(OUTBOX, Source.INTAKE), vault, clock, rest=0)


async def create(client: httpx.AsyncClient, *children: dict[str, Any], key: str = "1") -> Any:
    body = referral(children=[child(**each) for each in children])
    answer = await post(client, body, key)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def announced(desk: Desk) -> list[MajorityNear]:
    async with desk.db.transaction() as session:
        rows = await session.execute(text("SELECT body FROM intake.outbox ORDER BY id"))
    return [each for each in events_of(rows) if isinstance(each, MajorityNear)]


async def rows_of(desk: Desk) -> list[Any]:
    async with desk.db.transaction() as session:
        return await session.execute(text("SELECT * FROM intake.majority_looks ORDER BY child_id"))


async def test_c27_a_foreign_child_near_18_is_announced_once_whatever_is_amended(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch, clock: At
) -> None:
    kept = await create(client, SOON, {"date_of_birth": "2008-04-17", "age_years": 17})
    assert not await watch.once()
    (event,) = await announced(desk)
    assert event.child_id == kept["children"][0]["child_id"]
    await patch(client, kept["referral_id"], {"source_type": "medical"})
    await watch.once()
    clock.now = NOON + timedelta(days=30)
    await watch.once()
    assert await announced(desk) == [event]


async def test_c27_the_month_before_it_is_looked_at_again_and_found(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch, clock: At
) -> None:
    await create(client, LATER)
    for now in (NOON, NOON + timedelta(days=3), NOON + timedelta(days=22, hours=-14)):
        clock.now = now
        await watch.once()
        assert await announced(desk) == []
    clock.now = NOON + timedelta(days=22)
    await watch.once()
    assert len(await announced(desk)) == 1


async def test_c19_who_turned_18_raises_no_alarm_and_what_an_amendment_adds_does(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch
) -> None:
    adult = {"date_of_birth": "2007-04-17", "foreign_national": True, "age_years": 18}
    kept = await create(client, adult)
    await watch.once()
    assert await announced(desk) == []
    child_id = kept["children"][0]["child_id"]
    mended = [child(**SOON) | {"child_id": child_id}]
    answer = await patch(client, kept["referral_id"], {"children": mended})
    assert answer.status_code == 200, answer.text
    await watch.once()
    assert [each.child_id for each in await announced(desk)] == [child_id]


async def test_p5_no_row_and_no_event_says_when_a_child_was_born_or_whom_it_concerns(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch
) -> None:
    await create(client, SOON)
    await create(client, {"age_years": 12}, key="2")
    await create(client, LATER, key="3")
    await watch.once()
    looks = await rows_of(desk)
    assert {(row.version, row.month) for row in looks} == {(1, date(2026, 3, 1))}
    assert {*majority_looks.columns.keys()} == {"child_id", "version", "month", "sealed"}
    assert len({len(row.sealed) for row in looks}) == 1
    assert len({row.sealed for row in looks}) == 3
    assert not any(b"2008" in row.sealed for row in looks)
    (event,) = await announced(desk)
    assert set(json.loads(event.model_dump_json())) == {"referral_id", "child_id", "noticed_at"}


async def test_p5_a_later_look_rewrites_the_row_of_every_child(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch, clock: At
) -> None:
    """So no row that stands still gives its child away."""
    await create(client, SOON, {"age_years": 12}, LATER)
    await watch.once()
    before = await rows_of(desk)
    clock.now = NOON + timedelta(days=30)
    await watch.once()
    after = await rows_of(desk)
    assert all(row.month == date(2026, 4, 1) for row in after)
    assert not {row.sealed for row in before} & {row.sealed for row in after}


async def test_c27_a_date_of_birth_that_was_mistyped_is_looked_at_again_once_it_is_right(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch, clock: At
) -> None:
    kept = await create(client, SOON)
    await watch.once()
    child_id = kept["children"][0]["child_id"]
    mended = [child(**LATER) | {"child_id": child_id}]
    answer = await patch(client, kept["referral_id"], {"children": mended})
    assert answer.status_code == 200, answer.text
    await watch.once()
    assert len(await announced(desk)) == 1
    clock.now = NOON + timedelta(days=22)
    for _ in range(2):
        await watch.once()
    assert [each.child_id for each in await announced(desk)] == [child_id, child_id]


async def test_a_child_that_does_not_open_holds_up_no_other(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch
) -> None:
    kept = await create(client, SOON, SOON)
    broken = kept["children"][0]["child_id"]
    async with desk.db.transaction() as session:
        await session.execute(
            text("UPDATE intake.child_keys SET key_version = 9 WHERE child_id = :id"),
            {"id": broken},
        )
    await watch.once()
    assert [each.child_id for each in await announced(desk)] == [kept["children"][1]["child_id"]]
    assert {row.child_id: row.sealed for row in await rows_of(desk)}[broken] is None


async def test_withdrawn_synthetic_and_destroyed_ones_are_left_alone(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch
) -> None:
    withdrawn = await create(client, SOON)
    await create(client, SOON, key="2")
    destroyed = await create(client, SOON, key="3")
    async with desk.db.transaction() as session:
        for statement, value in (
            (
                "INSERT INTO intake.withdrawals (referral_id, cause, version, withdrawn_by, "
                "recorded_at) VALUES (:id, 'false_report', 1, 'worker', now())",
                withdrawn["referral_id"],
            ),
            (
                "UPDATE intake.child_keys SET wrapped = '', shredded_at = now() "
                "WHERE referral_id = :id",
                destroyed["referral_id"],
            ),
        ):
            await session.execute(text(statement), {"id": value})
    await post(client, referral(children=[child(**SOON)], synthetic=True), "4")
    await watch.once()
    assert len(await announced(desk)) == 1


async def test_a_round_is_bounded_and_two_watchers_announce_each_child_once(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "BATCH", 2)
    other = MajorityWatch(desk.db, watch._outbox, watch._vault, watch._clock, rest=0)
    await create(client, *[SOON] * 5)
    rounds = [await each.once() for each in (watch, other, watch, other)]
    assert rounds == [True, True, False, False]
    found = await announced(desk)
    assert len(found) == len({each.child_id for each in found}) == 5


async def test_it_rests_between_two_searches(
    client: httpx.AsyncClient, desk: Desk, watch: MajorityWatch
) -> None:
    resting = MajorityWatch(desk.db, watch._outbox, watch._vault, watch._clock)
    await resting.once()
    await create(client, SOON)
    await resting.once()
    assert await announced(desk) == []


async def test_the_role_sweep_does_it(client: httpx.AsyncClient, desk: Desk) -> None:
    today = local_day(datetime.now(UTC))
    born = today.replace(year=today.year - 18, day=28) + timedelta(days=7)
    await create(client, {"date_of_birth": born.isoformat(), "foreign_national": True})
    await desk.areas.chores["majority"]()
    assert len(await announced(desk)) == 1
