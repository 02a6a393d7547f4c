"""A child's document: all that is known of one child in one version, sealed as one piece.

The reporter and the source of the report lie in every child's document, so that each child's key
opens, and shreds, the whole of that child's record and nothing of another's.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from services.intake.codes import SourceType
from services.intake.schemas import AmendedReferral, Child, KnownChild, Reporter

TABLE = "intake.documents"


class Document(Child):
    """What is sealed: the child's fields, the reporter and the source type."""

    source_type: SourceType
    reporter: Reporter


def row(child_id: str, version: int) -> str:
    """What the seal is bound to beside the table."""
    return f"{child_id}/{version}"


def write(referral: AmendedReferral, child: KnownChild) -> bytes:
    """The document of one child as JSON; what is not known is left out."""
    fields = child.model_dump(mode="json", exclude={"child_id"}, exclude_none=True)
    shared = referral.model_dump(
        mode="json", include={"source_type", "reporter"}, exclude_none=True
    )
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
    return {
        **version,
        "source_type": first["source_type"],
        "reporter": first["reporter"],
        "children": children,
    }
