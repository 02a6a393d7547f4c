"""Tasks page whoever is on call, over real HTTP and SMTP, until somebody acknowledges."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP
from sqlalchemy import text

from services.notify import areas
from services.notify.consumer import FileBreach
from services.notify.oncall import rostering
from services.notify.oncall.api import oncall_router
from services.notify.oncall.commands import run_oncall
from services.notify.oncall.email_pager import EmailPager, MailServer
from services.notify.oncall.escalation import PageOutcome
from services.notify.oncall.paging import Paging
from services.notify.oncall.roster import Channel, ChannelKind
from services.notify.oncall.roster_file import RosterFile
from services.notify.proposals import store as proposal_store
from services.notify.proposals.api import proposal_router
from services.notify.tasks import store as task_store
from services.notify.tasks.acknowledging import acknowledge
from services.notify.tasks.task import NewTask, TaskKind
from services.notify.wiring import PROPOSABLES
from shared.contracts.deadlines import ClockBreached
from shared.runtime import metrics
from shared.runtime.db import Database
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import new_id
from tests.support.databases import FreshDatabase
from tests.support.desks import Desk, desk_of
from tests.support.planning import SEALER, envelope
from tests.support.receiver import Receiver, answer, receiving
from tests.support.rosters import LOCAL_PAGER, roster

NOON = datetime(2026, 3, 3, 17, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
SECRET = "Ansonia, Test Child One, HL-TEST-0001"
SCOPES = "oncall:read oncall:propose proposals:read proposals:decide"


@dataclass
class Duty:
    """A database with tasks, a roster and pagers; time is what the test says."""

    db: Database
    now: datetime = NOON
    operations: tuple[Channel, ...] = ()
    email: EmailPager | None = None
    referral_id: str = field(default_factory=lambda: new_id("ref"))

    def pager(self) -> Paging:
        pagers: dict[ChannelKind, Any] = {ChannelKind.WEBHOOK: LOCAL_PAGER}
        if self.email is not None:
            pagers[ChannelKind.EMAIL] = self.email
        link = "https://console.test/tasks"
        return Paging(self.db, pagers, self.operations, link, lambda: self.now)

    async def file(self, kind: TaskKind = TaskKind.REFUSED, desk: str | None = None) -> str:
        about = new_id("ntc")
        new = NewTask(kind, about, self.referral_id, f"About {SECRET}.", desk)
        async with self.db.transaction() as session:
            await task_store.file_tasks(session, [new], self.now)
            return str(
                await session.scalar(
                    text("SELECT task_id FROM notify.tasks WHERE about = :about"), {"about": about}
                )
            )

    async def put(self, body: dict[str, Any]) -> None:
        """A roster, by two people."""
        async with self.db.transaction() as session:
            made = await rostering.propose_roster(
                session,
                SEALER,
                RosterFile.model_validate(body),
                reason="Test.",
                by="maker",
                now=self.now,
            )
            await proposal_store.decide(
                session,
                made.proposal_id,
                approve=True,
                by="checker",
                decision="Good.",
                now=self.now,
                proposables=PROPOSABLES,
            )

    async def pages(self) -> list[tuple[int, str, str | None]]:
        async with self.db.transaction() as session:
            rows = await session.execute(
                text("SELECT * FROM notify.pages ORDER BY claimed_at, round, task_id")
            )
        return [(row.round, row.person, row.outcome) for row in rows]

    async def unpaged(self) -> float:
        async with self.db.transaction() as session:
            return (await areas.ages(session))["task_unpaged"]


@pytest.fixture
async def duty(database: FreshDatabase) -> Duty:
    return Duty(database.open("notify"))


@pytest.fixture
async def others() -> AsyncIterator[dict[str, Receiver]]:
    """A pager's server for each person."""
    async with receiving() as ann, receiving() as bob, receiving() as chief:
        yield {"ann": ann, "bob": bob, "chief": chief}


def hooks(others: dict[str, Receiver]) -> dict[str, tuple[str, str]]:
    return {person: ("webhook", each.url) for person, each in others.items()}


@dataclass
class Mails:
    got: list[tuple[str, str]] = field(default_factory=list)

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's
        self.got.append((envelope.rcpt_tos[0], envelope.content.decode()))
        return "250 OK"


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Mails, MailServer]]:
    mails = Mails()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mails), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield mails, MailServer.parse(f"smtp+clear://127.0.0.1:{port}")
    finally:
        server.close()


