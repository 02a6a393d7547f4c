"""Every table of notify, area by area, for who needs them all: migrations and the drift test."""

from services.notify import models
from services.notify.controls import tables as controls
from services.notify.enrolment import tables as enrolment
from services.notify.models import metadata
from services.notify.oncall import tables as oncall

__all__ = ["controls", "enrolment", "metadata", "models", "oncall"]
