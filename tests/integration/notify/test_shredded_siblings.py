"""P3 beside a destroyed child, and beside a referral that fails: the others are served."""

from pathlib import Path
from typing import Any

import pytest

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.conflicts.substitution import Substitutes
from services.notify.conflicts.substitution_loop import fill_once
from services.notify.models import OUTBOX
from services.notify.related.relating import NoteLinked, Relating
from services.notify.routing.rulebook import load_rulebook
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.shredding import Shred
from services.notify.tasks import tables as task_tables
from shared.contracts.base import Source
from shared.contracts.codes import Relation, WithdrawalCause
from shared.contracts.notices import NoticesRerouted
from shared.contracts.referrals import ReferralLinked
from shared.contracts.shredding import ShredOrdered
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import new_id, utc_now
from tests.support.databases import FreshDatabase
from tests.support.mailboxes import Post
from tests.support.planning import CLERK, CSA, FBI, POLICE, STATE, Child, envelope
from tests.support.stages import Staging

OUT = Outbox(OUTBOX, Source.NOTIFY)


@pytest.fixture
async def staging(database: FreshDatabase, tmp_path: Path) -> Staging:
    return await Staging.of(database.open("notify"), tmp_path)


async def shred(db: Database, referral_id: str, child: Child) -> None:
    """Two people ordered it; the handler takes the order."""
    data = ShredOrdered(
        referral_id=referral_id,
        shredding_id=new_id("shr"),
        child_id=child.child_id,
        ordered_at=utc_now(),
    )
    async with db.transaction() as session:
        await Shred(OUT).apply(session, envelope(data), data, None)


async def spoil(post: Post, referral_id: str) -> None:
    """What lies sealed of this referral does not open, and nobody ordered that."""
    await post.rows(
        "UPDATE notify.copies SET sealed = CAST('nothing' AS bytea) WHERE child_id IN "
        "(SELECT child_id FROM notify.notices WHERE referral_id = :id) RETURNING 1",
        id=referral_id,
    )


async def legs(post: Post, referral_id: str, agency_id: str) -> dict[str, tuple[str, str]]:
    """By child: the notice of this agency, and the state of its delivery."""
    rows = await post.rows(
        "SELECT child_id, notice_id, state FROM notify.deliveries "
        "WHERE referral_id = :id AND agency_id = :agency",
        id=referral_id,
        agency=agency_id,
    )
    return {row.child_id: (row.notice_id, row.state) for row in rows}


@pytest.fixture
def substitutes(post: Post) -> Substitutes:
    books = Rulebooks(load_rulebook())
    return Substitutes(post.planning.directories, books, CLERK, OUT)


# A conflict is asserted


async def test_p3_a_conflict_beside_a_destroyed_child_holds_and_its_sibling_gets_a_stand_in(
    post: Post,
) -> None:
    gone, left = Child(), Child(name="Test Child Two")
    referral_id = (await post.referral(gone, left)).referral_id
    await shred(post.planning.db, referral_id, gone)
    await post.conflict(referral_id, POLICE)
    police = await legs(post, referral_id, POLICE)
    assert police[left.child_id][1] == "refused"
    assert set(await legs(post, referral_id, STATE)) == {left.child_id}
    (said,) = await post.events(NoticesRerouted)
    assert {each.child_id for each in said.notices} == {left.child_id}
    assert f"{police[gone.child_id][0]} stand-in" in await post.tasks("content_shredded")


async def test_p3_a_conflict_holds_though_nobody_can_be_planned_in_its_place_yet(
    post: Post, substitutes: Substitutes
) -> None:
    child = Child()
    referral_id = (await post.referral(child)).referral_id
    whole = await post.rows("SELECT * FROM notify.copies")
    await spoil(post, referral_id)
    await post.conflict(referral_id, POLICE)
    assert len(await post.planning.rows(conflict_tables.conflicts)) == 1
    assert (await legs(post, referral_id, POLICE))[child.child_id][1] == "refused"
    assert await legs(post, referral_id, STATE) == {}
    for row in whole:
        await post.rows(
            "UPDATE notify.copies SET sealed = :sealed "
            "WHERE child_id = :child AND profile = :profile RETURNING 1",
            sealed=row.sealed,
            child=row.child_id,
            profile=row.profile,
        )
    await fill_once(post.planning.db, substitutes)
    assert set(await legs(post, referral_id, STATE)) == {child.child_id}


async def test_p3_a_referral_that_cannot_be_filled_keeps_no_other_from_its_stand_ins(
    post: Post, substitutes: Substitutes
) -> None:
    """Whichever is looked at first."""
    planned = [(await post.referral(Child())).referral_id for _ in range(3)]
    failing, *sound = sorted(planned)
    for referral_id in planned:
        await post.rows(
            "INSERT INTO notify.conflicts (conflict_id, assertion_id, referral_id, agency_id, "
            "ground, asserted_by, asserted_at) "
            "VALUES (:id, :id, :referral, :agency, 'other', 'person-a', now()) RETURNING 1",
            id=new_id("cfl"),
            referral=referral_id,
            agency=POLICE,
        )
    await spoil(post, failing)
    assert await fill_once(post.planning.db, substitutes) == 3
    assert [len(await legs(post, each, STATE)) for each in sound] == [1, 1]
    assert await legs(post, failing, STATE) == {}


# A notice is recalled


async def test_p3_c15_the_notice_of_a_destroyed_childs_sibling_is_recalled(post: Post) -> None:
    gone, left = Child(), Child(name="Test Child Two")
    referral_id = (await post.referral(gone, left)).referral_id
    held = await legs(post, referral_id, POLICE)
    for notice, _ in held.values():
        await post.open(notice, POLICE)
    await shred(post.planning.db, referral_id, gone)
    answer = await post.take_back(held[left.child_id][0])
    assert answer.status_code == 200, answer.text
    assert answer.json()["recall_notice_id"] is not None


