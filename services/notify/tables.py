"""Every table of notify, area by area, for who needs them all: migrations and the drift test."""

from services.notify import models
from services.notify.conflicts import tables as conflict_tables
from services.notify.controls import tables as controls
from services.notify.delivery import pace_tables
from services.notify.directory import tables as directory_tables
from services.notify.enrolment import tables as enrolment
from services.notify.mailbox import tables as mailbox
from services.notify.matters import tables as matters
from services.notify.models import metadata
from services.notify.oncall import tables as oncall
from services.notify.oral import tables as oral
from services.notify.proposals import tables as proposal_tables
from services.notify.recalls import tables as recalls
from services.notify.related import tables as related
from services.notify.rulemaking import tables as rulemaking
from services.notify.stages import tables as stages
from services.notify.tasks import tables as task_tables

__all__ = [
    "conflict_tables",
    "controls",
    "directory_tables",
    "enrolment",
    "mailbox",
    "matters",
    "metadata",
    "models",
    "oncall",
    "oral",
    "pace_tables",
    "proposal_tables",
    "recalls",
    "related",
    "rulemaking",
    "stages",
    "task_tables",
]
