"""A loss of each kind is planted, and found; where nothing is lost, nothing is said."""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI

from services.audit import reconciling_store, store
from services.audit.leaf import Kind, Submission
from services.audit.reconciling import GRACE, Reconciler
from services.audit.sealer import Sealer
from services.audit.sides import OwnSide, Pair, pairs
from services.intake import window_store as intake_windows
from services.notify import window_store as notify_windows
from shared.contracts.base import Source
from shared.runtime import metrics
from shared.runtime.auth import LocalIssuer, TokenVerifier
from shared.runtime.closed_windows import SCOPE, Listed, Page, window_routes
from shared.runtime.db import Database
from shared.runtime.errors import Permanent, Retryable
from shared.runtime.http import create_app
from shared.runtime.internal_http import InternalClient
from tests.integration.audit.conftest import ISSUER, Tokens, as_superuser
from tests.support.databases import FreshDatabase

THEN = "now() - interval '1 hour'"
REFERRAL = "ref_" + "1" * 32


def dsc(number: int) -> str:
    return f"dsc_{number:032x}"


def ntc(number: int) -> str:
    return f"ntc_{number:032x}"


class Apps:
    """Answers a service's internal API in process; `away` makes it unreachable."""

    def __init__(self, app: FastAPI) -> None:
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://far.test"
        )
        self.away = False

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        if self.away:
            raise OSError("away")
        answer = await self._client.request(method, path, headers=dict(headers), content=body)
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._client.aclose()


def app_of(db: Database, tokens: Tokens, kinds: Mapping[str, Listed]) -> FastAPI:
    app = create_app("far", TokenVerifier(tokens.jwks, ISSUER))
    app.include_router(window_routes(db, kinds))
    return app


@pytest.fixture
async def far(database: FreshDatabase, tokens: Tokens) -> AsyncIterator[dict[str, Apps]]:
    made = {
        "intake": Apps(app_of(database.open("intake"), tokens, intake_windows.KINDS)),
        "notify": Apps(app_of(database.open("notify"), tokens, notify_windows.KINDS)),
    }
    yield made
    for each in made.values():
        await each.close()


@pytest.fixture
def reconciler(
    db: Database, database: FreshDatabase, tokens: Tokens, far: dict[str, Apps]
) -> Reconciler:
    issuer = LocalIssuer(tokens.key, ISSUER)
    clients = [
        InternalClient(
            name,
            "http://far.test",
            lambda: issuer.token("service:audit", (SCOPE,)),
            exchange=far[name],
        )
        for name in ("intake", "notify")
    ]
    return Reconciler(db, database.dsns["audit"].app, pairs(db, *clients))


def insert(table: str, **values: str) -> str:
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def attempt(number: int) -> str:
    return insert(
        "notify.disclosures",
        disclosure_id=f"'{dsc(number)}'",
        notice_id=f"'{ntc(number)}'",
        agency_id="'agy'",
        attempted_at=THEN,
    )


def outcome(number: int, status: int = 200) -> str:
    return insert(
        "notify.disclosure_outcomes",
        disclosure_id=f"'{dsc(number)}'",
        outcome="'completed'",
        http_status=str(status),
        occurred_at=THEN,
    )


def delivery(number: int) -> str:
    return insert(
        "notify.deliveries",
        notice_id=f"'{ntc(number)}'",
        referral_id=f"'{REFERRAL}'",
        child_id="'chd'",
        agency_id="'agy'",
        version="1",
        state="'delivered'",
        delivered_at=THEN,
    )


def statement() -> str:
    """A recipient's system has said what it holds of the time of everything here."""
    return insert(
        "notify.statements",
        statement_id="'stm'",
        agency_id="'agy'",
        since="now() - interval '2 hours'",
        until="now()",
        stated_at=THEN,
    )


def receipt(number: int) -> str:
    return insert(
        "notify.receipts",
        notice_id=f"'{ntc(number)}'",
        agency_id="'agy'",
        statement_id="'stm'",
    )


def view(number: int) -> str:
    return insert(
        "intake.views",
        disclosure_id=f"'{dsc(number)}'",
        referral_id=f"'{REFERRAL}'",
        version="1",
        child_ids="'{}'",
        actor="'service:notify'",
        actor_kind="'service'",
        authority="''",
        purpose="''",
        profiles="'{}'",
        fields="'{}'",
        commitment="''",
        viewed_at=THEN,
    )


def version(number: int) -> str:
    return insert(
        "intake.referral_versions",
        referral_id=f"'{REFERRAL}'",
        version=str(number),
        change_id="'x'",
        trigger="'careline'",
        received_at=THEN,
        recorded_at=THEN,
        recorded_by="'x'",
        child_ids="'{}'",
    )


