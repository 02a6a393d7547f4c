"""Where intake's data keys lie, wrapped by its KEK."""

from services.intake import models
from services.intake.calls.models import calls
from services.intake.hart.models import case_flags
from services.intake.operations.models import operations
from shared.runtime.rewrapping import KeyTable

HOLDINGS = (
    KeyTable(models.child_keys.fullname, "child_id"),
    KeyTable(calls.fullname, "call_id"),
    KeyTable(case_flags.fullname, "flag_id"),
    KeyTable(operations.fullname, "operation_id"),
)
