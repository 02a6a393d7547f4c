"""Tasks of people who call recipients. Pure."""

from services.notify.tasks.task import NewTask, TaskKind


def to_be_called(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    """A recipient that is told by word of mouth alone."""
    detail = (
        f"Call agency {agency_id} and tell it what notice {notice_id} says, the confidentiality "
        f"warning first; then enter the call (POST /v1/notices/{notice_id}/told-orally). The "
        "clocks run until then."
    )
    return NewTask(TaskKind.TO_BE_CALLED, notice_id, referral_id, detail)


def told_in_conflict(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    """The record is kept as it is: what was said was said."""
    detail = (
        f"Agency {agency_id} was told of notice {notice_id} by word of mouth, and has a conflict "
        "of interest in this matter or no authority in force. Find out what was said, and treat it "
        "as a misdirected disclosure."
    )
    return NewTask(TaskKind.TOLD_UNLAWFULLY, notice_id, referral_id, detail)


def told_without_a_notice(referral_id: str, entry_id: str, agency_id: str) -> NewTask:
    """A call of which no notice says what was told, and by what right."""
    detail = (
        f"Agency {agency_id} was told by word of mouth (entry {entry_id}), and no notice of that "
        "child is planned for it. If it should be told: complete its record and have the referral "
        "amended; the call then counts from its own time. If not, or if it was entered by mistake: "
        f"another person decides it (POST /v1/oral-entries/{entry_id}/decision, not_told or "
        "misdirected), which ends this task too. Acknowledging alone ends nothing."
    )
    return NewTask(TaskKind.TOLD_UNLAWFULLY, entry_id, referral_id, detail)
