"""What has to change on the brokers: named one by one, and the same number only for the same."""

from dataclasses import replace

import pytest

from deploy.machine.kafka import FOLDER
from deploy.topics.files import read_acls
from deploy.topics.passing import readers
from deploy.topics.plan import Acl, Allow, Cluster, MakeTopic, SetConfig, Topic, Withdraw, compare

TOPIC = Topic(6, 3, {"min.insync.replicas": "2", "retention.ms": "1000"})
WRITE = Acl("User:hartline-intake", "topic", "referrals", "write")
WANTED = Cluster({"referrals": TOPIC}, frozenset({WRITE}))


def test_what_is_as_it_should_be_needs_nothing() -> None:
    plan = compare(WANTED, WANTED)
    assert (plan.changes, plan.findings) == ((), ())


def test_a_topic_that_is_missing_is_made_with_all_that_it_needs() -> None:
    plan = compare(WANTED, replace(WANTED, topics={}))
    assert plan.changes == (MakeTopic("referrals", 6, 3, tuple(sorted(TOPIC.config.items()))),)


def test_a_setting_that_differs_is_shown_with_what_it_was() -> None:
    there = replace(TOPIC, config={"min.insync.replicas": "1", "segment.ms": "9"})
    (change,) = compare(WANTED, replace(WANTED, topics={"referrals": there})).changes
    assert isinstance(change, SetConfig)
    assert change.config == tuple(sorted(TOPIC.config.items()))
    assert str(change) == (
        "configure topic referrals: min.insync.replicas 1 -> 2, retention.ms unset -> 1000, "
        "segment.ms 9 -> unset"
    )


@pytest.mark.parametrize("odd", [{"partitions": 3}, {"replicas": 1}])
def test_what_would_reorder_or_move_events_is_left_to_a_person(odd: dict[str, int]) -> None:
    there = replace(TOPIC, **odd)  # type: ignore[arg-type]
    plan = compare(WANTED, replace(WANTED, topics={"referrals": there}))
    assert plan.changes == ()
    assert len(plan.findings) == 1


def test_permissions_are_added_and_ours_beyond_the_file_withdrawn() -> None:
    beyond = replace(WRITE, operation="all")
    plan = compare(WANTED, replace(WANTED, acls=frozenset({beyond})))
    assert plan.changes == (Allow(WRITE), Withdraw(beyond))


@pytest.mark.parametrize(
    "acl",
    [
        Acl("User:stranger", "topic", "referrals", "read"),
        Acl("User:stranger", "topic", "*", "read"),
        Acl("User:stranger", "topic", "ref", "read", pattern="prefixed"),
    ],
)
def test_a_strangers_permission_on_ours_is_shown_and_left(acl: Acl) -> None:
    plan = compare(WANTED, replace(WANTED, acls=frozenset({WRITE, acl})))
    assert plan.changes == ()
    assert "User:stranger" in str(plan.findings[0])


def test_a_strangers_permission_elsewhere_is_no_matter_of_ours() -> None:
    elsewhere = Acl("User:stranger", "topic", "weather", "read")
    plan = compare(WANTED, replace(WANTED, acls=frozenset({WRITE, elsewhere})))
    assert (plan.changes, plan.findings) == ((), ())


def test_brokers_that_check_nobody_are_a_finding() -> None:
    plan = compare(WANTED, replace(WANTED, acls=None))
    assert plan.changes == ()
    assert "authorizer.class.name" in str(plan.findings[0])


def test_permissions_may_be_left_alone() -> None:
    plan = compare(replace(WANTED, acls=None), replace(WANTED, acls=frozenset()))
    assert (plan.changes, plan.findings) == ((), ())


def test_another_state_has_another_number() -> None:
    missing = compare(WANTED, replace(WANTED, topics={}))
    more = compare(WANTED, Cluster({}, frozenset()))
    assert missing.id == compare(WANTED, replace(WANTED, topics={})).id
    assert missing.id != more.id


def test_a_group_reads_what_its_principal_may_read() -> None:
    acls = read_acls(FOLDER / "acls.yaml")
    assert readers(acls) == {
        "notify": {"referrals", "deadlines"},
        "deadlines": {"referrals", "notices"},
        "audit": {"disclosures"},
    }
