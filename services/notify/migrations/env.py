"""Migrations of the schema `notify`."""

from services.notify.tables import metadata
from shared.runtime.migrate import run

run(metadata)
