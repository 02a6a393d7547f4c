"""What the HTTP API answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class NoticeOut(_Answer):
    """One leg of a referral: who had to be told, why, and how far it has come."""

    notice_id: str
    child_id: str
    role: str
    recipient: str | None
    """The agency's name; null when nobody on file fits the role."""
    because: str
    version: int
    kind: str
    state: str
    """pending, blocked, attempting, delivered, superseded, refused or closed."""
    reason: str | None
    """Why it was refused when planned."""
    attempts: int
    planned_at: datetime
    delivered_at: datetime | None


class NoticesOut(_Answer):
    referral_id: str
    notices: list[NoticeOut]


class TaskOut(_Answer):
    """What a named person must look at."""

    task_id: str
    kind: str
    referral_id: str | None
    """Null: it is about no referral."""
    detail: str
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class TasksOut(_Answer):
    """`next`: ask with `after=` this for the rest; null when there is none."""

    tasks: list[TaskOut]
    next: str | None


class WatermarkOut(_Answer):
    """No fact on topic notices older than `oldest_unrelayed_at` (null: than `now`) is missing
    from the bus."""

    oldest_unrelayed_at: datetime | None
    now: datetime
    sequences: dict[str, int]
    """By referral asked for, the last event emitted on topic notices; 0 for none. Whoever has
    folded that many is missing nothing that had happened by `now`."""