async def test_a_task_pages_the_next_person_every_15_minutes_until_one_acknowledges(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    await duty.put(roster(hooks(others)))
    task_id = await duty.file()
    for minutes, person in ((0, "ann"), (15, "bob"), (30, "chief"), (45, "ann")):
        duty.now = NOON + timedelta(minutes=minutes)
        assert await duty.pager().once() == 1
        assert await duty.pager().once() == 0, "once per task, person and round"
        assert (await duty.pages())[-1] == (minutes // 15 + 1, person, "taken")
    async with duty.db.transaction() as session:
        await task_store.acknowledge(session, task_id, "ann", duty.now)
    duty.now += timedelta(hours=1)
    assert await duty.pager().once() == 0
    assert [len(each.requests) for each in others.values()] == [2, 1, 1]


async def test_a_page_is_alertmanagers_json_and_says_nothing_of_anybody(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    await duty.put(roster(hooks(others)))
    ids = [await duty.file(), await duty.file(TaskKind.BREACHED)]
    duty.now += timedelta(minutes=3)
    await duty.pager().once()
    (request,) = others["ann"].requests
    page = json.loads(request.body)
    assert {"version", "groupKey", "status", "receiver", "groupLabels", "commonLabels",
            "commonAnnotations", "externalURL", "alerts"} <= page.keys()  # fmt: skip
    assert (page["version"], page["status"]) == ("4", "firing")
    assert {alert["labels"]["task"] for alert in page["alerts"]} == set(ids)
    first = page["alerts"][0]
    assert first["labels"]["kind"] in ("refused", "breached")
    assert first["startsAt"] == "2026-03-03T17:00:00Z"
    assert first["generatorURL"].startswith("https://console.test/tasks/tsk_")
    assert "has waited 3 minutes" in first["annotations"]["summary"]
    books = {each["labels"]["kind"]: each["annotations"]["runbook"] for each in page["alerts"]}
    assert books == {
        "refused": "docs/runbook.md#a-recipient-was-refused",
        "breached": "docs/runbook.md#a-clock-ran-out",
    }
    assert books[first["labels"]["kind"]] in first["annotations"]["summary"]
    said = request.body.decode()
    assert not any(word in said for word in (*SECRET.split(", "), duty.referral_id, "agy_"))
    assert all(f"acknowledge it: {task}." in said for task in ids), "two are seen to be two"


async def test_each_desk_of_a_breach_is_paged_by_its_own_duty(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    """One by what the roster says of the desk, one by a role of its name, one by the kind's."""
    body = roster(hooks(others), desks={"careline_supervisor": {"role": "supervision"}})
    body["roles"] |= {
        "supervision": [{"people": ["bob"]}],
        "hart_director": [{"people": ["chief"]}],
    }
    await duty.put(body)
    tell = ("careline_supervisor", "hart_director", "compliance")
    data = ClockBreached(
        referral_id=duty.referral_id,
        clock_id=new_id("clk"),
        policy="ack24",
        policy_version="2026-1",
        child_id=new_id("chd"),
        role=None,
        due_at=NOON,
        tell=tell,
        discovered_at=NOON,
    )
    async with duty.db.transaction() as session:
        handler = FileBreach(lambda: duty.now)
        await handler.apply(session, envelope(data), data, None)
    assert await duty.pager().once() == 3
    assert {person: len(each.requests) for person, each in others.items()} == {
        "ann": 1,
        "bob": 1,
        "chief": 1,
    }
    assert "kind breached for compliance has" in others["ann"].requests[0].body.decode()
    takers = {"careline_supervisor": "bob", "hart_director": "ann", "compliance": "ann"}
    async with duty.db.transaction() as session:
        for task in await task_store.list_tasks(session, only_open=True, after=None, limit=9):
            taker = takers[str(task.desk)]
            taken = await acknowledge(session, task.task_id, taker, duty.now)
            assert taken is not None
            others_desk = "hart_director" if task.desk == "hart_director" else None
            assert taken.acknowledged_for == others_desk, "by the roster, chief's alone"


async def test_every_clock_of_a_referral_is_one_page(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    """Twelve tasks were twelve alarms of one matter; whoever stands for three desks has three."""
    await duty.put(roster(hooks(others)))
    for _ in range(12):
        data = ClockBreached(
            referral_id=duty.referral_id,
            clock_id=new_id("clk"),
            policy="le12",
            policy_version="2026-1",
            child_id=new_id("chd"),
            due_at=NOON,
            tell=("careline_supervisor", "hart_director", "compliance"),
            discovered_at=NOON,
        )
        async with duty.db.transaction() as session:
            await FileBreach(lambda: duty.now).apply(session, envelope(data), data, None)
    assert await duty.pager().once() == 3
    (page,) = others["ann"].requests
    assert len(json.loads(page.body)["alerts"]) == 3


async def test_a_page_by_mail_is_as_silent(duty: Duty) -> None:
    async with mail_server() as (mails, server):
        duty.email = EmailPager(server, "hartline@example.test")
        await duty.put(roster({"ann": ("email", "ann@example.test")}))
        task_id = await duty.file()
        await duty.pager().once()
    ((to, mail),) = mails.got
    assert to == "ann@example.test"
    assert f"https://console.test/tasks/{task_id}" in mail
    assert "kind refused" in mail.replace("=\r\n", "")
    assert not any(word in mail for word in (*SECRET.split(", "), duty.referral_id, "agy_"))


async def test_a_mail_server_without_tls_gets_no_page_and_the_fallback_does(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    async with mail_server() as (mails, clear):
        server = MailServer(clear.host, clear.port, tls=False, starttls=True, username=None)
        duty.email = EmailPager(server, "hartline@example.test")
        await duty.put(roster(hooks(others) | {"ann": ("email", "ann@example.test")}))
        await duty.file()
        await duty.pager().once()
        await duty.pager().once()
    assert mails.got == []
    assert await duty.pages() == [(1, "ann", "failed"), (2, "chief", "taken")]


async def test_p9_nobody_on_call_goes_to_the_fallback_and_is_counted(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    before = metrics.NOBODY_ON_CALL._value.get()
    sunday = [{"days": ["sun"], "people": ["ann"]}]
    await duty.put(roster(hooks(others), roles={"duty": sunday, "desk": sunday}))
    await duty.file()
    await duty.pager().once()
    assert await duty.pages() == [(1, "chief", "taken")]
    assert metrics.NOBODY_ON_CALL._value.get() == before + 1


async def test_p9_without_a_roster_the_settings_fallback_is_paged(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    duty.operations = (Channel(ChannelKind.WEBHOOK, others["chief"].url),)
    await duty.file()
    await duty.pager().once()
    assert await duty.pages() == [(1, "operations", "taken")]


async def test_p9_a_pager_that_fails_escalates_to_the_fallback_at_once(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    failed = metrics.PAGES.labels(PageOutcome.FAILED.value)
    before = failed._value.get()
    others["ann"].behaviour = answer(503)
    await duty.put(roster(hooks(others)))
    await duty.file()
    await duty.pager().once()
    await duty.pager().once()
    assert await duty.pages() == [(1, "ann", "failed"), (2, "chief", "taken")]
    assert failed._value.get() == before + 1


async def test_p9_a_task_of_which_no_pager_took_a_page_has_an_age(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    duty.now = datetime.now(UTC) - timedelta(minutes=2)
    task_id = await duty.file()
    await duty.pager().once()
    assert await duty.unpaged() > 100, "there is no fallback, so it has failed"
    duty.operations = (Channel(ChannelKind.WEBHOOK, others["chief"].url),)
    duty.now = datetime.now(UTC)
    await duty.pager().once()
    assert await duty.unpaged() == 0
    assert task_id


async def test_two_pagers_send_each_page_once(duty: Duty, others: dict[str, Receiver]) -> None:
    await duty.put(roster(hooks(others)))
    ids = {await duty.file() for _ in range(20)}
    await asyncio.gather(*(duty.pager().once() for _ in range(4)))
    told = [
        alert["labels"]["task"]
        for request in others["ann"].requests
        for alert in json.loads(request.body)["alerts"]
    ]
    assert (len(told), set(told)) == (20, ids)


async def test_a_pager_that_dies_sends_nothing_twice_and_the_fallback_is_paged(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    await duty.put(roster(hooks(others)))
    await duty.file()
    others["ann"].behaviour = others["ann"].hang
    dying = asyncio.ensure_future(duty.pager().once())
    async with asyncio.timeout(5):
        while not others["ann"].requests:
            await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    assert await duty.pager().once() == 0
    duty.now += timedelta(seconds=31)
    await duty.pager().once()
    assert await duty.pages() == [(1, "ann", "lost"), (2, "chief", "taken")]
    assert len(others["ann"].requests) == 1


async def test_what_is_acknowledged_while_it_is_claimed_is_not_paged(
    duty: Duty, others: dict[str, Receiver]
) -> None:
    await duty.put(roster(hooks(others)))
    task_id = await duty.file()
    async with duty.db.transaction() as session:
        await task_store.acknowledge(session, task_id, "ann", duty.now)
        assert await duty.pager().once() == 0
    assert await duty.pager().once() == 0
    assert others["ann"].requests == []


# Who decides who is on call


@pytest.fixture
async def desk(duty: Duty, tmp_path: Path) -> AsyncIterator[Desk]:
    routers = [oncall_router(duty.db, SEALER), proposal_router(duty.db, PROPOSABLES)]
    async with desk_of(routers, SCOPES, tmp_path) as made:
        yield made


async def test_a_roster_is_in_force_when_a_second_person_has_approved_it(desk: Desk) -> None:
    made = await desk.post("/v1/oncall/proposals", {"reason": "New.", "roster": roster({})})
    assert made.status_code == 201
    assert (await desk.get("/v1/oncall")).json()["version"] == 0
    proposal_id = made.json()["proposal_id"]
    assert (await desk.approve(proposal_id, "maker")).status_code == 403
    assert (await desk.approve(proposal_id)).status_code == 200
    found = (await desk.get("/v1/oncall?at=2026-03-03T17:00:00Z")).json()
    assert (found["version"], found["roles"]["duty"]) == (1, ["ann", "bob"])


async def test_two_rosters_proposed_against_the_same_one_do_not_both_apply(desk: Desk) -> None:
    body = {"reason": "New.", "roster": roster({})}
    made = [(await desk.post("/v1/oncall/proposals", body)).json() for _ in range(2)]
    assert (await desk.approve(made[0]["proposal_id"])).status_code == 200
    assert (await desk.approve(made[1]["proposal_id"])).status_code == 409


async def test_whoever_takes_somebodys_alarms_needs_a_second_person(duty: Duty, desk: Desk) -> None:
    await duty.put(roster({}))
    period = {"starts_at": "2026-03-03T17:00:00Z", "ends_at": "2999-03-03T18:00:00Z"}
    swap = {"role": "duty", "person": "cat", "instead_of": "ann", "reason": "Ill."} | period
    made = await desk.post("/v1/oncall/overrides", swap)
    assert made.status_code == 202
    at = "/v1/oncall?at=2999-03-03T17:30:00Z"
    assert (await desk.get(at)).json()["roles"]["duty"] == ["ann", "bob"]
    await desk.approve(made.json()["proposal_id"])
    assert (await desk.get(at)).json()["roles"]["duty"] == ["cat", "bob"]
    behind = {"role": "duty", "person": "chief", "reason": "Helps."} | period
    assert (await desk.post("/v1/oncall/overrides", behind)).status_code == 201
    assert (await desk.get(at)).json()["roles"]["duty"] == ["cat", "bob", "chief"]
    unknown = behind | {"person": "secret-stranger"}
    refused = await desk.post("/v1/oncall/overrides", unknown)
    assert refused.status_code == 422
    assert "secret" not in refused.text


async def test_a_roster_comes_from_a_file(
    duty: Duty, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "roster.yaml"
    file.write_text(json.dumps(roster({})))
    with pytest.raises(Misconfigured, match="--by"):
        await run_oncall(["import", str(file)], duty.db, SEALER)
    say = ["--by", "maker", "--reason", "New"]
    assert await run_oncall(["import", str(file), *say], duty.db, SEALER) == 0
    proposal_id = capsys.readouterr().out.split("Proposed as ")[1].split(".")[0]
    assert (await desk.approve(proposal_id)).status_code == 200
    assert await run_oncall(["show", "--at", "2026-03-03T17:00:00Z"], duty.db, SEALER) == 0
    assert "duty: ann, bob" in capsys.readouterr().out
    assert await run_oncall(["show", "--at", "2026-03-07T17:00:00Z"], duty.db, SEALER) == 1


async def test_an_override_says_what_stands_and_is_listed_and_ended(
    duty: Duty, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The roster has nobody at all: an override mends it for a time, and says so."""
    nobody = {"duty": [{"people": ["ann"], "days": []}], "desk": [{"people": ["cat"]}]}
    await duty.put(roster({}, roles=nobody))
    until = datetime.now(UTC) + timedelta(hours=14)
    body = {"role": "duty", "person": "bob", "ends_at": until.isoformat(), "reason": "Nobody."}
    made = (await desk.post("/v1/oncall/overrides", body)).json()
    assert made["proposal_id"] is None
    assert made["override"]["in_force"] is True
    assert made["difference"][0].startswith("As duty, bob is paged behind those on call from ")
    assert made["difference"][0].endswith("in force now.")
    assert made["difference"][1].startswith("! duty: NOBODY from ")
    assert await run_oncall(["show"], duty.db, SEALER) == 0
    said = capsys.readouterr().out
    assert "duty: bob (by override, until " in said
    assert "otherwise: duty (bob)\nfallback: chief\n! duty: NOBODY from " in said
    (listed,) = (await desk.get("/v1/oncall/overrides")).json()["overrides"]
    assert listed == made["override"]
    where = f"/v1/oncall/overrides/{listed['override_id']}/end"
    ended = (await desk.post(where, None, by="other")).json()
    assert ended["override"]["ended_by"] == "other"
    assert ended["difference"][1].startswith("! duty: NOBODY now")
    again = (await desk.post(where, None, by="third")).json()
    assert again["override"]["ended_by"] == "other"
    assert (await desk.get("/v1/oncall/overrides")).json()["overrides"] == []
    (kept,) = (await desk.get("/v1/oncall/overrides?all=true")).json()["overrides"]
    assert (kept["in_force"], kept["ended_by"]) == (False, "other")
    assert await run_oncall(["show"], duty.db, SEALER) == 1
    assert (await desk.post("/v1/oncall/overrides/ovr_none/end", None)).status_code == 404


async def test_an_override_that_begins_later_or_is_over_is_not_taken_for_one_that_stands(
    duty: Duty, desk: Desk
) -> None:
    await duty.put(roster({}))
    body = {"role": "duty", "person": "chief", "reason": "Helps."}
    period = {"starts_at": "2999-03-03T17:00:00Z", "ends_at": "2999-03-03T18:00:00Z"}
    made = (await desk.post("/v1/oncall/overrides", body | period)).json()
    assert made["override"]["in_force"] is False
    assert made["difference"][0].endswith("NOT YET in force.")
    over = await desk.post("/v1/oncall/overrides", body | {"ends_at": "2026-03-03T18:00:00Z"})
    assert over.status_code == 422
    assert over.json()["errors"] == [{"pointer": "#/ends_at", "detail": "is over already"}]


async def test_an_import_and_its_proposal_say_what_changes_and_when_nobody_is_on_call(
    duty: Duty, desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await duty.put(roster({}))
    now = datetime.now(UTC)
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    tomorrow = days[(now - timedelta(hours=5)).weekday() + 1 - 7]
    without = [{"people": ["ann"], "days": [day for day in days if day != tomorrow]}]
    file = tmp_path / "roster.yaml"
    file.write_text(json.dumps(roster({}, roles=roster({})["roles"] | {"duty": without})))
    assert await run_oncall(["import", str(file), "--dry-run"], duty.db, SEALER) == 0
    said = capsys.readouterr().out
    assert "Would change, against version 1, which is in force:\n- duty: every day" in said
    assert "! duty: NOBODY from " in said
    assert "Proposed" not in said
    say = ["--by", "maker", "--reason", "New"]
    assert await run_oncall(["import", str(file), *say], duty.db, SEALER) == 0
    proposal_id = capsys.readouterr().out.split("Proposed as ")[1].split(".")[0]
    difference = (await desk.get(f"/v1/proposals/{proposal_id}")).json()["difference"]
    assert difference[0].startswith("! duty: NOBODY from ")
    assert difference[1].startswith("- duty: every day")


PATHS = [
    ("GET", "/v1/oncall", "oncall:read", None),
    ("GET", "/v1/oncall/overrides", "oncall:read", None),
    ("POST", "/v1/oncall/overrides/ovr_none/end", "oncall:propose", None),
    ("POST", "/v1/oncall/proposals", "oncall:propose", {"reason": "New.", "roster": roster({})}),
    (
        "POST",
        "/v1/oncall/overrides",
        "oncall:propose",
        {"role": "duty", "person": "cat", "reason": "Ill.", "starts_at": "2026-03-03T17:00:00Z",
         "ends_at": "2026-03-04T17:00:00Z"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "scope", "body"), PATHS)
async def test_p10_the_roster_needs_its_scope_and_is_for_our_own_people(
    desk: Desk, method: str, path: str, scope: str, body: object
) -> None:
    assert set(await desk.refused_to_others(method, path, scope, body)) == {401, 403}


@pytest.mark.parametrize(
    "url", ["http://mail.test", "smtp://user:secret@mail.test", "smtp+clear://mail.test", "smtp://"]
)
def test_a_mail_server_that_would_hear_us_in_clear_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        MailServer.parse(url)
    assert "secret" not in str(refused.value)
