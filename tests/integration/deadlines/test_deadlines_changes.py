"""Two people change a policy, and running processes go over to it without a restart (P6)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text as sql

from services.deadlines.__main__ import main
from services.deadlines.changes.watching import Watching
from services.deadlines.commands import rebuild
from services.deadlines.policy_files import SHIPPED, load
from shared.contracts.codes import HtType
from tests.integration.deadlines.conftest import Desk
from tests.support.databases import FreshDatabase
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    RECEIVED,
    REFERRAL,
    Service,
    delivered,
    opaque,
    planned,
    received,
    service,
)

ROOT = "/v1/policies/proposals"
FIRST = "2026-03-10"
ON_THE_FIRST = RECEIVED + timedelta(days=3)
"""The afternoon of the policy's first day in Connecticut."""
SECOND, SECOND_CHILD = opaque("ref", 2), opaque("chd", 2)


def le12(hours: int = 6, **more: str) -> str:
    """The shipped clock of police, with another length and a version of its own."""
    lines = {"version": '"2026-3"', "effective_from": FIRST, **more}
    text = (SHIPPED / "le12.yaml").read_text().replace("hours: 12", f"hours: {hours}")
    text = text.replace("before_minutes: [240, 60]", "before_minutes: [60]")
    kept = [line for line in text.splitlines() if line.split(":")[0] not in lines]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in lines.items() if value)])


async def propose_it(desk: Desk, text: str, **more: Any) -> Any:
    body = {"text": text, "file": "le12.yaml", "reason": "Half the time."}
    return await desk.post(ROOT, body, "policies:propose", **more)


async def decide(desk: Desk, proposal_id: str, what: str = "approve", by: str = "checker") -> Any:
    path = f"{ROOT}/{proposal_id}/{what}"
    return await desk.post(path, {"decision": "Agreed."}, "policies:decide", by=by)


def watching(of: Service) -> Watching:
    """What follows the register in the process of these parts."""
    return Watching(of.db, load(), of.keep._keeper, of.clock)


async def settle(watch: Watching) -> None:
    while await watch.look():
        pass


async def approved(desk: Desk, text: str) -> str:
    proposal_id: str = (await propose_it(desk, text)).json()["proposal_id"]
    assert (await decide(desk, proposal_id)).status_code == 200
    return proposal_id


async def test_a_policy_is_asked_of_the_past_and_needs_a_second_person(desk: Desk) -> None:
    await desk.deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + 8 * HOUR))
    desk.deadlines.clock.now = DUE + HOUR
    made = await propose_it(desk, le12())
    assert made.status_code == 201
    shown = made.json()
    assert shown["difference"]["newly_missed"] == 1
    assert shown["difference"]["missed_now"] == 0
    assert shown["difference"]["complete"] is True
    proposal_id = shown["proposal_id"]
    assert (await decide(desk, proposal_id, by="maker")).status_code == 403
    answer = await decide(desk, proposal_id)
    assert answer.json()["decided_by"] == "checker"
    assert answer.json()["difference"] == shown["difference"]
    assert (await decide(desk, proposal_id, by="another")).status_code == 409
    versions = (await desk.get("/v1/policies", "policies:read")).json()["versions"]
    both = [each for each in versions if each["policy"]["policy"] == "le12"]
    assert [(e["policy"]["version"], e["approved_by"]) for e in both] == [
        ("2026-2", None),
        ("2026-3", "checker"),
    ]


@pytest.mark.parametrize("by", ["maker", "Maker", " MAKER ", "ｍaker"])
async def test_the_database_itself_refuses_one_person_as_two(desk: Desk, by: str) -> None:
    made = (await propose_it(desk, le12())).json()
    with pytest.raises(Exception, match="needs two people"):
        await desk.deadlines.rows(
            "UPDATE deadlines.policy_proposals SET state = 'approved', decided_by = :by, "
            "decided_at = now() WHERE proposal_id = :id RETURNING 1",
            id=made["proposal_id"],
            by=by,
        )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deadlines.policy_proposals SET body = jsonb_set(body, '{length,hours}', '200')",
        "UPDATE deadlines.policy_proposals SET state = 'withdrawn'",
        "UPDATE deadlines.policy_proposals SET decided_by = 'somebody else'",
        "UPDATE deadlines.policy_proposals SET reason = 'Another.'",
        "DELETE FROM deadlines.policy_proposals",
    ],
)
async def test_what_was_approved_stays_as_it_was_for_the_owner_too(
    desk: Desk, change: str, database: FreshDatabase
) -> None:
    proposal_id = await approved(desk, le12())
    owner = database.open("deadlines", owner=True)
    for db in (owner, desk.deadlines.db):
        with pytest.raises(Exception, match="policy_proposals"):
            async with db.transaction() as session:
                await session.execute(sql(change))
    shown = (await desk.get(f"{ROOT}/{proposal_id}", "policies:read")).json()
    assert (shown["state"], shown["policy"]["length"]) == ("approved", "6 h")


