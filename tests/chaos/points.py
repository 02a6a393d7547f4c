"""The named places at which the harness kills, by the program that passes them.

An architecture test keeps these lists equal to the fail points in the code.
"""

POINTS: dict[str, tuple[str, ...]] = {
    "intake": (
        "intake.before_commit",
        "intake.after_commit",
        "intake.after_view_commit",
        "intake.relay.before_publish",
        "intake.relay.after_publish",
        "intake.relay.after_mark",
    ),
    "notify": (
        "notify.consume.before_commit",
        "notify.consume.after_commit",
        "notify.plan.before_commit",
        "notify.plan.after_commit",
        "notify.work.before_commit",
        "notify.work.after_commit",
        "notify.deliver.before_claim_commit",
        "notify.deliver.after_claim",
        "notify.deliver.after_post",
        "notify.deliver.after_outcome",
        "notify.relay.before_publish",
        "notify.relay.after_publish",
        "notify.relay.after_mark",
    ),
    "deadlines": (
        "deadlines.consume.before_commit",
        "deadlines.consume.after_commit",
        "deadlines.work.before_commit",
        "deadlines.work.after_commit",
        "deadlines.sweep.before_commit",
        "deadlines.sweep.after_commit",
        "deadlines.relay.before_publish",
        "deadlines.relay.after_publish",
        "deadlines.relay.after_mark",
    ),
    "audit": (
        "audit.consume.before_commit",
        "audit.consume.after_commit",
        "audit.work.before_commit",
        "audit.work.after_commit",
        "audit.seal.before_commit",
        "audit.seal.after_commit",
        "audit.seal.after_sign",
    ),
}

ELSEWHERE: dict[str, str] = dict.fromkeys(
    (
        "intake.once.before_commit",
        "intake.once.after_commit",
        "intake.call.before_commit",
        "intake.call.after_commit",
        "intake.incident.before_commit",
        "intake.incident.after_commit",
        "intake.sweep.before_commit",
        "intake.sweep.after_commit",
        "intake.index.before_commit",
        "intake.index.after_commit",
    ),
    "tests/integration/intake/test_intake_life_process.py",
) | dict.fromkeys(
    ("notify.page.after_claim", "notify.page.after_send"),
    "tests/integration/notify/test_oncall_kills.py",
)
"""Those that no agency's traffic passes, and the test that kills there."""
