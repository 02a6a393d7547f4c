"""A child's document: all that is known of one child in one version, sealed as one piece.

What is the referral's own, such as the reporter, lies in every child's document, so that each
child's key opens, and shreds, the whole of that child's record and nothing of another's.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from services.intake.codes import SourceType
from services.intake.people import Implicated, Reporter
from services.intake.schemas import AmendedReferral, Child, NewReferral, Short

TABLE = "intake.documents"


class Document(Child):
    """What is sealed: the child's fields, and of the referral's whatever a person typed."""

    source_type: SourceType
    reporter: Reporter
    ht_characteristics: bool | None = None
    case_number: Short | None = None
    implicated: list[Implicated] = Field(default=[])


_SHARED = set(Document.model_fields) - set(Child.model_fields)
"""The referral's own fields, which lie in every child's document."""


def row(child_id: str, version: int) -> str:
    """What the seal is bound to beside the table."""
    return f"{child_id}/{version}"


def write(referral: NewReferral | AmendedReferral, child: Child) -> bytes:
    """The document of one child as JSON; what is not known is left out."""
    fields = child.model_dump(mode="json", exclude={"child_id"}, exclude_none=True)
    shared = referral.model_dump(mode="json", include=_SHARED, exclude_none=True)
    return json.dumps(fields | shared, ensure_ascii=False, separators=(",", ":")).encode()


def read(plaintext: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(plaintext)
    return document


def assemble(
    documents: Sequence[tuple[str, Mapping[str, Any]]], version: Mapping[str, Any]
) -> dict[str, Any]:
    """The referral as one document, from each (child_id, document) and the version's own fields."""
    first = documents[0][1]
    children = [
        {name: value for name, value in document.items() if name in Child.model_fields}
        | {"child_id": child_id}
        for child_id, document in documents
    ]
    shared = {name: value for name, value in first.items() if name in _SHARED}
    return {**version, **shared, "children": children}