def plan(number: int) -> str:
    return insert(
        "notify.plans",
        referral_id=f"'{REFERRAL}'",
        version=str(number),
        rules_version="'1'",
        directory_version="1",
        planned_at=THEN,
    )


def telling(number: int, told_at: str = THEN) -> tuple[str, str]:
    """A call that somebody made, and entered later: an attempt by the channel `oral`."""
    return (
        attempt(number)
        .replace("(disclosure_id", "(channel, disclosure_id")
        .replace("VALUES (", "VALUES ('oral', ")
        .replace(THEN, told_at),
        insert(
            "notify.tellings",
            disclosure_id=f"'{dsc(number)}'",
            notice_id=f"'{ntc(number)}'",
            agency_id="'agy'",
            told_by="'x'",
            told_at=told_at,
            recorded_at=THEN,
            sealed="''",
        ),
    )


def placement_telling(number: int) -> str:
    return insert(
        "intake.tellings",
        disclosure_id=f"'{dsc(number)}'",
        placement_id="'plc'",
        version="1",
        sealed="''",
        fields="'{}'",
        actor="'x'",
        authority="''",
        purpose="''",
        commitment="''",
        occurred_at=THEN,
        recorded_at=THEN,
    )


def export(number: int) -> str:
    return insert(
        "intake.statistics_disclosures",
        disclosure_id=f"'{dsc(number)}'",
        export_id="'exp'",
        kind="'annual'",
        actor="'x'",
        actor_kind="'person'",
        authority="''",
        purpose="''",
        tables="'{}'",
        commitment="''",
        exported_at=THEN,
    )


async def enter_told(db: Database, sealer: Sealer, source: Source, number: int) -> None:
    leaf = json.dumps({"event": {"source": source.value}, "n": number}).encode()
    async with db.transaction() as session:
        told = Submission(f"told-{number}", 0, Kind.TOLD, dsc(number), leaf)
        await store.submit(session, [told])
    await sealer.drain()


async def enter(db: Database, sealer: Sealer, kind: Kind, *numbers: int) -> None:
    async with db.transaction() as session:
        await store.submit(
            session,
            [
                Submission(f"{kind}-{number}", 0, kind, dsc(number), f"{kind}{number}".encode())
                for number in numbers
            ],
        )
    await sealer.drain()


@pytest.fixture
async def ordinary(db: Database, database: FreshDatabase, sealer: Sealer) -> None:
    """What was done and what the record says are the same."""
    await as_superuser(
        database,
        *(attempt(number) for number in range(1, 4)),
        *(outcome(number) for number in range(1, 4)),
        *(delivery(number) for number in range(1, 4)),
        view(100),
        version(1),
        plan(1),
    )
    await enter(db, sealer, Kind.ATTEMPTED, 1, 2, 3)
    await enter(db, sealer, Kind.COMPLETED, 1, 2, 3)
    await enter(db, sealer, Kind.VIEWED, 100)


def soon() -> datetime:
    """A moment by which all of the above lies in the window."""
    return datetime.now(UTC) + timedelta(seconds=1)


def gauge(kind: str) -> float:
    return metrics.AUDIT_DISCREPANCIES.labels(kind)._value.get()  # type: ignore[no-any-return]


@pytest.mark.usefixtures("ordinary")
async def test_in_the_ordinary_case_nothing_is_missing(reconciler: Reconciler) -> None:
    missing = await reconciler.once(soon())
    assert len(missing) == 18
    assert not any(missing.values())
    assert sum(gauge(kind) for kind in missing) == 0


PLANTED: dict[str, tuple[str, str]] = {
    "attempt_without_entry": (attempt(50), dsc(50)),
    "outcome_without_entry": (outcome(1).replace("'completed'", "'unknown'"), f"{dsc(1)} unknown"),
    "read_without_entry": (view(150), dsc(150)),
    "version_without_plan": (version(2), f"{REFERRAL} 2"),
    "plan_without_version": (plan(3), f"{REFERRAL} 3"),
    "delivery_without_receipt": (delivery(60), ntc(60)),
    "placement_telling_without_entry": (placement_telling(61), dsc(61)),
    "export_without_entry": (export(62), dsc(62)),
}


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize("kind", PLANTED)
async def test_a_planted_loss_is_found(
    kind: str, database: FreshDatabase, reconciler: Reconciler, db: Database
) -> None:
    statement, subject = PLANTED[kind]
    await as_superuser(database, statement)
    assert {each: found for each, found in (await reconciler.once(soon())).items() if found} == {
        kind: {subject}
    }
    assert gauge(kind) == 1
    async with db.transaction() as session:
        [found] = await reconciling_store.open_discrepancies(session)
    assert (found.kind, found.subject) == (kind, subject)


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize(
    ("kind", "entered", "number", "subject"),
    [
        ("entry_without_attempt", Kind.ATTEMPTED, 70, dsc(70)),
        ("entry_without_outcome", Kind.FAILED, 70, f"{dsc(70)} failed"),
        ("entry_without_read", Kind.VIEWED, 70, dsc(70)),
        ("entry_without_export", Kind.EXPORTED, 70, dsc(70)),
    ],
)
async def test_an_entry_of_what_never_was_is_found(
    kind: str,
    entered: Kind,
    number: int,
    subject: str,
    db: Database,
    sealer: Sealer,
    reconciler: Reconciler,
) -> None:
    await enter(db, sealer, entered, number)
    found = {each: what for each, what in (await reconciler.once(soon())).items() if what}
    assert found == {kind: {subject}}


