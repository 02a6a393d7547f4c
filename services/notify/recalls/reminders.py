"""Tasks of people who see to misdirected notices. Pure."""

from services.notify.tasks import NewTask, TaskKind


def taken_back(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    """A misdirected notice that nobody had opened: no disclosure, but a duty that is open."""
    detail = (
        f"Notice {notice_id} was meant for agency {agency_id} by mistake. Nobody there had opened "
        "it, and nobody can now: nothing was disclosed. Tell whoever should have had it."
    )
    return NewTask(TaskKind.RECALLED, notice_id, referral_id, detail)
