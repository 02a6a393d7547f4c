"""Migrations of the schema `deadlines`."""

from services.deadlines.models import metadata
from shared.runtime.migrate import run

run(metadata)
