"""Migrations of the schema `intake`."""

from services.intake.models import metadata
from shared.runtime.migrate import run

run(metadata)
