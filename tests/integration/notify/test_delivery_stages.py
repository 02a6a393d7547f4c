"""What really arrives: forms of every stage, in order, and nothing after a withdrawal (P8)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.notify.delivery.commitment import Committer
from services.notify.delivery.releasing import release_once
from services.notify.forms import schemas
from services.notify.planning.drafting import Clerk
from services.notify.recalls.recalling import Order, Recalling
from services.notify.related.relating import NoteLinked, Relating
from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from shared.contracts.codes import Relation, WithdrawalCause
from shared.contracts.notices import NoticesWithdrawn
from shared.contracts.referrals import ReferralLinked
from shared.runtime.ids import utc_now
from tests.support.deliveries import KEY, World, decrypt, eventually
from tests.support.planning import CSA, FBI, LEAD, MDT, POLICE, STATE, Child, envelope
from tests.support.receiver import Receiver, reset
from tests.support.stages import COMPACT, NEVER_IN_ALL, OFFICE, OTHER_OFFICE, Staging

WITHDRAWAL = "withdrawal"
_OPEN = text("SELECT count(*) FROM notify.deliveries WHERE open_disclosure_id IS NOT NULL")


@dataclass
class Life:
    """One referral, planned for real and delivered to one receiver that every agency has."""

    world: World
    receiver: Receiver
    staging: Staging

    def forms(self, agency_id: str | None = None) -> list[dict[str, Any]]:
        """What arrived, in order; each is a form by the published schema."""
        plain = [decrypt(each.body) for each in self.receiver.requests]
        for each in plain:
            schemas.read(each)
        found = [json.loads(each) for each in plain]
        return [f for f in found if agency_id in (None, f["recipient"]["agency_id"])]

    async def arrived(self, count: int) -> None:
        async def enough() -> bool:
            await release_once(self.world.db)
            return len(self.receiver.requests) >= count

        await eventually(enough, within=15)

    async def settled(self) -> None:
        """Every attempt has ended: a recall waits for none."""

        async def nothing_open() -> bool:
            async with self.world.db.transaction() as session:
                return not await session.scalar(_OPEN)

        await eventually(nothing_open, within=15)


@pytest.fixture
async def life(world: World, receiver: Receiver, tmp_path: Path) -> Life:
    here = {
        "endpoint": receiver.url,
        "encryption_key": dict(KEY.as_dict(private=False)),
        "allowed_networks": ["127.0.0.0/8"],
    }
    staging = await Staging.of(world.db, tmp_path)
    staging.clerk = Clerk(world.sealer, Committer(b"k" * 32))
    for agency_id in (POLICE, STATE, FBI, CSA, LEAD, MDT, OFFICE, COMPACT, OTHER_OFFICE):
        await world.change_agency(agency_id, **here)
    return Life(world, receiver, staging)


@asynccontextmanager
async def delivering(life: Life) -> AsyncIterator[None]:
    async with life.world.delivering():
        yield


async def test_c11_the_office_gets_an_823_and_a_correction_that_names_what_changed(
    life: Life,
) -> None:
    child = Child()
    referral_id = await life.staging.receive(child)
    await life.staging.handle(life.staging.decided(referral_id, 1, child))
    async with delivering(life):
        await life.arrived(6)
        await life.staging.handle(life.staging.amended(referral_id, 2, child))
        await life.arrived(12)
    first, second = life.forms(OFFICE)
    assert (first["form"], first["kind"], first["revision"]) == ("DCF-823", "original", 1)
    assert first["incident"]["narrative"] == NEVER_IN_ALL
    assert first["recipient"]["name"] == "Example Agency 8"
    assert (second["kind"], second["supersedes"]) == ("correction", 1)
    assert second["changes"] == [{"field": "other_concerns", "change": "changed"}]
    assert "child_protection 1" not in json.dumps(second)


async def test_c12_a_reversal_says_so_on_the_823_itself(life: Life) -> None:
    child = Child()
    referral_id = await life.staging.receive(child)
    await life.staging.handle(life.staging.decided(referral_id, 1, child))
    async with delivering(life):
        await life.arrived(6)
        await life.staging.handle(life.staging.decided(referral_id, 2, child, accepted=False))
        await life.arrived(7)
    _, reversed_ = life.forms(OFFICE)
    assert (reversed_["version"], reversed_["revision"]) == (1, 2)
    assert reversed_["incident"]["standing"] == "acceptance_reversed"
    assert "changes" not in reversed_


async def test_the_team_gets_the_consults_outcome_beside_its_737(life: Life) -> None:
    child = Child()
    referral_id = await life.staging.receive(child)
    await life.staging.handle(life.staging.shared(referral_id, child))
    async with delivering(life):
        await life.arrived(6)
    forms = {form["kind"]: form for form in life.forms(MDT)}
    assert forms.keys() == {"original", "consult_outcome"}
    assert forms["consult_outcome"]["consult"]["level"] == "high_risk"


async def test_c14_a_false_reports_withdrawal_says_its_cause_and_names_nobody(life: Life) -> None:
    child = Child()
    referral_id = await life.staging.receive(child)
    withdrawn = life.staging.withdrawn(referral_id, WithdrawalCause.FALSE_REPORT)
    await life.staging.handle(withdrawn)
    async with delivering(life):
        await life.arrived(10)
    for agency in (POLICE, FBI, CSA, LEAD, MDT):
        original, withdrawal = life.forms(agency)
        assert original["kind"] == "original"
        assert withdrawal["kind"] == "withdrawal"
        assert withdrawal["withdrawal"] == {"cause": "false_report"}
        assert withdrawal["child"] == {"child_id": child.child_id}
        assert child.name not in json.dumps(withdrawal)


async def test_p8_a_withdrawal_never_leaves_before_the_open_attempt_has_ended(life: Life) -> None:
    child = Child()
    life.receiver.script = [life.receiver.hang] * 5
    referral_id = await life.staging.receive(child)
    async with delivering(life):
        await life.arrived(5)
        await life.staging.handle(
            life.staging.withdrawn(referral_id, WithdrawalCause.ENTERED_IN_ERROR)
        )
        for _ in range(3):
            await release_once(life.world.db)
            await asyncio.sleep(0.02)
        assert len(life.receiver.requests) == 5
        life.receiver.released.set()
        await life.arrived(10)
    assert [form["kind"] for form in life.forms()] == ["original"] * 5 + ["withdrawal"] * 5


async def test_c14_what_was_under_way_when_it_was_found_to_be_an_error_is_not_tried_again(
    life: Life,
) -> None:
    async def fail_when_released(request: Any, writer: asyncio.StreamWriter) -> None:
        await life.receiver.released.wait()
        await reset(request, writer)

    child = Child()
    life.receiver.script = [fail_when_released] * 5
    referral_id = await life.staging.receive(child)
    async with delivering(life):
        await life.arrived(5)
        await life.staging.handle(
            life.staging.withdrawn(referral_id, WithdrawalCause.ENTERED_IN_ERROR)
        )
        life.receiver.released.set()
        await life.arrived(10)
    kinds = [form["kind"] for form in life.forms()]
    assert kinds == ["original"] * 5 + ["withdrawal"] * 5
    assert await life.staging.states("received") == {
        (each, 1, "withdrawn") for each in (POLICE, FBI, CSA, LEAD, MDT)
    }
    said = await life.world.events(NoticesWithdrawn)
    assert sum(len(event.notices) for event in said) == 5


async def test_c15_a_recall_arrives_and_holds_nothing_but_what_it_asks_back(life: Life) -> None:
    child = Child()
    await life.staging.receive(child)
    async with delivering(life):
        await life.arrived(5)
        await life.settled()
        (wrong,) = [f["notice_id"] for f in life.forms(POLICE)]
        recalling = Recalling(
            life.staging.directories,
            Rulebooks(load_rulebook()),
            life.staging.clerk,
            life.staging.stages.outbox,
        )
        async with life.world.db.transaction() as session:
            await recalling.recall(session, Order(wrong, "wrong_town", "supervisor", utc_now()))
        life.world.db.wakes.wake("deliver")
        await life.arrived(6)
    _, recall = life.forms(POLICE)
    assert recall["kind"] == "recall"
    assert recall["recall"] == {"notice_id": wrong}
    assert "child" not in recall
    assert child.child_id not in json.dumps(recall)


async def _related(life: Life) -> tuple[str, str]:
    """Two linked referrals that everybody was told of, and related notices that wait."""
    first, second = await life.staging.receive(Child()), await life.staging.receive(Child())
    async with delivering(life):
        await life.arrived(10)
    data = ReferralLinked(
        referral_id=second,
        related_referral_id=first,
        relation=Relation.SAME_FACTS,
        recorded_at=utc_now(),
    )
    async with life.world.db.transaction() as session:
        await NoteLinked().apply(session, envelope(data), data, None)
    stages = life.staging.stages
    book, clerk = stages.rulebooks, stages.clerk
    relating = Relating(life.world.db, stages.directories, book, clerk, stages.outbox)
    assert await relating.once() == 5
    return first, second


async def test_c9_a_related_notice_arrives_as_the_published_form_says(life: Life) -> None:
    await _related(life)
    async with delivering(life):
        await life.arrived(15)
    for agency in (POLICE, FBI, CSA, LEAD, MDT):
        *_, related = life.forms(agency)
        assert related["kind"] == "related_notice"
        assert related["related"]["relation"] == "same_facts"
        assert set(related["child"]) == {"child_id"}


async def test_p3_a_conflict_in_the_first_ends_the_related_notice_of_the_second(
    life: Life,
) -> None:
    first, _ = sorted(await _related(life))
    await life.world.rows(
        "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, ground, "
        "asserted_by, asserted_at) VALUES ('cfl_1', 'ast_1', :first, :agency, 'other', 'a', now()) "
        "RETURNING 1",
        first=first,
        agency=FBI,
    )
    async with delivering(life):
        await life.arrived(14)
    assert [form["kind"] for form in life.forms(FBI)] == ["original", "original"]