async def test_clocks_run_under_what_was_registered_at_the_approval(
    desk: Desk, database: FreshDatabase
) -> None:
    of = desk.deadlines
    await approved(desk, le12())
    async with database.open("deadlines", owner=True).transaction() as session:
        for statement in (
            "ALTER TABLE deadlines.policy_proposals DISABLE TRIGGER policy_proposals_stay",
            "UPDATE deadlines.policy_proposals SET body = jsonb_set(body, '{length,hours}', '200')",
        ):
            await session.execute(sql(statement))
    of.clock.now = ON_THE_FIRST
    await settle(watching(of))
    await of.hear(received(at=ON_THE_FIRST))
    assert (await of.clock_of()).due_at == ON_THE_FIRST + 6 * HOUR


async def test_it_is_in_force_from_its_day_in_a_process_that_was_running(desk: Desk) -> None:
    of = desk.deadlines
    watch = watching(of)
    await settle(watch)
    await approved(desk, le12())
    await settle(watch)
    await of.hear(received())
    of.clock.now = ON_THE_FIRST
    await settle(watch)
    await of.hear(received(SECOND, {SECOND_CHILD: HtType.SEX}, ON_THE_FIRST))
    old, new = await of.clock_of(), await of.clock_of(child=SECOND_CHILD)
    assert (old.policy_version, old.due_at) == ("2026-2", DUE)
    assert (new.policy_version, new.due_at) == ("2026-3", ON_THE_FIRST + 6 * HOUR)


async def test_p6_a_running_clock_stays_as_it_began_whatever_is_heard_later(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received())
    await approved(desk, le12())
    of.clock.now = ON_THE_FIRST
    await settle(watching(of))
    await of.hear(planned("A"))
    await of.sweep_at(ON_THE_FIRST + HOUR)
    row = await of.clock_of()
    assert (row.policy_version, row.due_at) == ("2026-2", DUE)


async def test_p6_running_clocks_go_over_when_it_says_so_and_not_before_its_day(
    desk: Desk,
) -> None:
    of = desk.deadlines
    at = ON_THE_FIRST - 24 * HOUR
    of.clock.now = RECEIVED
    await of.hear(received(at=at))
    watch = watching(of)
    await approved(desk, le12(40, rewrites='["2026-2"]'))
    of.clock.now = at + HOUR
    await settle(watch)
    await of.hear(planned("A", at))
    assert (await of.clock_of()).policy_version == "2026-2"
    of.clock.now = at + timedelta(hours=11)
    await settle(watch)
    await of.sweep_at(at + timedelta(hours=11, minutes=1))
    row = await of.clock_of()
    assert (row.policy_version, row.due_at) == ("2026-3", at + 40 * HOUR)
    assert (await of.rows("SELECT rewound_at FROM deadlines.policy_proposals"))[0].rewound_at
    assert await rebuild(of.db, of.keep._keeper, ["--check"]) == 0


