"""Migrations of the schema `audit`."""

from services.audit.tables import metadata
from shared.runtime.migrate import run

run(metadata)
