"""C9: two linked referrals, and the related notice to whoever was told of both, and nobody else."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from services.notify import areas, models
from services.notify.forms import schemas
from services.notify.related.relating import NoteLinked, Relating
from services.notify.related.tables import referral_links
from shared.contracts.base import Source
from shared.contracts.codes import NoticeKind, Relation
from shared.contracts.disclosures import DisclosuresRefused
from shared.contracts.notices import NoticesPlanned
from shared.contracts.referrals import ReferralLinked, SameChild
from shared.messaging.outbox import Outbox
from shared.runtime.ids import utc_now
from tests.support.mailboxes import Post
from tests.support.planning import CLERK, POLICE, Child, envelope

Same = tuple[SameChild, ...]
FIRST, SECOND = "HL-TEST-0001", "HL-TEST-0002"


IMPLICATED: dict[str, object] = {
    "implicated": [{"kind": "municipal_officer", "agency": "Example Agency 0"}]
}


@dataclass
class Pair:
    """Two referrals of one matter; the police are told by a pointer and read in the mailbox."""

    post: Post
    first: str
    second: str

    @classmethod
    async def of(cls, post: Post, *children: Child, then: tuple[Child, ...] = ()) -> "Pair":
        first = await post.referral(*children)
        second = post.planning.announce(*then)
        later = second.received_at + timedelta(hours=3)
        second = second.model_copy(update={"received_at": later})
        key = (second.referral_id, 1)
        intake = post.planning.intake
        renamed = {"number": SECOND, "received_at": later}
        intake.versions[key] = intake.versions[key].model_copy(update=renamed)
        await post.planning.plan(second)
        return cls(post, first.referral_id, second.referral_id)

    async def link(
        self, relation: Relation = Relation.SAME_FACTS, same: Same = (), **ends: str
    ) -> None:
        data = ReferralLinked(
            referral_id=ends.get("one", self.second),
            related_referral_id=ends.get("other", self.first),
            relation=relation,
            recorded_at=utc_now(),
            same=same,
        )
        async with self.post.planning.db.transaction() as session:
            await NoteLinked().apply(session, envelope(data), data, None)

    async def read(self, *referrals: str) -> None:
        for referral_id in referrals or (self.first, self.second):
            notice = await self.post.notice(POLICE, referral_id)
            assert (await self.post.open(notice, POLICE)).status_code == 200

    async def read_all(self) -> None:
        told = await self.post.rows(
            "SELECT notice_id FROM notify.notices WHERE agency_id = :agency", agency=POLICE
        )
        for row in told:
            assert (await self.post.open(row.notice_id, POLICE)).status_code == 200

    async def amend(self, which: str, *children: Child) -> None:
        planning = self.post.planning
        referral_id = getattr(self, which)
        await planning.plan(planning.announce(*children, referral_id=referral_id, version=2))

    async def relate(self) -> list[Any]:
        """The related notices that there are afterwards."""
        planning = self.post.planning
        outbox = Outbox(models.OUTBOX, Source.NOTIFY)
        relating = Relating(planning.db, planning.directories, planning.rulebooks, CLERK, outbox)
        await relating.once()
        return [n for n in await planning.rows(models.notices) if n["kind"] == "related_notice"]


@pytest.fixture
async def pair(post: Post) -> Pair:
    return await Pair.of(post)


async def test_c9_whoever_was_told_of_both_gets_the_number_of_the_first_and_nothing_else(
    pair: Pair,
) -> None:
    await pair.link()
    await pair.read()
    (notice,) = await pair.relate()
    assert (notice["agency_id"], notice["referral_id"]) == (POLICE, pair.second)
    assert notice["fields"] == ["related.referral_number", "related.relation"]
    assert notice["profile"] is None
    answer = await pair.post.open(notice["notice_id"], POLICE)
    form = schemas.read(answer.content)
    assert isinstance(form, schemas.Dcf737)
    assert form.kind == "related_notice"
    assert form.referral_number == SECOND
    assert form.related is not None
    assert form.related.model_dump(exclude_none=True) == {
        "referral_number": FIRST,
        "relation": "same_facts",
    }
    assert form.child is not None
    assert set(form.child.model_dump(exclude_none=True)) == {"child_id"}
    planned = [n for e in await pair.post.events(NoticesPlanned) for n in e.notices]
    assert [n.agency_id for n in planned if n.kind is NoticeKind.RELATED] == [POLICE]


async def test_c9_the_same_whichever_way_they_are_linked_and_however_often_it_is_looked(
    pair: Pair,
) -> None:
    await pair.link(one=pair.first, other=pair.second)
    await pair.link()
    await pair.read()
    assert len(await pair.relate()) == 1
    (notice,) = await pair.relate()
    assert (notice["referral_id"], notice["relates_to"]) == (pair.second, pair.first)


@pytest.mark.parametrize("which", ["first", "second"])
async def test_p3_whoever_was_told_of_one_of_them_does_not_learn_of_the_other(
    pair: Pair, which: str
) -> None:
    await pair.link()
    await pair.read(getattr(pair, which))
    assert await pair.relate() == []


async def test_p3_a_pointer_that_nobody_opened_is_not_told(pair: Pair) -> None:
    await pair.link()
    await pair.read(pair.second)
    await pair.post.rows(
        "UPDATE notify.deliveries SET state = 'delivered', next_attempt_at = NULL, "
        "unread_since = :at WHERE referral_id = :first RETURNING 1",
        at=utc_now(),
        first=pair.first,
    )
    assert await pair.relate() == []


async def test_c9_it_follows_when_the_last_of_the_two_is_told(pair: Pair) -> None:
    await pair.link()
    await pair.read(pair.second)
    assert await pair.relate() == []
    await pair.read(pair.first)
    assert len(await pair.relate()) == 1


async def test_p9_a_look_that_is_due_has_an_age_until_it_is_taken(pair: Pair) -> None:
    async def age() -> float:
        async with pair.post.planning.db.transaction() as session:
            return (await areas.ages(session))["related"]

    await pair.link()
    await pair.read(pair.second)
    assert await age() == 0, "nobody was told of both"
    await pair.read(pair.first)
    assert 0 < await age() < 60, "from when the last of the two was told"
    assert len(await pair.relate()) == 1
    assert await age() == 0


@pytest.mark.parametrize("which", ["first", "second"])
async def test_p3_a_conflict_asserted_in_either_suppresses_it(pair: Pair, which: str) -> None:
    await pair.link()
    await pair.read()
    await pair.post.conflict(getattr(pair, which), POLICE)
    assert await pair.relate() == []


async def test_p3_a_conflict_asserted_in_the_first_hides_what_waits_already(pair: Pair) -> None:
    await pair.link()
    await pair.read()
    (notice,) = await pair.relate()
    await pair.post.conflict(pair.first, POLICE)
    assert (await pair.post.open(notice["notice_id"], POLICE)).status_code == 404


async def test_p3_an_implicated_agency_of_either_gets_none(post: Post) -> None:
    pair = await Pair.of(post)
    await pair.link()
    await pair.read()
    await pair.amend("first", Child(facts=IMPLICATED))
    assert await pair.relate() == []


async def test_p3_without_authority_it_is_refused_on_record(pair: Pair) -> None:
    await pair.link()
    await pair.read()
    await pair.post.rows(
        "UPDATE notify.agencies SET authority = NULL WHERE agency_id = :agency RETURNING 1",
        agency=POLICE,
    )
    await pair.post.rows("UPDATE notify.directory SET version = version + 1 RETURNING 1")
    assert await pair.relate() == []
    (refused,) = await pair.post.events(DisclosuresRefused)
    assert [each.agency_id for each in refused.refused] == [POLICE]


@pytest.mark.parametrize("relation", [Relation.SIBLING, Relation.SAME_OPERATION, Relation.OTHER])
async def test_p4_links_that_are_of_other_children_are_told_to_nobody(
    pair: Pair, relation: Relation
) -> None:
    await pair.link(relation)
    await pair.read()
    assert await pair.relate() == []
    assert await pair.post.planning.rows(referral_links) == []


async def test_nothing_is_said_of_a_withdrawn_referral(pair: Pair) -> None:
    await pair.link()
    await pair.read()
    await pair.post.rows(
        "INSERT INTO notify.withdrawals (referral_id, version, cause, withdrawn_at, planned_at) "
        "VALUES (:id, 1, 'mistaken_report', :now, :now) RETURNING 1",
        id=pair.first,
        now=utc_now(),
    )
    assert await pair.relate() == []


async def test_each_child_of_the_second_has_its_own(post: Post) -> None:
    pair = await Pair.of(post)
    await pair.link()
    await pair.read()
    children = {n["child_id"] for n in await pair.relate()}
    told = await post.rows(
        "SELECT child_id FROM notify.notices WHERE referral_id = :id AND kind = 'original'",
        id=pair.second,
    )
    assert children == {row.child_id for row in told}


async def test_c9_p3_a_link_of_one_child_is_of_that_child_and_of_nobody_who_holds_another(
    post: Post,
) -> None:
    """The police hold A and B of the first, and C and D of the second: B is C, told to both."""
    a, b, c, d = Child(), Child(), Child(), Child()
    pair = await Pair.of(post, a, b, then=(c, d))
    await pair.link(
        Relation.SAME_CHILD, (SameChild(child_id=c.child_id, related_child_id=b.child_id),)
    )
    await pair.read_all()
    assert [n["child_id"] for n in await pair.relate()] == [c.child_id]


async def test_p3_whoever_holds_only_other_children_of_the_two_learns_nothing(post: Post) -> None:
    """Of the first it holds A, of the second C: that B is C, or A is D, is not its own."""
    a, b = Child(), Child(towns=("Montville",))
    c, d = Child(), Child(towns=("Montville",))
    pair = await Pair.of(post, a, b, then=(c, d))
    same = (
        SameChild(child_id=c.child_id, related_child_id=b.child_id),
        SameChild(child_id=d.child_id, related_child_id=a.child_id),
    )
    await pair.link(Relation.SAME_CHILD, same)
    await pair.read_all()
    assert POLICE not in {n["agency_id"] for n in await pair.relate()}


async def test_c9_where_nobody_has_said_who_is_whom_nobody_is_told(pair: Pair) -> None:
    await pair.link(Relation.SAME_CHILD)
    await pair.read()
    assert await pair.relate() == []


@pytest.mark.parametrize("which", ["first", "second"])
@pytest.mark.parametrize("state", ["pending", "delivered"])
async def test_p3_a_version_that_implicates_its_recipient_silences_what_waits(
    pair: Pair, which: str, state: str
) -> None:
    await pair.link()
    await pair.read()
    (notice,) = await pair.relate()
    if state == "delivered":
        await pair.post.pointed(notice["notice_id"], POLICE)
    await pair.amend(which, Child(facts=IMPLICATED))
    assert (await pair.post.open(notice["notice_id"], POLICE)).status_code == 404
    (row,) = await pair.post.rows(
        "SELECT state FROM notify.deliveries WHERE notice_id = :id", id=notice["notice_id"]
    )
    assert row.state == "refused"


async def test_p8_a_version_that_implicates_nobody_leaves_it(pair: Pair) -> None:
    await pair.link()
    await pair.read()
    (notice,) = await pair.relate()
    await pair.amend("first", Child())
    assert (await pair.post.open(notice["notice_id"], POLICE)).status_code == 200


async def test_p3_a_version_that_implicates_its_recipient_silences_a_recall_that_waits(
    post: Post,
) -> None:
    child = Child()
    data = await post.referral(child)
    wrong = await post.notice(POLICE, data.referral_id)
    assert (await post.open(wrong, POLICE)).status_code == 200
    assert (await post.take_back(wrong)).status_code == 200
    (asked,) = [n for n in await post.planning.rows(models.notices) if n["kind"] == "recall"]
    implicating = replace(child, facts=IMPLICATED)
    await post.planning.plan(
        post.planning.announce(implicating, referral_id=data.referral_id, version=2)
    )
    assert (await post.open(asked["notice_id"], POLICE)).status_code == 404
