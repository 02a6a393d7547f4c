"""Migrations of the schema `notify`."""

from services.notify.models import metadata
from shared.runtime.migrate import run

run(metadata)
