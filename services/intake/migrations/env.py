"""Migrations of the schema `intake`."""

from services.intake.tables import metadata
from shared.runtime.migrate import run

run(metadata)
