"""One cause is said once, and what is slow is said before its alert."""

from datetime import UTC, datetime

import pytest

from deploy.operations import doctor
from deploy.operations.asking import Seen
from deploy.operations.doctor import old, running, slow
from deploy.operations.hosting import STANDS
from deploy.operations.places import Place
from deploy.operations.saying import in_words, said_once
from deploy.operations.standing import standing
from deploy.operations.status import view
from deploy.operations.thresholds import thresholds
from shared.runtime.findings import Level, act, look, well
from shared.runtime.progress import Stopped, Way

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)

AGE = "hartline_oldest_age_seconds"
AWAY = "PostgreSQL does not answer."


def test_what_many_looks_found_alike_is_said_once_and_first() -> None:
    found = said_once(
        [
            act("audit, process", "does not answer", "end it"),
            act("intake, clock", AWAY, "start it"),
            act("intake, server", AWAY, "start it"),
            act("notify, server", AWAY, "start it"),
            look("notify, tasks", "one waits", "see it"),
        ]
    )
    assert [each.about for each in found] == [
        "intake, notify (3 looks)",
        "audit, process",
        "notify, tasks",
    ]


def test_a_process_that_stands_is_the_cause_and_comes_before_its_many_symptoms() -> None:
    found = said_once(
        [
            act("intake, clock", AWAY, "start it"),
            act("notify, server", AWAY, "start it"),
            act("postgresql, process 7", STANDS, "restart it"),
        ]
    )
    assert found[0].about == "postgresql, process 7"


async def test_a_look_that_takes_too_long_says_what_that_mostly_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "_COMMAND_SECONDS", 0.01)
    settings = {"HARTLINE_INTAKE_DSN": "postgresql://nobody@127.0.0.1:1/none"}
    found = await doctor.examine([Place("intake", "http://127.0.0.1:1", settings)])
    (slow_look,) = [each for each in found if each.about == "intake, settings"]
    assert slow_look.says == "A look from its settings was not over after 0 s."
    assert "hangs that is usual" in slow_look.do


def test_every_look_counts_though_its_cause_is_said_once() -> None:
    lines = in_words(
        [act("intake, clock", AWAY, ""), act("intake, server", AWAY, ""), well("notify", "is")],
        everything=False,
    )
    assert lines[-1].startswith("1 of 3 looks found all well. ")
    assert sum(AWAY in line for line in lines) == 1


def test_a_fork_is_one_finding_whatever_ages_it_has_and_in_both_services_together() -> None:
    ages = {(AGE, "parked"): 40.0, (AGE, "quarantine"): 40.0}
    way = Way([], [Stopped("fork", "ref_1", 40.0, "referrals #1")])
    found = [
        each
        for service in ("notify", "deadlines")
        for each in running(Seen(service, metrics=ages, way=way), thresholds())
    ]
    lines = in_words(found, everything=False)
    assert lines[2].startswith(
        "NOW   notify, fork and deadlines, fork: Two different events of ref_1"
    )
    assert "(a fork, referrals #1)" in lines[2]
    assert "#a-fork-two-events-of-one-number" in lines[3]
    assert not any("cannot read" in line for line in lines)
    shown = view([Seen("notify", metrics=ages, way=way)], thresholds(), NOW)
    assert shown[0].endswith("1 thing(s) need somebody.")
    assert shown[2] == "FORK    notify: ref_1 for 40 s (referrals #1)"


def test_a_record_that_could_not_be_read_is_named_and_where_nothing_is_named_its_age_is() -> None:
    ages = {(AGE, "quarantine"): 40.0}
    way = Way([], [Stopped("unreadable", "referrals/0/12", 40.0, "not_an_event")])
    (found, *_) = standing(Seen("notify", way=way))
    assert (found.about, found.level) == ("notify, unreadable", Level.ACT)
    assert "referrals/0/12 (not_an_event)" in found.says
    (aged,) = old(Seen("notify", metrics=ages), thresholds())
    assert aged.about == "notify, quarantine"


def test_p9_what_takes_a_moment_is_told_before_its_alert_and_not_twice() -> None:
    limits = thresholds()
    seen = Seen(
        "audit",
        metrics={
            (AGE, "audit_uncosigned"): 40.0,
            (AGE, "audit_unsequenced"): 80.0,
            (AGE, "audit_unsigned"): 3.0,
            (AGE, "audit_unreconciled"): 100.0,
        },
    )
    (found,) = slow(seen, limits)
    assert (found.about, found.level) == ("audit, audit_uncosigned", Level.LOOK)
    assert "40 s" in found.says
