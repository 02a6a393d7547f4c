"""Tasks of a change of the directory: whom to call so that a fraud is noticed."""

from collections.abc import Sequence

from services.notify.tasks.task import NewTask, TaskKind


def directory_changed(
    proposal_id: str, agency_id: str, fields: Sequence[str], contact: str | None
) -> NewTask:
    """Two people have approved it; the one who would notice a fraud is at the old contact."""
    whom = f"Call the old contact ({contact})" if contact else "Call a number you know of old"
    detail = (
        f"On record for agency {agency_id}, by proposal {proposal_id}, these were changed: "
        f"{', '.join(fields)}. {whom} and say so. If nobody there knows of it, propose the old "
        "record again at once."
    )
    return NewTask(TaskKind.DIRECTORY_CHANGED, f"{proposal_id} {agency_id}", None, detail)


def directory_put_back(
    proposal_id: str, agency_id: str, fields: Sequence[str], undone: str, contact: str | None
) -> NewTask:
    """What stood before an earlier proposal stands again; going back would bring that back."""
    whom = f"Call the contact ({contact})" if contact else "Call a number you know of old"
    detail = (
        f"On record for agency {agency_id}, proposal {proposal_id} puts back what stood before "
        f"proposal {undone}: {', '.join(fields)}. {whom} and ask whether notices come in. Do not "
        f"propose the old record again: that would bring back what {undone} had set. The task of "
        f"{undone} is answered by this one."
    )
    return NewTask(TaskKind.DIRECTORY_CHANGED, f"{proposal_id} {agency_id}", None, detail)
