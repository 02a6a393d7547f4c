"""Tasks about clocks: one per clock and warning, or per child. Pure."""

from services.notify.tasks import NewTask, TaskKind
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.referrals import MajorityNear


def breached(data: ClockBreached) -> NewTask:
    what = "the recipient is told" if data.role else "it is done"
    detail = (
        f"{_clock(data)} ran out at {data.due_at:%Y-%m-%dT%H:%M:%SZ}. Make sure that {what} now."
        f"{_desks(data)}"
    )
    return NewTask(TaskKind.BREACHED, about_breach(data), data.referral_id, detail)


def about_breach(data: ClockBreached | BreachCorrected) -> str:
    """What the task of a breach is about: one per breach of a clock, however often it is heard."""
    return data.clock_id if data.turn == 1 else f"{data.clock_id} {data.turn}"


def approaching(data: ClockApproaching) -> NewTask:
    """One task per clock and warning."""
    detail = (
        f"{_clock(data)} runs out at {data.due_at:%Y-%m-%dT%H:%M:%SZ} and its duty is not met. "
        f"There is still time.{_desks(data)}"
    )
    about = f"{data.clock_id} {data.before_minutes}"
    return NewTask(TaskKind.APPROACHING, about, data.referral_id, detail)


def majority_near(data: MajorityNear) -> NewTask:
    """One task per announcement: another comes when a date of birth was put right. It says neither
    when nor why in this child's case: the referral does."""
    detail = (
        f"For child {data.child_id} a federal deadline that ends at the age of 18 ends by the end "
        "of next month. Open the referral, and see to it that HHS was asked for the Eligibility "
        "Letter (22 USC 7105(b)(1)). For: eligibility_coordinator."
    )
    about = f"{data.child_id} {data.noticed_at:%Y-%m-%dT%H:%M:%SZ}"
    return NewTask(TaskKind.MAJORITY_NEAR, about, data.referral_id, detail)


def _clock(data: ClockBreached | ClockApproaching) -> str:
    whose = f"for the role {data.role.value}" if data.role else f"for {data.duty}"
    return f"The clock {data.policy} of child {data.child_id} {whose}"


def _desks(data: ClockBreached | ClockApproaching) -> str:
    return f" For: {', '.join(data.tell)}." if data.tell else ""


def breach_corrected_note(data: BreachCorrected) -> str:
    """To be added to the breach's task."""
    return f" Later found to have been met in time, at {data.satisfied_at:%Y-%m-%dT%H:%M:%SZ}."
