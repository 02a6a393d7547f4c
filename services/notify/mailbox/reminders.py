"""Tasks about mailboxes. Pure."""

from services.notify.tasks.task import NewTask, TaskKind


def not_ours(referral_id: str, notice_id: str, agency_id: str, reason: str) -> NewTask:
    detail = (
        f"Agency {agency_id} says that notice {notice_id} is not its own ({reason}). It gets "
        "nothing further of this child. Others are told in its place (GET /v1/referrals/…/routing "
        "names them); the clock runs until one of them has it. Call the agency, ask the notice "
        "back unless it is its own after all, and find the right town: mend the directory or have "
        "the referral amended. Who else was chosen by the wrong town has the child's name too "
        "(docs/runbook.md, A notice went to the wrong recipient)."
    )
    return NewTask(TaskKind.NOT_OURS, notice_id, referral_id, detail)


def unread(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    detail = (
        f"Agency {agency_id} was told that a notice waits and has not opened {notice_id}. A "
        "pointer meets no duty and the clocks run. Call the agency."
    )
    return NewTask(TaskKind.UNREAD, notice_id, referral_id, detail)


def unacknowledged(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    detail = (
        f"Agency {agency_id} has read or heard notice {notice_id} and has not said who received "
        "it. Call the agency and ask for its case number."
    )
    return NewTask(TaskKind.UNACKNOWLEDGED, notice_id, referral_id, detail)


def not_held(referral_id: str, notice_id: str, agency_id: str) -> NewTask:
    detail = (
        f"The server of agency {agency_id} answered for notice {notice_id}, and its own system now "
        "says that it does not hold it. Call the agency and tell it by word of mouth; then send "
        "the notice again (redrive, docs/runbook.md) and have its receiver mended: it must store "
        "before it answers."
    )
    return NewTask(TaskKind.NOT_HELD, notice_id, referral_id, detail)
