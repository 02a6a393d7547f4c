"""A clock waits for those who state the facts that its policy names, and for nobody else."""

import pytest

from services.deadlines.awaited import STREAMS, awaited, evidence_for, stated_by
from services.deadlines.facts import FactKind
from services.deadlines.policy_files import load
from services.deadlines.reading import FactBearing
from services.deadlines.verdicts import Evidence
from shared.contracts.base import Source
from tests.support.clock_events import (
    consult_completed,
    consult_entered,
    consult_requested,
    decided,
    identified,
    linked,
    rerouted,
    told_orally,
    withdrawn,
)
from tests.support.deadlines import (
    DUE,
    HOUR,
    RECEIVED,
    amended,
    delivered,
    facts,
    opaque,
    planned,
    received,
    refused,
)

POLICIES = {policy.policy: policy for policy in load()}
HERE = Evidence(DUE + HOUR, unfinished=False)


@pytest.mark.parametrize("name", ["hart72", "entry5d", "monthly_data"])
def test_the_clock_of_a_consult_waits_for_intake_only(name: str) -> None:
    assert awaited(POLICIES[name]) == {Source.INTAKE}


@pytest.mark.parametrize("name", ["le12", "ack24", "ico1", "hhs24"])
def test_a_duty_to_tell_waits_for_notify_and_for_what_intake_may_end(name: str) -> None:
    assert awaited(POLICIES[name]) == {Source.INTAKE, Source.NOTIFY}


def test_every_kind_of_fact_is_stated_by_who_emits_its_event() -> None:
    events: list[FactBearing] = [
        received(),
        amended(2),
        withdrawn(RECEIVED),
        decided(1, accepted=False, at=RECEIVED),
        linked(opaque("ref", 2), RECEIVED),
        consult_requested(RECEIVED),
        consult_completed(RECEIVED),
        consult_entered(RECEIVED),
        identified(RECEIVED),
        planned("A", superseded="B"),
        refused("A"),
        rerouted("A", "B", RECEIVED),
        delivered("A", RECEIVED),
        told_orally("A", RECEIVED),
    ]
    for event in events:
        for fact in facts(event):
            assert STREAMS[stated_by(fact.kind)] is event.topic
    assert {stated_by(kind) for kind in FactKind} == set(STREAMS)


@pytest.mark.parametrize(
    ("intake", "expected"),
    [
        (HERE, HERE),
        (Evidence(None, unfinished=False), Evidence(None, unfinished=False)),
        (Evidence(DUE, unfinished=True), Evidence(DUE, unfinished=True)),
    ],
)
def test_all_is_here_when_it_is_from_all(intake: Evidence, expected: Evidence) -> None:
    known = {Source.INTAKE: intake, Source.NOTIFY: HERE}
    assert evidence_for(POLICIES["le12"], known) == expected
    assert evidence_for(POLICIES["hart72"], {**known, Source.NOTIFY: Evidence(None, True)}) == (
        expected
    )
