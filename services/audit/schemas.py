"""Bodies of the audit service's answers."""

from datetime import datetime

from pydantic import BaseModel, Field


class EntryBody(BaseModel):
    index: int
    kind: str
    leaf: str = Field(description="The exact bytes of the leaf, in base64.")
    leaf_hash: str = Field(description="SHA-256(0x00 || leaf), in hex.")
    sequenced_at: datetime


class DisclosureEntry(BaseModel):
    index: int
    kind: str


class DisclosureBody(BaseModel):
    """What the log holds of one disclosure: its attempt or view, and its outcomes."""

    disclosure_id: str
    entries: list[DisclosureEntry]
