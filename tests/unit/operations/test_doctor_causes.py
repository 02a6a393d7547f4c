"""One cause is said once, and what is slow is said before its alert."""

from deploy.operations.asking import Seen
from deploy.operations.doctor import in_words, said_once, slow
from deploy.operations.thresholds import thresholds
from shared.runtime.findings import Level, act, look, well

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


def test_every_look_counts_though_its_cause_is_said_once() -> None:
    lines = in_words(
        [act("intake, clock", AWAY, ""), act("intake, server", AWAY, ""), well("notify", "is")],
        everything=False,
    )
    assert lines[-1] == "1 of 3 looks found all well."
    assert sum(AWAY in line for line in lines) == 1


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
