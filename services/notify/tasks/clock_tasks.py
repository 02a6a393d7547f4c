"""Tasks about clocks, or a child: for each desk that must hear of it. Those of one referral and
desk are put together when they are filed. Pure."""

from services.notify.tasks.task import NewTask, TaskKind
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.referrals import MajorityNear

_COORDINATOR = "eligibility_coordinator"
_MATTERS = {"agy": "agency", "con": "consult"}


def breached(data: ClockBreached) -> list[NewTask]:
    mend = "" if data.role else " See to it that it is done."
    detail = f"{_clock(data)} ran out at {data.due_at:%Y-%m-%dT%H:%M:%SZ}.{mend}"
    return _for_each_desk(TaskKind.BREACHED, about_breach(data), data, detail)


def about_breach(data: ClockBreached | BreachCorrected) -> str:
    """What the task of a breach is about: one per breach of a clock, however often it is heard."""
    return data.clock_id if data.turn == 1 else f"{data.clock_id} {data.turn}"


def approaching(data: ClockApproaching) -> list[NewTask]:
    """For each warning its own."""
    detail = (
        f"{_clock(data)} runs out at {data.due_at:%Y-%m-%dT%H:%M:%SZ} and its duty is not met. "
        "There is still time."
    )
    about = f"{data.clock_id} {data.before_minutes}"
    return _for_each_desk(TaskKind.APPROACHING, about, data, detail)


def majority_near(data: MajorityNear) -> NewTask:
    """One task per announcement: another comes when a date of birth was put right. It says neither
    when nor why in this child's case: the referral does."""
    detail = (
        f"For child {data.child_id} a federal deadline that ends at the age of 18 ends by the end "
        "of next month. Open the referral, and see to it that HHS was asked for the Eligibility "
        f"Letter (22 USC 7105(b)(1)). For: {_COORDINATOR}."
    )
    about = f"{data.child_id} {data.noticed_at:%Y-%m-%dT%H:%M:%SZ}"
    return NewTask(TaskKind.MAJORITY_NEAR, about, data.referral_id, detail, _COORDINATOR)


def _for_each_desk(
    kind: TaskKind, about: str, data: ClockBreached | ClockApproaching, detail: str
) -> list[NewTask]:
    """One for the kind's role where the policy names nobody."""
    if not data.tell:
        return [NewTask(kind, about, data.referral_id, detail)]
    return [
        NewTask(kind, f"{about} {desk}", data.referral_id, f"{detail}{for_desk(desk)}", desk)
        for desk in dict.fromkeys(data.tell)
    ]


def for_desk(desk: str | None) -> str:
    """How such a task's detail ends."""
    return "" if desk is None else f" For: {desk}."


def _clock(data: ClockBreached | ClockApproaching) -> str:
    whose = f"for the role {data.role.value}" if data.role else f"for {data.duty}"
    return f"The clock {data.policy} of child {data.child_id} {whose}{_matter(data.matter)}"


def _matter(matter: str | None) -> str:
    return "" if matter is None else f" ({_MATTERS.get(matter[:3], 'matter')} {matter})"


def breach_corrected_note(data: BreachCorrected) -> str:
    """To be added to the tasks of the breach."""
    when = f"{data.satisfied_at:%Y-%m-%dT%H:%M:%SZ}"
    whose = data.role.value if data.role else data.duty
    return (
        f" Later found to have been met in time, at {when}: {data.policy} of child "
        f"{data.child_id} for {whose}."
    )