@pytest.mark.usefixtures("ordinary")
async def test_p2_tellings_and_exports_that_are_on_record_raise_no_alarm(
    database: FreshDatabase, db: Database, sealer: Sealer, reconciler: Reconciler
) -> None:
    """A telling is an attempt by no wire: its entry is of another kind. Where the notice goes out
    by a channel of its own all the same, to have been told ends no delivery."""
    await as_superuser(
        database,
        *telling(201),
        delivery(201).replace(THEN, "NULL").replace("'delivered'", "'pending'"),
        placement_telling(202),
        export(203),
    )
    await enter_told(db, sealer, Source.NOTIFY, 201)
    await enter_told(db, sealer, Source.INTAKE, 202)
    await enter(db, sealer, Kind.EXPORTED, 203)
    assert {kind: of for kind, of in (await reconciler.once(soon())).items() if of} == {}


@pytest.mark.usefixtures("ordinary")
async def test_p2_a_telling_entered_days_after_is_compared_all_the_same(
    database: FreshDatabase, reconciler: Reconciler
) -> None:
    await reconciler.once(datetime.now(UTC) - timedelta(hours=2))
    await as_superuser(database, *telling(201, "now() - interval '9 days'"))
    found = {kind: of for kind, of in (await reconciler.once(soon())).items() if of}
    assert found == {"telling_without_entry": {dsc(201)}}


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("entry_without_telling", Source.NOTIFY),
        ("entry_without_placement_telling", Source.INTAKE),
    ],
)
async def test_p7_an_entry_of_a_telling_that_its_sender_lacks_is_found(
    kind: str, source: Source, db: Database, sealer: Sealer, reconciler: Reconciler
) -> None:
    await enter_told(db, sealer, source, 201)
    found = {each: of for each, of in (await reconciler.once(soon())).items() if of}
    assert found == {kind: {dsc(201)}}


@pytest.mark.usefixtures("ordinary")
async def test_a_receipt_of_what_we_call_undelivered_is_found(
    database: FreshDatabase, reconciler: Reconciler
) -> None:
    await as_superuser(
        database, f"UPDATE notify.deliveries SET delivered_at = NULL WHERE notice_id = '{ntc(2)}'"
    )
    found = {each: what for each, what in (await reconciler.once(soon())).items() if what}
    assert found == {"receipt_without_delivery": {ntc(2)}}


@pytest.mark.usefixtures("ordinary")
async def test_what_a_recipient_answered_for_and_does_not_hold_is_found_until_it_does(
    database: FreshDatabase, reconciler: Reconciler
) -> None:
    await as_superuser(database, statement(), receipt(1), receipt(3))
    found = {each: what for each, what in (await reconciler.once(soon())).items() if what}
    assert found == {"answered_and_not_held": {ntc(2)}}
    await as_superuser(database, receipt(2))
    assert not any((await reconciler.once(soon())).values())
    assert gauge("answered_and_not_held") == 0


@pytest.mark.usefixtures("ordinary")
async def test_what_a_recipient_holds_and_nobody_sent_is_found(
    database: FreshDatabase, reconciler: Reconciler
) -> None:
    held = [receipt(number) for number in (1, 2, 3, 80)]
    await as_superuser(database, statement(), *held)
    found = {each: what for each, what in (await reconciler.once(soon())).items() if what}
    assert found == {"held_and_not_attempted": {ntc(80)}}


@pytest.mark.usefixtures("ordinary")
async def test_what_came_late_is_settled_by_the_next_run(
    database: FreshDatabase, db: Database, sealer: Sealer, reconciler: Reconciler
) -> None:
    await as_superuser(database, attempt(50))
    assert (await reconciler.once(soon()))["attempt_without_entry"] == {dsc(50)}
    await enter(db, sealer, Kind.ATTEMPTED, 50)
    again = await reconciler.once(soon())
    assert not any(again.values())
    assert gauge("attempt_without_entry") == 0


