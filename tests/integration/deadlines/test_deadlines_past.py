"""The past can be folded again and asked of a proposed policy; and a year of it adds up."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.deadlines.book import PolicyBook
from services.deadlines.commands import rebuild
from services.deadlines.compliance import Line, percentile
from services.deadlines.policy import Policy
from services.deadlines.policy_files import SHIPPED, load, load_calendars, read
from services.deadlines.reading import FactBearing
from services.deadlines.reports import compliance, over_the_past
from shared.contracts.codes import HtType, Role
from tests.support import clock_oracle
from tests.support.clock_events import (
    acknowledged,
    consult_completed,
    consult_entered,
    consult_requested,
    told_orally,
)
from tests.support.databases import FreshDatabase
from tests.support.deadlines import (
    DUE,
    HOUR,
    LE,
    RECEIVED,
    Service,
    agency,
    delivered,
    opaque,
    planned,
    received,
    service,
)

ROLES = (LE, Role.FBI, Role.CHIEF_STATES_ATTORNEY, Role.MDT)
LEG_POLICIES = ("le12", "fbi12", "csa12", "mdt12")
REFERRALS = 212
"""As many as there were in 2017."""
NEW_YEAR = datetime(2026, 1, 1, 5, 0, tzinfo=UTC)
OUTAGES = [(NEW_YEAR + timedelta(days=d), timedelta(hours=h)) for d, h in ((40, 30), (200, 15))]


@pytest.fixture
async def deadlines(database: FreshDatabase) -> Service:
    return await service(database.open("deadlines"))


async def test_a_rebuild_equals_the_live_state_and_finds_what_was_changed_by_hand(
    deadlines: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    await deadlines.sweep_at(DUE + HOUR)
    keeper = deadlines.keep._keeper
    assert await rebuild(deadlines.db, keeper, ["--check"]) == 0
    await deadlines.rows(
        "UPDATE deadlines.clocks SET state = 'open', satisfied_at = NULL, lacking = 'plan' "
        "WHERE policy = 'le12' RETURNING 1"
    )
    assert await rebuild(deadlines.db, keeper, ["--check"]) == 1
    assert await rebuild(deadlines.db, keeper, []) == 0
    assert await rebuild(deadlines.db, keeper, ["--check"]) == 0
    assert (await deadlines.clock_of()).state == "satisfied"
    assert "1 were not as their facts have it" in capsys.readouterr().out


async def test_clocks_that_were_lost_are_made_again_by_a_rebuild(deadlines: Service) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + HOUR))
    before = await deadlines.rows("SELECT duty, matter, due_at, state FROM deadlines.clocks")
    await deadlines.rows("DELETE FROM deadlines.clocks RETURNING 1")
    assert await rebuild(deadlines.db, deadlines.keep._keeper, []) == 0
    after = await deadlines.rows("SELECT duty, matter, due_at, state FROM deadlines.clocks")
    assert sorted(map(tuple, after)) == sorted(map(tuple, before))


async def test_what_if_says_who_would_newly_have_been_late_and_changes_nothing(
    deadlines: Service,
) -> None:
    await deadlines.hear(received(), planned("A"), delivered("A", RECEIVED + 5 * HOUR))
    text = (SHIPPED / "le12.yaml").read_text().replace("hours: 12", "hours: 4")
    text = text.replace("[240, 60]", "[60]").replace('"2026-2"', '"2027-1"')
    proposed = read(Path("le12.yaml"), load_calendars(), text)
    assert isinstance(proposed, Policy)
    before = await deadlines.rows("SELECT * FROM deadlines.clocks ORDER BY clock_id")
    found = await over_the_past(deadlines.db, PolicyBook(load()), proposed)
    assert (found.clocks, found.missed, found.clocks_now, found.missed_now) == (1, 1, 1, 0)
    assert (found.newly_missed, found.no_longer_missed) == (1, 0)
    assert await deadlines.rows("SELECT * FROM deadlines.clocks ORDER BY clock_id") == before


# A simulated year


def after_outages(at: datetime) -> datetime:
    """What would have been delivered during an outage is delivered when it ends (C32)."""
    for begins, lasts in OUTAGES:
        if begins <= at < begins + lasts:
            return begins + lasts
    return at


def one_referral(number: int, chance: random.Random) -> list[FactBearing]:
    referral, child = opaque("ref", number), opaque("chd", number)
    at = NEW_YEAR + timedelta(minutes=chance.randrange(360 * 24 * 60))
    events: list[FactBearing] = [received(referral, {child: HtType.SEX}, at)]
    for place, role in enumerate(ROLES):
        name = "ABCD"[place]
        events.append(planned(name, at, role=role, child=child, referral=referral))
        told = after_outages(at + timedelta(minutes=chance.choice([1, 5, 40, 600, 719, 721, 1500])))
        if chance.random() < 0.05:
            oral = told_orally(name, told, role=role, child=child, referral=referral)
            events.append(oral)
        elif chance.random() < 0.97:
            events.append(delivered(name, told, role=role, child=child, referral=referral))
            if chance.random() < 0.9:
                answered = told + timedelta(hours=chance.choice([1, 3, 20, 25, 60]))
                events.append(
                    acknowledged(name, answered, role=role, child=child, referral=referral)
                )
    if chance.random() < 0.5:
        events += consult(number, at, child, referral, chance)
    return events


def consult(
    number: int, at: datetime, child: str, referral: str, chance: random.Random
) -> Iterator[FactBearing]:
    of = {"consult": opaque("con", number), "child": child, "referral": referral}
    asked = at + timedelta(hours=chance.randrange(48))
    yield consult_requested(asked, **of)  # type: ignore[arg-type]
    done = asked + timedelta(hours=chance.choice([10, 70, 73, 100]))
    yield consult_completed(done, **of)
    if chance.random() < 0.9:
        yield consult_entered(done + timedelta(days=chance.choice([1, 4, 7, 50])), **of)


def by_the_oracle(year: list[list[FactBearing]], until: datetime) -> dict[str, tuple[int, ...]]:
    """Per policy: clocks, in time, late, not yet, and the median and 95 % of how late, by the
    words of the policies."""
    ended: dict[str, list[tuple[str, float]]] = {}
    for number, events in enumerate(year, 1):
        matters = [("hart72", opaque("con", number)), ("entry5d", opaque("con", number))]
        matters += [("monthly_data", opaque("con", number))]
        matters += [("ack24", agency(name)) for name in "ABCD"]
        for policy, matter in [*matters, *((policy, "") for policy in LEG_POLICIES)]:
            word = clock_oracle.read(policy, opaque("chd", number), matter, events)
            if word is None or word.due >= until:
                continue
            late = 0.0 if word.since is None else (word.since - word.due).total_seconds()
            how = "not yet" if word.since is None else "late" if late > 0 else "in time"
            ended.setdefault(policy, []).append((how, late))
    return {policy: _summary(found) for policy, found in ended.items()}


def _summary(found: list[tuple[str, float]]) -> tuple[int, ...]:
    counts = Counter(how for how, _ in found)
    late = [by for how, by in found if how == "late"]
    numbers = (len(found), counts["in time"], counts["late"], counts["not yet"])
    return (*numbers, int(percentile(late, 50) or 0), int(percentile(late, 95) or 0))


def _of(line: Line) -> tuple[int, ...]:
    numbers = (line.clocks, line.in_time, line.late, line.not_yet)
    return (*numbers, int(line.late_p50 or 0), int(line.late_p95 or 0))


async def test_the_report_of_a_simulated_year_agrees_with_the_oracle(deadlines: Service) -> None:
    """P6, C32: 212 referrals, two outages, late acknowledgements and consults; events come in any
    order, and the sweeper looks once a month."""
    chance = random.Random(2017)
    year = [one_referral(number, chance) for number in range(1, REFERRALS + 1)]
    arriving = [event for events in year for event in events]
    chance.shuffle(arriving)
    end = NEW_YEAR + timedelta(days=440)
    for start in range(0, len(arriving), 100):
        deadlines.clock.now = NEW_YEAR
        await deadlines.hear_together(arriving[start : start + 100])
    for month in range(15):
        while (await deadlines.sweep_at(NEW_YEAR + timedelta(days=30 * month))).taken:
            pass
    while (await deadlines.sweep_at(end)).taken:
        pass
    lines = await compliance(deadlines.db, NEW_YEAR, end)
    expected = by_the_oracle(year, end)
    assert {line.policy: _of(line) for line in lines if line.agency_id is None} == expected
    missed = sum(late + never for _, _, late, never, *_ in expected.values())
    events = await deadlines.emitted(role=None)
    breaches = [e for e in events if e["type"] == "hartline.deadline.breached.v1"]
    assert len(breaches) == len({e["clock_id"] for e in breaches}) == missed
