"""What is sealed beside a child's document: reasons in words, and form DCF-823. Each child's lies
under that child's own key, so that shredding a child shreds these too (ADR 0007)."""

import json
from collections.abc import Sequence
from typing import Any

from services.intake.decisions.records import Explanation, StoredIncident
from services.intake.decisions.schemas import Incident
from services.intake.records import StoredChild
from shared.runtime.sealing import Sealer, WrappedKey

_EXPLANATIONS = "intake.explanations"
_INCIDENTS = "intake.incident_documents"


def explain(
    sealer: Sealer, children: Sequence[StoredChild], about: str, words: str | None
) -> list[Explanation]:
    """The words once for every child; none, if there are no words."""
    if words is None:
        return []
    return [
        Explanation(
            child.child_id,
            about,
            sealer.seal(child.key, _EXPLANATIONS, f"{child.child_id}/{about}", words.encode()),
        )
        for child in children
    ]


def words(sealer: Sealer, key: WrappedKey, explained: Explanation) -> str:
    row = f"{explained.child_id}/{explained.about}"
    return sealer.open(key, _EXPLANATIONS, row, explained.sealed).decode()


def seal_incident(
    sealer: Sealer, key: WrappedKey, incident_id: str, version: int, content: Incident
) -> bytes:
    document = content.model_dump(mode="json", exclude_none=True, exclude={"child_id"})
    plain = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return sealer.seal(key, _INCIDENTS, f"{incident_id}/{version}", plain)


def open_incident(sealer: Sealer, stored: StoredIncident) -> dict[str, Any]:
    row = f"{stored.known.incident_id}/{stored.known.version}"
    content: dict[str, Any] = json.loads(sealer.open(stored.key, _INCIDENTS, row, stored.sealed))
    return content
