"""Every table of intake, area by area, for who needs them all: migrations and the drift test."""

from services.intake import models
from services.intake.calls import models as calls
from services.intake.decisions import models as decisions
from services.intake.hart import models as hart
from services.intake.majority import models as majority
from services.intake.matching import models as matching
from services.intake.metadata import metadata
from services.intake.operations import models as operations
from services.intake.placements import models as placements
from services.intake.statistics import models as statistics

__all__ = [
    "calls",
    "decisions",
    "hart",
    "majority",
    "matching",
    "metadata",
    "models",
    "operations",
    "placements",
    "statistics",
]