@pytest.mark.usefixtures("ordinary")
async def test_a_window_is_compared_once_and_what_is_open_every_time(
    database: FreshDatabase, db: Database, reconciler: Reconciler
) -> None:
    await as_superuser(database, version(2))
    end = soon()
    assert (await reconciler.once(end))["version_without_plan"] == {f"{REFERRAL} 2"}
    assert not any((await reconciler.once(end + timedelta(seconds=5))).values())
    assert gauge("version_without_plan") == 1
    async with db.transaction() as session:
        assert await reconciling_store.last_window(session) == end + timedelta(seconds=5)


@pytest.mark.usefixtures("ordinary")
@pytest.mark.parametrize("name", ["intake", "notify"])
async def test_a_service_that_is_away_leaves_the_window_open_and_its_age_grows(
    name: str, far: dict[str, Apps], reconciler: Reconciler, db: Database
) -> None:
    """P9."""
    far[name].away = True
    with pytest.raises(Retryable):
        await reconciler.once(soon())
    async with db.transaction() as session:
        assert await reconciling_store.last_window(session) is None
    assert await reconciler.age() > 0
    far[name].away = False
    await reconciler.once(soon())
    assert await reconciler.age() == 0
    await reconciler.once(datetime.now(UTC) + timedelta(hours=1))
    assert GRACE.total_seconds() == 300


@pytest.mark.usefixtures("ordinary")
async def test_p9_a_service_of_an_older_release_leaves_the_window_open(
    far: dict[str, Apps], database: FreshDatabase, tokens: Tokens, reconciler: Reconciler
) -> None:
    older = {kind: one for kind, one in notify_windows.KINDS.items() if kind != "tellings"}
    notify, before = far["notify"], Apps(app_of(database.open("notify"), tokens, older))
    notify._client, before._client = before._client, notify._client
    await as_superuser(database, attempt(50))
    with pytest.raises(Permanent):
        await reconciler.once(soon())
    assert await reconciler.age() > 0
    notify._client, before._client = before._client, notify._client
    await before.close()
    assert (await reconciler.once(soon()))["attempt_without_entry"] == {dsc(50)}


async def test_more_than_a_page_is_compared_whole(
    database: FreshDatabase, reconciler: Reconciler
) -> None:
    await as_superuser(
        database,
        "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, attempted_at) "
        f"SELECT 'dsc_' || lpad(i::text, 32, '0'), 'n', 'a', {THEN} "
        "FROM generate_series(1, 2500) AS i",
    )
    assert len((await reconciler.once(soon()))["attempt_without_entry"]) == 2500


async def test_p9_of_more_than_a_page_that_is_lacking_what_came_late_is_settled(
    database: FreshDatabase, db: Database, sealer: Sealer, reconciler: Reconciler
) -> None:
    """Behind a thousand that stay lost, the others were never looked at again."""
    await as_superuser(
        database,
        "INSERT INTO notify.disclosures (disclosure_id, notice_id, agency_id, attempted_at) "
        f"SELECT 'dsc_' || lpad(to_hex(i), 32, '0'), 'n', 'a', {THEN} "
        "FROM generate_series(1, 1200) AS i",
    )
    await reconciler.once(soon())
    await enter(db, sealer, Kind.ATTEMPTED, *range(1101, 1201))
    await reconciler.once(soon())
    assert gauge("attempt_without_entry") == 1100


async def test_nobody_else_may_ask(far: dict[str, Apps], tokens: Tokens) -> None:
    """P10."""
    path = "/internal/v1/windows/attempts?start=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z"
    assert (await far["notify"].send("GET", path, {}, None))[0] == 401
    for headers, status in (
        (tokens.bearer(("audit:read",)), 403),
        (tokens.bearer((SCOPE,)), 200),
    ):
        assert (await far["notify"].send("GET", path, headers, None))[0] == status
    headers = tokens.bearer((SCOPE,))
    assert (await far["notify"].send("GET", path.replace("attempts", "x"), headers, None))[0] == 404
    agency = LocalIssuer(tokens.key, ISSUER).token("a", (SCOPE,), agency="agy_1")
    bearer = {"Authorization": f"Bearer {agency}"}
    assert (await far["notify"].send("GET", path, bearer, None))[0] == 403


async def test_an_answer_that_never_ends_is_refused(db: Database) -> None:
    class Endless(OwnSide):
        async def page(self, start: datetime, end: datetime, after: str) -> Page:
            return Page(ids=["a"], next="a")

    listed = reconciling_store.KINDS["reads"]
    endless = Reconciler(
        db, "", [Pair(Endless(db, listed), OwnSide(db, listed), "read_without_entry", "x")]
    )
    with pytest.raises(Permanent, match="do not come to an end"):
        await endless.once(soon())