async def test_p6_a_breach_outlives_the_policy_that_would_have_spared_it(desk: Desk) -> None:
    of = desk.deadlines
    await of.hear(received())
    await approved(desk, le12(200, rewrites='["2026-2"]'))
    await of.sweep_at(DUE + HOUR)
    of.clock.now = ON_THE_FIRST
    await settle(watching(of))
    await of.sweep_at(ON_THE_FIRST + HOUR)
    row = await of.clock_of()
    assert (row.policy_version, row.state) == ("2026-3", "breached")
    events = [e for e in await of.emitted() if e["type"] == "hartline.deadline.breached.v1"]
    assert [event["due_at"] for event in events] == ["2026-03-08T08:00:00Z"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (le12().replace("hours: 6", "hours: six"), "le12.yaml:17: `length.hours` is not right"),
        (le12(effective_from="2026-03-07"), "le12.yaml:28: give an `effective_from` after today"),
        (le12(effective_from=""), "le12.yaml:1: give an `effective_from` after today"),
        (le12(version='"2026-2"'), "this version is there already: count it up"),
        (le12(rewrites='["2025-9"]'), "`rewrites` names a version that there is not"),
        (le12(duty="tell_local_police"), "the duty of le12 is `tell_local_law_enforcement`"),
        (le12(citation=""), "le12.yaml:3: `force: law` needs a `citation`"),
    ],
)
async def test_a_file_with_a_flaw_is_refused_with_file_line_and_mend(
    desk: Desk, text: str, says: str
) -> None:
    answer = await propose_it(desk, text)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/text"
    assert says in error["detail"]
    assert await desk.deadlines.rows("SELECT 1 FROM deadlines.policy_proposals") == []


async def test_a_version_goes_over_to_one_other_and_not_to_a_second(desk: Desk) -> None:
    await approved(desk, le12(20, rewrites='["2026-2"]'))
    later = {"version": '"2026-4"', "effective_from": "2026-03-11"}
    (error,) = (await propose_it(desk, le12(30, **later, rewrites='["2026-2"]'))).json()["errors"]
    assert "2026-2 goes over to 2026-3 already: name that one" in error["detail"]
    assert (await propose_it(desk, le12(30, **later, rewrites='["2026-3"]'))).status_code == 201


async def test_p6_a_clock_that_was_met_before_is_not_made_late_by_what_rewrites_it(
    desk: Desk,
) -> None:
    of = desk.deadlines
    await of.hear(received(), planned("A"), delivered("A", RECEIVED + 8 * HOUR))
    await approved(desk, le12(6, rewrites='["2026-2"]'))
    of.clock.now = ON_THE_FIRST
    await settle(watching(of))
    await of.sweep_at(ON_THE_FIRST + HOUR)
    row = await of.clock_of()
    assert (row.policy_version, row.state) == ("2026-2", "satisfied")
    assert await of.emitted() == []


MIDNIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
"""The beginning of the policy's first day in Connecticut."""
SECOND_LONG = timedelta(seconds=1)


async def test_p6_what_is_received_in_the_first_second_of_its_day_is_governed_by_it(
    desk: Desk,
) -> None:
    of = desk.deadlines
    await approved(desk, le12())
    of.clock.now = MIDNIGHT - 2 * SECOND_LONG
    await settle(watching(of))
    of.clock.now = MIDNIGHT
    await of.hear(received(at=MIDNIGHT))
    before = received(SECOND, {SECOND_CHILD: HtType.SEX}, MIDNIGHT - SECOND_LONG)
    await of.hear(before)
    first, last = await of.clock_of(), await of.clock_of(child=SECOND_CHILD)
    assert (first.policy_version, first.due_at) == ("2026-3", MIDNIGHT + 6 * HOUR)
    assert last.policy_version == "2026-2"


async def test_no_policy_is_approved_so_late_that_a_process_could_miss_its_first_second(
    desk: Desk,
) -> None:
    made = (await propose_it(desk, le12())).json()["proposal_id"]
    desk.deadlines.clock.now = MIDNIGHT - timedelta(seconds=59)
    assert (await decide(desk, made)).status_code == 409
    desk.deadlines.clock.now = MIDNIGHT - timedelta(seconds=60)
    assert (await decide(desk, made)).status_code == 200


HOSTILE = [
    "policy: &x {y: *x}",
    "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]),
    "policy: le12\nversion: " + "9" * 5000,
    le12(source='"a\\0b"'),
]


@pytest.mark.parametrize("text", HOSTILE, ids=["cyclic", "bomb", "number", "nul"])
async def test_a_text_made_to_hurt_is_refused_like_any_other(desk: Desk, text: str) -> None:
    asked = await desk.post("/v1/policies/what-if", {"text": text}, "policies:read")
    for answer in (asked, await propose_it(desk, text)):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#/text"


