"""Every table of audit, area by area, for who needs them all: migrations and the drift test."""

from services.audit import models
from services.audit.accounting import models as accounting
from services.audit.models import metadata
from services.audit.retention import models as retention

__all__ = ["accounting", "metadata", "models", "retention"]
