"""Code lists: data with a source each (`data/code_lists.yaml`), and the types that refer to them.

`Sex` and `SourceType` are lists too, and are enums here because they were first; the file must say
the same, and `code_lists` refuses to load when it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, core_schema

from shared.contracts.codes import HtType, Trigger
from shared.runtime.errors import Misconfigured, Wrong

LISTS = Path(__file__).parent / "data" / "code_lists.yaml"


class SourceType(StrEnum):
    """Who the report came from: seeds S0 and S2, the mandated reporters of CGS 17a-101, other."""

    DCF_SOCIAL_WORKER = "dcf_social_worker"
    LAW_ENFORCEMENT = "law_enforcement"
    LAW_ENFORCEMENT_ARREST = "law_enforcement_arrest"
    """An officer's report after an arrest under CGS 53a-82 (PA 11-180)."""
    EMS = "ems"
    CONGREGATE_CARE = "congregate_care"
    COURT = "court"
    PUBLIC_DEFENDER = "public_defender"
    NGO = "ngo"
    SCHOOL = "school"
    MEDICAL = "medical"
    MENTAL_HEALTH = "mental_health"
    FAMILY = "family"
    SELF_REPORT = "self_report"
    OTHER = "other"


class Sex(StrEnum):
    """As form DCF-136 asks for it, and what a caller may not know."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


_ENUMS: Mapping[str, type[StrEnum]] = {
    "sex": Sex,
    "source_type": SourceType,
    "ht_type": HtType,
    "trigger": Trigger,
}


class Code(BaseModel):
    """One code. `town`: where the place that it names lies."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    code: str = Field(pattern=r"^[A-Za-z0-9_]{1,40}$")
    label: str = Field(min_length=1)
    town: str | None = None


class CodeList(BaseModel):
    """A list and where it comes from."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str = Field(pattern=r"^[a-z_]{1,40}$")
    title: str = Field(min_length=1)
    source: str = Field(min_length=1)
    codes: tuple[Code, ...] = Field(min_length=1, strict=False)

    def __contains__(self, code: object) -> bool:
        return any(each.code == code for each in self.codes)


class CodeLists(BaseModel):
    """Every list, as served by GET /v1/code-lists."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    version: str
    lists: tuple[CodeList, ...] = Field(strict=False)

    def __getitem__(self, name: str) -> CodeList:
        return next(each for each in self.lists if each.name == name)


def load_code_lists(path: Path = LISTS) -> CodeLists:
    """Read and check the file. Raises Misconfigured, which says what is wrong with it."""
    try:
        found = CodeLists.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        raise Misconfigured(f"{path}: {place}: {first['msg']}.") from None
    _check(found, path)
    return found


@cache
def code_lists() -> CodeLists:
    """The shipped lists, read once. The service asks for them before it takes its first request."""
    return load_code_lists()


def town_of(list_name: str, code: str | None) -> str | None:
    """The town in which the place that a code names lies, where the list says so."""
    return next((each.town for each in code_lists()[list_name].codes if each.code == code), None)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The type of a field that holds a code of a list: `Annotated[str, OneOf("venue")]`."""

    name: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        codes = [each.code for each in code_lists()[self.name].codes]
        return {"type": "string", "enum": codes, "x-code-list": self.name}

    def _check(self, code: str) -> str:
        if code not in code_lists()[self.name]:
            raise Wrong(f"must be a code of the list {self.name}, see GET /v1/code-lists")
        return code


def _check(found: CodeLists, path: Path) -> None:
    names = [each.name for each in found.lists]
    if doubled := _doubled(names):
        raise Misconfigured(f"{path}: the list {doubled} is there twice.")
    for each in found.lists:
        codes = [code.code for code in each.codes]
        if twice := _doubled(codes):
            raise Misconfigured(f"{path}: {each.name} has {twice} twice.")
        enum = _ENUMS.get(each.name)
        if enum is not None and set(codes) != set(enum):
            raise Misconfigured(f"{path}: {each.name} must hold exactly the codes of {enum}.")


def _doubled(names: list[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
