"""A keyed commitment to what a notice holds, for the disclosure record."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

from shared.runtime.keys import load_versions


class Committer:
    """Commits under notify's own key: without it a content cannot be guessed from its digest."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def load(cls, directory: Path) -> "Committer":
        """The newest `commitment-N.key`. Raises Misconfigured."""
        versions = load_versions(directory, "commitment")
        return cls(versions[max(versions)])

    def over(self, notice_id: str, copy: Mapping[str, object]) -> str:
        """HMAC-SHA256 over the notice's id and its content; an empty copy has one too."""
        content = json.dumps(copy, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        message = f"{notice_id}\n{content}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()