async def test_what_is_shadowed_or_has_been_overtaken_is_not_approved(desk: Desk) -> None:
    first = (await propose_it(desk, le12())).json()["proposal_id"]
    second = (await propose_it(desk, le12(8, version='"2026-4"'))).json()["proposal_id"]
    assert (await decide(desk, first)).status_code == 200
    assert (await decide(desk, second)).status_code == 409
    (error,) = (await propose_it(desk, le12(8, version='"2026-4"'))).json()["errors"]
    assert "le12 2026-3 begins later or on that day" in error["detail"]
    late = (await propose_it(desk, le12(9, version='"2026-5"', effective_from="2026-03-11"))).json()
    desk.deadlines.clock.now = RECEIVED + timedelta(days=4)
    assert (await decide(desk, late["proposal_id"])).status_code == 409


async def test_ones_own_can_be_taken_back_and_open_ones_are_listed(desk: Desk) -> None:
    made = []
    for n in range(3):
        desk.deadlines.clock.now += timedelta(minutes=1)
        made.append((await propose_it(desk, le12(6 + n, version=f'"2026-{3 + n}"'))).json())
    taken = await decide(desk, made[0]["proposal_id"], "reject", by="maker")
    assert taken.json()["state"] == "withdrawn"
    page = (await desk.get(f"{ROOT}?open=true&limit=1", "policies:read")).json()
    assert [each["proposal_id"] for each in page["proposals"]] == [made[1]["proposal_id"]]
    rest = (await desk.get(f"{ROOT}?open=true&after={page['next']}", "policies:read")).json()
    assert [each["proposal_id"] for each in rest["proposals"]] == [made[2]["proposal_id"]]


async def test_what_if_over_http_stores_nothing(desk: Desk) -> None:
    await desk.deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + 8 * HOUR))
    answer = await desk.post("/v1/policies/what-if", {"text": le12()}, "policies:read")
    assert answer.json()["difference"]["newly_missed"] == 1
    assert answer.json()["policy"]["length"] == "6 h"
    assert REFERRAL not in answer.text
    assert CHILD not in answer.text
    assert await desk.deadlines.rows("SELECT 1 FROM deadlines.policy_proposals") == []
    refused = await desk.post("/v1/policies/what-if", {"text": "policy: x"}, "policies:read")
    assert refused.status_code == 422
    assert "policy.yaml:1: `version` is missing" in refused.text


async def test_a_new_process_reads_what_was_approved(desk: Desk) -> None:
    await approved(desk, le12(effective_from="2026-03-09"))
    again = await service(desk.deadlines.db)
    at = RECEIVED + timedelta(days=2)
    await again.hear(received(at=at))
    assert (await again.clock_of()).due_at == at + 6 * HOUR


@pytest.mark.parametrize("by", ["Maker", " maker", "MAKER ", "ｍaker"])
async def test_one_person_by_another_spelling_is_not_a_second_one(desk: Desk, by: str) -> None:
    made = (await propose_it(desk, le12())).json()["proposal_id"]
    assert (await decide(desk, made, by=by)).status_code == 403
    assert (await decide(desk, made, "reject", by=by)).json()["state"] == "withdrawn"


def test_no_command_takes_a_name_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["propose"])
    assert "there is no role propose" in capsys.readouterr().err


PATHS = [
    ("GET", "/v1/policies", "policies:read", {}),
    ("GET", ROOT, "policies:read", {}),
    ("GET", f"{ROOT}/prp_{0:032x}", "policies:read", {}),
    ("POST", "/v1/policies/what-if", "policies:read", {"text": le12()}),
    ("POST", ROOT, "policies:propose", {"text": le12(), "reason": "Because."}),
    ("POST", f"{ROOT}/prp_{0:032x}/approve", "policies:decide", {"decision": "Because."}),
    ("POST", f"{ROOT}/prp_{0:032x}/reject", "policies:decide", {"decision": "Because."}),
]


@pytest.mark.parametrize(("method", "path", "scope", "body"), PATHS)
async def test_p10_every_route_needs_its_scope_and_is_for_our_own_people(
    desk: Desk, method: str, path: str, scope: str, body: dict[str, str]
) -> None:
    async def ask(scope: str, **claims: Any) -> int:
        if method == "GET":
            return (await desk.get(path, scope, **claims)).status_code
        return (await desk.post(path, body, scope, **claims)).status_code

    assert (await desk.client.request(method, path)).status_code == 401
    assert await ask("clocks:read") == 403
    assert await ask(scope, agency=opaque("agy", 1)) == 403
    assert await ask(scope) in (200, 201, 404)
    if method == "POST" and scope != "policies:read":
        assert await ask(scope, person=False) == 403
