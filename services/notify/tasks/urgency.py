"""Which tasks cannot wait for the working day."""

from services.notify.tasks.task import TaskKind

URGENT = frozenset(
    {
        TaskKind.REFUSED,
        TaskKind.BREACHED,
        TaskKind.NOT_OURS,
        TaskKind.CANNOT_SEND,
        TaskKind.UNREACHABLE,
        TaskKind.TOLD_UNLAWFULLY,
    }
)
"""A lawful recipient may know nothing, or the wrong one knows."""
