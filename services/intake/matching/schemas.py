"""HTTP bodies of sameness."""

from pydantic import Field

from services.intake.schemas import Body
from shared.contracts.base import OpaqueId


class SamenessAnswer(Body):
    """A person's word on whether two children are one. A later one takes an earlier one back."""

    child_ids: list[OpaqueId] = Field(min_length=2, max_length=2)
    same: bool
