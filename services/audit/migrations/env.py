"""Migrations of the schema `audit`."""

from services.audit.models import metadata
from shared.runtime.migrate import run

run(metadata)
