"""What is recorded of a child beside its document, sealed under the same key for its own row."""

import json
from collections.abc import Mapping
from typing import Any

from shared.runtime.sealing import Sealer, WrappedKey


class Notes:
    """Seals and opens small JSON objects. `table` and `row` are what the seal is bound to."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def new_key(self) -> WrappedKey:
        """A key for what belongs to no child."""
        return self._sealer.new_key()

    def seal(self, key: WrappedKey, table: str, row: str, note: Mapping[str, Any]) -> bytes:
        known = {name: value for name, value in note.items() if value is not None}
        plaintext = json.dumps(known, ensure_ascii=False, separators=(",", ":")).encode()
        return self._sealer.seal(key, f"intake.{table}", row, plaintext)

    def open(self, key: WrappedKey, table: str, row: str, sealed: bytes) -> dict[str, Any]:
        """Raises Unsealable."""
        note: dict[str, Any] = json.loads(self._sealer.open(key, f"intake.{table}", row, sealed))
        return note
