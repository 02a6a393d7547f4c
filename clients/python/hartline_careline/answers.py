"""What Hartline answers. Members that are added later are ignored."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Referral:
    """How a referral stands. `number` is what one says on the phone."""

    referral_id: str
    number: str
    version: int
    received_at: datetime
    recorded_at: datetime
    backdated: bool
    child_ids: tuple[str, ...]

    @classmethod
    def read(cls, told: Any) -> Self:
        return cls(
            referral_id=str(told["referral_id"]),
            number=str(told["number"]),
            version=int(told["version"]),
            received_at=datetime.fromisoformat(told["received_at"]),
            recorded_at=datetime.fromisoformat(told["recorded_at"]),
            backdated=bool(told["backdated"]),
            child_ids=tuple(str(child["child_id"]) for child in told["children"]),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """How a call stands: `open`, `abandoned`, `finished` or `closed`."""

    call_id: str
    standing: str
    version: int
    received_at: datetime
    saved_at: datetime
    backdated: bool

    @classmethod
    def read(cls, told: Any) -> Self:
        return cls(
            call_id=str(told["call_id"]),
            standing=str(told["standing"]),
            version=int(told["version"]),
            received_at=datetime.fromisoformat(told["received_at"]),
            saved_at=datetime.fromisoformat(told["saved_at"]),
            backdated=bool(told["backdated"]),
        )


@dataclass(frozen=True, slots=True)
class ListedCode:
    code: str
    label: str


@dataclass(frozen=True, slots=True)
class CodeList:
    """One list, with where it comes from."""

    name: str
    source: str
    codes: tuple[ListedCode, ...]

    @classmethod
    def read(cls, told: Any) -> Self:
        codes = tuple(ListedCode(str(one["code"]), str(one["label"])) for one in told["codes"])
        return cls(str(told["name"]), str(told["source"]), codes)
