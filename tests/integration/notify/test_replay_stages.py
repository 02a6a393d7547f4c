"""What a replay reads of a referral: children, conflicts, stages, and the directory of its day."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.notify.conflicts import store as conflict_store
from services.notify.conflicts.store import Conflict
from services.notify.models import OUTBOX
from services.notify.routing.replay import Change, Difference
from services.notify.routing.rule import Form, Rule, Rulebook
from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.replaying import Asked, replay_last
from services.notify.shredding import Shred
from shared.contracts.base import Source
from shared.contracts.codes import Stage, WithdrawalCause
from shared.contracts.shredding import ShredOrdered
from shared.messaging.outbox import Outbox
from shared.runtime.ids import new_id, utc_now
from tests.support import planning as support
from tests.support.databases import FreshDatabase
from tests.support.planning import CLERK, POLICE, Child, envelope
from tests.support.stages import Staging

RULES = load_rulebook()
NO_AUTHORITY = {"authority": None, "authority_from": None}


@pytest.fixture
async def staging(database: FreshDatabase, tmp_path: Path) -> Staging:
    return await Staging.of(database.open("notify"), tmp_path)


def book(rules: Iterable[Rule]) -> Rulebook:
    return replace(RULES, version="new", rules=tuple(rules))


def without(id_: str) -> Rulebook:
    return book(each for each in RULES.rules if each.id != id_)


async def replayed(staging: Staging, new: Rulebook) -> tuple[Difference, list[Change]]:
    changes: list[Change] = []
    asked = Asked(RULES, new, last=100)
    found = await replay_last(
        staging.db, staging.directories, CLERK, asked, each_change=changes.append
    )
    return found, changes


async def test_stages_that_were_reached_are_counted_and_all_are_replayed(staging: Staging) -> None:
    child = Child(home="Ansonia")
    referral_id = await staging.receive(child)
    await staging.receive(Child(home="Ansonia"))
    await staging.handle(staging.decided(referral_id, 1, child))
    await staging.handle(staging.shared(referral_id, child))
    await staging.handle(staging.withdrawn(referral_id, WithdrawalCause.ENTERED_IN_ERROR))
    changed = book(
        replace(each, form=Form.DCF_737) if each.stage is not Stage.RECEIVED else each
        for each in RULES.rules
    )
    found, _ = await replayed(staging, changed)
    assert (found.replayed, found.changed) == (2, 2)
    assert found.reached == {
        Stage.RECEIVED: 2,
        Stage.ACCEPTED: 1,
        Stage.CONSULT_SHARED: 1,
        Stage.WITHDRAWN: 1,
    }
    assert +found.by_stage == {Stage.ACCEPTED: 2, Stage.CONSULT_SHARED: 2}


async def test_an_acceptance_that_was_reversed_was_reached_all_the_same(staging: Staging) -> None:
    child = Child(home="Ansonia")
    referral_id = await staging.receive(child)
    await staging.handle(staging.decided(referral_id, 1, child))
    await staging.handle(staging.decided(referral_id, 2, child, accepted=False))
    found, _ = await replayed(staging, RULES)
    assert found.reached[Stage.ACCEPTED] == 1


async def test_p3_an_asserted_conflict_is_replayed_until_it_is_lifted(staging: Staging) -> None:
    referral_id = await staging.receive(Child())
    kept = tuple(replace(each, by=each.by[:1]) for each in RULES.substitutes)
    fewer = replace(RULES, version="new", substitutes=kept)
    before, _ = await replayed(staging, fewer)
    assert before.changed == 0
    async with staging.db.transaction() as session:
        ground, now = "officer_implicated", utc_now()
        conflict = Conflict(new_id("ast"), referral_id, None, (POLICE,), ground, "person-a", now)
        await conflict_store.insert(session, conflict)
    after, changes = await replayed(staging, fewer)
    assert after.changed == 1
    assert {each.says for each in changes} == {
        "stands in Example Agency 2",
        "stands in Example Agency 3",
    }
    async with staging.db.transaction() as session:
        await conflict_store.lift(session, conflict.assertion_id, "person-b", utc_now())
    assert (await replayed(staging, fewer))[0].changed == 0


async def test_a_child_of_whom_all_were_refused_is_replayed_beside_its_sibling(
    database: FreshDatabase, tmp_path: Path
) -> None:
    """Only the police of Ansonia may be told, so that the child of Derby has refusals alone."""
    db = database.open("notify")
    entries = [
        each if each["agency_id"] == POLICE else each | NO_AUTHORITY for each in support.agencies()
    ]
    await support.seed(db, entries, tmp_path)
    staging = Staging(db)
    children = (Child(), Child(towns=("Derby",)))
    await staging.receive(*children)
    _, changes = await replayed(staging, without("careline.hart_lead"))
    assert {each.child_id for each in changes} == {each.child_id for each in children}


async def test_each_is_replayed_by_the_directory_that_it_was_routed_by(
    staging: Staging, tmp_path: Path
) -> None:
    await staging.receive(Child())
    extra = support.agency(30, "hart_lead_statewide")
    await support.seed(staging.db, [extra], tmp_path)
    await staging.receive(Child())
    _, changes = await replayed(staging, without("careline.hart_lead"))
    told = [each.says.split(" (")[0] for each in changes if each.stage is Stage.RECEIVED]
    assert sorted(told) == ["told Example Agency 30", *["told Example Agency 4"] * 2]


async def test_what_cannot_be_replayed_is_counted(database: FreshDatabase, tmp_path: Path) -> None:
    """Of whom nobody could be told, no notice says how it was received."""
    db = database.open("notify")
    await support.seed(db, [each | NO_AUTHORITY for each in support.agencies()], tmp_path)
    staging = Staging(db)
    await staging.receive(Child())
    found, _ = await replayed(staging, RULES)
    assert (found.sample, found.left_out) == (True, 1)
    assert "1 more cannot be replayed" in "\n".join(found.lines())


async def test_c29_a_destroyed_child_among_the_last_is_counted_and_the_others_are_replayed(
    staging: Staging,
) -> None:
    """Its version is left out, a later one without it is not."""
    gone, left = Child(), Child(name="Test Child Two")
    referral_id = await staging.receive(gone, left)
    await staging.receive(Child())
    data = ShredOrdered(
        referral_id=referral_id,
        shredding_id=new_id("shr"),
        child_id=gone.child_id,
        ordered_at=utc_now(),
    )
    async with staging.db.transaction() as session:
        shred = Shred(Outbox(OUTBOX, Source.NOTIFY))
        await shred.apply(session, envelope(data), data, None)
    before, changes = await replayed(staging, without("careline.hart_lead"))
    assert (before.replayed, before.left_out) == (1, 1)
    assert referral_id not in {each.referral_id for each in changes}
    await staging.handle(staging.amended(referral_id, 2, left))
    after, changes = await replayed(staging, without("careline.hart_lead"))
    assert (after.replayed, after.left_out) == (2, 1)
    assert left.child_id in {each.child_id for each in changes}


async def test_synthetic_referrals_do_not_push_the_real_ones_out_of_the_replay(
    staging: Staging,
) -> None:
    await staging.receive(Child())
    for _ in range(3):
        await staging.handle(staging.announce(Child(), synthetic=True))
        staging.now += timedelta(minutes=15)
    asked = Asked(RULES, without("careline.fbi"), last=2)
    found = await replay_last(staging.db, staging.directories, CLERK, asked)
    assert (found.replayed, found.changed, found.left_out) == (1, 1, 0)
    assert (found.sample, found.reached[Stage.RECEIVED]) == (False, 1)


async def test_beside_few_real_referrals_the_sample_year_is_replayed_and_called_so(
    staging: Staging,
) -> None:
    """A rule of nobody who ever came is tried by somebody made up."""
    await staging.receive(Child())
    found, changes = await replayed(staging, without("missing.ncmec"))
    assert (found.replayed, found.changed, changes) == (1, 0, [])
    assert found.beside is not None
    assert (found.beside.sample, found.beside.replayed) == (True, 212)
    assert found.beside.changed > 0
    said = "\n".join(found.lines())
    assert "1 referral versions replayed, 0 differ" in said
    assert "Beside them: 212 made-up referrals of the sample year replayed" in said
    assert "Rule - missing.ncmec" in said
    assert "no referral replayed calls for it" not in said
