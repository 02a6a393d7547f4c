"""Migrations of the schema `bus`."""

from shared.messaging.postgres.models import metadata
from shared.runtime.migrate import run

run(metadata)
