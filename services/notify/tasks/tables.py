"""The tables of what a named person must look at."""

from sqlalchemy import Column, Index, Table, Text, text

from services.notify.models import TIME, metadata

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False, comment="What it is about; one task per kind and this."),
    Column("referral_id", Text, comment="Null: it is about no referral."),
    Column("detail", Text, nullable=False, comment="A sentence that says what to do. No names."),
    Column("created_at", TIME, nullable=False),
    Column("acknowledged_at", TIME),
    Column("acknowledged_by", Text),
    Column("desk", Text, comment="Whose it is; null: the kind's role in the roster."),
    Column(
        "acknowledged_for",
        Text,
        comment="The desk, where whoever acknowledged it does not stand for it.",
    ),
)
Index("uq_tasks_about", tasks.c.kind, tasks.c.about, unique=True)
Index("ix_tasks_open", tasks.c.created_at, postgresql_where=text("acknowledged_at IS NULL"))

task_clocks = Table(
    "task_clocks",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("about", Text, primary_key=True, comment="As of a task about it alone."),
    Column("task_id", Text, nullable=False),
    Column("referral_id", Text, nullable=False),
    Column("child_id", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("role", Text, comment="Null: it is about no recipient's leg."),
    Column("due_at", TIME, nullable=False),
    comment="Append-only: which clocks a desk's task of a referral is about.",
)
Index("ix_task_clocks_task", task_clocks.c.task_id)
Index("ix_task_clocks_referral", task_clocks.c.referral_id)
