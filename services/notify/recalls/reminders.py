"""Tasks of people who see to misdirected notices. Pure."""

from services.notify.tasks.task import NewTask, TaskKind


def taken_back(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    """A misdirected notice that nobody had opened: no disclosure, but a duty that is open."""
    detail = (
        f"Notice {notice_id} was meant for agency {agency_id} by mistake. Nobody there had opened "
        "it, and nobody can now: nothing was disclosed. Tell whoever should have had it."
    )
    return NewTask(TaskKind.RECALLED, notice_id, referral_id, detail)


def named_again(referral_id: str, agency_id: str, version: int) -> NewTask:
    """The route names whom a notice was taken back from (C15). One is open at a time: when it was
    closed, a later version that still names it has another, for it may be the same mistake."""
    leg = f"{referral_id} {agency_id} version "
    detail = (
        f"Version {version} of the referral names agency {agency_id}, which gave a notice of this "
        "matter back or was sent one by mistake: it is told nothing further. If it is right after "
        "all, have two people lift that (GET /v1/referrals/…/conflicts, POST "
        "/v1/conflicts/…/lift) and the referral amended, and tell it by other means meanwhile. If "
        "it is wrong still, have the towns put right."
    )
    return NewTask(TaskKind.CONFLICT, f"{leg}{version}", referral_id, detail, leg=leg)
