"""Every table of notify, area by area, for who needs them all: migrations and the drift test."""

from services.notify import models
from services.notify.mailbox import tables as mailbox
from services.notify.models import metadata
from services.notify.oral import tables as oral

__all__ = ["mailbox", "metadata", "models", "oral"]
