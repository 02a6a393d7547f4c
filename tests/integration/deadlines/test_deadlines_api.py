"""The HTTP API of deadlines: who may ask, and what is answered."""

from shared.contracts.codes import HtType
from tests.integration.deadlines.conftest import PATH, Desk
from tests.support.deadlines import (
    CHILD,
    DUE,
    HOUR,
    RECEIVED,
    REFERRAL,
    agency,
    delivered,
    opaque,
    planned,
    received,
)


async def test_it_shows_every_clock_with_its_policy_in_words(desk: Desk) -> None:
    await desk.deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    answer = await desk.get()
    assert answer.status_code == 200
    clocks = {clock["role"]: clock for clock in answer.json()["clocks"]}
    asked = clocks.pop(None)
    assert (asked["duty"], asked["matter"]) == ("hear_of_acknowledgement", agency("A"))
    police = clocks.pop("local_law_enforcement")
    assert police | {"clock_id": "", "words": ""} == {
        "clock_id": "",
        "child_id": CHILD,
        "duty": "tell_local_law_enforcement",
        "matter": "",
        "answers": "careline",
        "role": "local_law_enforcement",
        "policy": "le12",
        "policy_version": "2026-2",
        "force": "law",
        "citation": "CGS 17a-101b(c), 17a-103(c)",
        "words": "",
        "basis_at": "2026-03-07T20:00:00Z",
        "due_at": "2026-03-08T08:00:00Z",
        "state": "satisfied",
        "lacking": None,
        "satisfied_at": "2026-03-07T21:00:00Z",
        "breached_at": None,
        "breach_discovered_at": None,
        "breach_reason": None,
        "corrected_at": None,
    }
    assert police["words"].startswith("Within 12 hours of receiving the report")
    assert {clock["citation"] for clock in clocks.values()} == {None}
    assert {clock["state"] for clock in clocks.values()} == {"open"}


async def test_labor_alone_shows_no_citation(desk: Desk) -> None:
    await desk.deadlines.hear(received(children={CHILD: HtType.LABOR}))
    clocks = (await desk.get()).json()["clocks"]
    assert {(clock["force"], clock["citation"]) for clock in clocks} == {("policy", None)}


async def test_a_breach_and_its_correction_are_shown(desk: Desk) -> None:
    await desk.deadlines.hear(received(), planned("A"))
    await desk.deadlines.sweep_at(DUE + HOUR)
    await desk.deadlines.hear(delivered("A", DUE - HOUR))
    clocks = {clock["role"]: clock for clock in (await desk.get()).json()["clocks"]}
    police = clocks["local_law_enforcement"]
    assert police["state"] == "breached_then_corrected"
    assert police["breached_at"] == "2026-03-08T08:00:00Z"
    assert police["breach_reason"] == "delivery"
    assert police["breach_discovered_at"] == police["corrected_at"] == "2026-03-08T09:00:00Z"
    assert clocks["fbi"]["state"] == "breached"


async def test_a_referral_known_by_its_notices_alone_has_no_clock_yet(desk: Desk) -> None:
    await desk.deadlines.hear(planned("A"))
    assert (await desk.get()).json() == {"referral_id": REFERRAL, "clocks": []}


async def test_what_is_unknown_and_what_is_no_id_answer_the_same_404(desk: Desk) -> None:
    """P10."""
    await desk.deadlines.hear(received())
    paths = (opaque("ref", 2), opaque("chd", 1), "x", f"{REFERRAL}0", REFERRAL.upper())
    answers = [await desk.get(f"/v1/referrals/{path}/clocks") for path in paths]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].headers["content-type"] == "application/problem+json"


async def test_nobody_reads_without_token_or_scope_and_no_agency_at_all(desk: Desk) -> None:
    """P10."""
    assert (await desk.client.get(PATH)).status_code == 401
    assert (await desk.get(scope="notices:read")).status_code == 403
    assert (await desk.get(agency=opaque("agy", 1))).status_code == 403