async def test_p3_c15_the_notice_of_a_destroyed_child_is_recalled_without_a_word_to_anybody(
    post: Post,
) -> None:
    """Nobody can say any more whether its recipient has a conflict of interest."""
    gone, left = Child(), Child(name="Test Child Two")
    referral_id = (await post.referral(gone, left)).referral_id
    notice = (await legs(post, referral_id, POLICE))[gone.child_id][0]
    await post.open(notice, POLICE)
    await shred(post.planning.db, referral_id, gone)
    answer = await post.take_back(notice)
    assert answer.status_code == 200, answer.text
    assert answer.json()["recall_notice_id"] is None
    assert await post.tasks("misdirected") == [notice]


# The referral is withdrawn


@pytest.mark.parametrize("amended", [False, True])
async def test_p3_c14_the_withdrawal_reaches_a_destroyed_childs_sibling_and_a_person_does_the_rest(
    staging: Staging, amended: bool
) -> None:
    """Also when the latest version no longer names the destroyed child, as intake sends it."""
    gone, left = Child(), Child(name="Test Child Two")
    referral_id = await staging.receive(gone, left)
    await hold_everything(staging)
    await shred(staging.db, referral_id, gone)
    if amended:
        await staging.handle(staging.amended(referral_id, 2, left))
    version = 2 if amended else 1
    cause = WithdrawalCause.FALSE_REPORT
    await staging.handle(staging.withdrawn(referral_id, cause, version))
    told = [n for n in await staging.rows(models.notices) if n["series"] == "withdrawal"]
    assert {n["child_id"] for n in told} == {left.child_id}
    assert {POLICE, FBI, CSA} <= {n["agency_id"] for n in told}
    tasks = [row["about"] for row in await staging.rows(task_tables.tasks)]
    assert f"{gone.child_id} withdrawal" in tasks
    assert f"{left.child_id} withdrawal" not in tasks


async def test_p9_an_amendment_leaves_nothing_waiting_for_a_destroyed_child(
    staging: Staging,
) -> None:
    """Its recipients have not left the route, and nothing sent of it would ever be claimed."""
    gone, left = Child(home="Ansonia"), Child(name="Test Child Two", home="Ansonia")
    referral_id = await staging.receive(gone, left)
    await staging.handle(staging.decided(referral_id, 1, gone, left))
    await hold_everything(staging)
    await shred(staging.db, referral_id, gone)
    decided = staging.intake.forms[referral_id, 1]
    rest = tuple(each for each in decided.children if each.child_id == left.child_id)
    staging.intake.forms[referral_id, 1] = decided.model_copy(update={"children": rest})
    await staging.handle(staging.amended(referral_id, 2, left))
    later = [n for n in await staging.rows(models.notices) if n["version"] == 2]
    assert {n["child_id"] for n in later} == {left.child_id}
    assert {n["series"] for n in later} == {"received", "accepted"}


async def hold_everything(staging: Staging) -> None:
    for notice in await staging.rows(models.notices):
        values: dict[str, Any] = {
            "disclosure_id": new_id("dsc"),
            "notice_id": notice["notice_id"],
            "agency_id": notice["agency_id"],
            "attempted_at": staging.now,
        }
        async with staging.db.transaction() as session:
            await session.execute(models.disclosures.insert(), [values])
    async with staging.db.transaction() as session:
        await session.execute(
            models.deliveries.update().values(
                state="delivered", next_attempt_at=None, ended_at=staging.now
            )
        )


# Two referrals are linked


async def test_a_link_that_fails_keeps_no_other_from_its_related_notice(post: Post) -> None:
    """The older one is looked at first, again and again."""
    pairs = [[(await post.referral(Child())).referral_id for _ in range(2)] for _ in range(2)]
    for first, second in pairs:
        data = ReferralLinked(
            referral_id=second,
            related_referral_id=first,
            relation=Relation.SAME_FACTS,
            recorded_at=utc_now(),
        )
        async with post.planning.db.transaction() as session:
            await NoteLinked().apply(session, envelope(data), data, None)
        for referral_id in (first, second):
            await post.open(await post.notice(POLICE, referral_id), POLICE)
    planning = post.planning
    relating = Relating(planning.db, planning.directories, planning.rulebooks, CLERK, OUT)
    failing, sound = pairs
    await spoil(post, failing[0])
    assert await relating.once() == 1
    rows = await planning.rows(models.notices)
    assert [n["referral_id"] for n in rows if n["kind"] == "related_notice"] in [
        [sound[0]],
        [sound[1]],
    ]
    assert await relating.once() == 0


async def test_p3_nothing_is_related_where_a_childs_content_was_destroyed(post: Post) -> None:
    """A link binds all children of both, and of one nobody can say who has a conflict."""
    gone = Child()
    first = (await post.referral(gone, Child(name="Test Child Two"))).referral_id
    second = (await post.referral(Child())).referral_id
    data = ReferralLinked(
        referral_id=second,
        related_referral_id=first,
        relation=Relation.SAME_FACTS,
        recorded_at=utc_now(),
    )
    async with post.planning.db.transaction() as session:
        await NoteLinked().apply(session, envelope(data), data, None)
    for referral_id in (first, second):
        for notice, _ in (await legs(post, referral_id, POLICE)).values():
            await post.open(notice, POLICE)
    await shred(post.planning.db, first, gone)
    planning = post.planning
    relating = Relating(planning.db, planning.directories, planning.rulebooks, CLERK, OUT)
    assert await relating.once() == 1
    rows = await planning.rows(models.notices)
    assert [n for n in rows if n["kind"] == "related_notice"] == []
