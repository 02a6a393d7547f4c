"""Bodies of retention's requests and answers."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.audit.accounting.fields import Citation
from services.audit.retention.rules import Ground, Hold, Shredding, State


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShreddingIn(_Body):
    ground: Ground
    citation: Citation


class HoldIn(_Body):
    citation: Citation


class ShreddingOut(BaseModel):
    shredding_id: str
    child_id: str
    ground: Ground
    citation: str
    state: State
    asked_by: str
    asked_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    ordered_at: datetime | None
    completed_at: datetime | None = Field(description="When every holder had confirmed.")
    confirmed: dict[str, datetime] = Field({}, description="Holders that hold nothing more.")

    @classmethod
    def of(cls, found: Shredding, confirmed: dict[str, datetime] | None = None) -> "ShreddingOut":
        return cls(
            shredding_id=found.shredding_id,
            child_id=found.child_id,
            ground=found.ground,
            citation=found.citation,
            state=found.state,
            asked_by=found.asked_by,
            asked_at=found.asked_at,
            decided_by=found.decided_by,
            decided_at=found.decided_at,
            ordered_at=found.ordered_at,
            completed_at=found.completed_at,
            confirmed=confirmed or {},
        )


class ShreddingsOut(BaseModel):
    shreddings: list[ShreddingOut]
    next: str | None


class HoldOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    hold_id: str
    child_id: str
    citation: str
    placed_by: str
    placed_at: datetime
    release_asked_by: str | None
    released_at: datetime | None

    @classmethod
    def of(cls, found: Hold) -> "HoldOut":
        return cls.model_validate(found)


class HoldsOut(BaseModel):
    holds: list[HoldOut]
    next: str | None


class DueChild(BaseModel):
    child_id: str
    referral_id: str | None
    last_at: datetime = Field(description="The last entry that speaks of this child.")
    held: bool


class DueOut(BaseModel):
    """Children whose content may be proposed for destruction. `next`: ask with `after=` this."""

    years: int
    due: list[DueChild]
    next: int | None
