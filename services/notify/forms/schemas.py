"""The two JSON shapes: form DCF-737 in all its kinds, and form DCF-823.

Published in docs/partners as JSON Schemas. Both are what the envelope's plaintext holds; within a
`form_version` members are only added.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from services.notify.forms.child import Child, Moment, Part, Text
from services.notify.forms.kinds import PARTS, RULES, ChildPart, FormKind
from shared.runtime.errors import Misconfigured

VERSION = "2026-1"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Recipient(Part):
    """Whom this copy is for, and nobody else."""

    agency_id: Text
    role: Text = Field(title="As")
    name: Text | None = Field(None, title="For")


class Change(Part):
    """One field that is not as it was. What it was is not said."""

    field: Text = Field(description="Its path within `child`, such as `parents.phone`.")
    change: Literal["added", "changed", "removed"]


class Withdrawal(Part):
    cause: Text = Field(
        title="Why", description="false_report, mistaken_report, entered_in_error, …"
    )
    withdrawn_at: Moment | None = Field(None, title="Withdrawn")


class Recall(Part):
    """A notice was sent to the wrong recipient."""

    notice_id: Text = Field(title="Recalled notice")
    recalled_at: Moment | None = Field(None, title="Recalled")


class Consult(Part):
    """What a HART consult came to, for the MDT (policy 21-14)."""

    consult_id: Text | None = Field(None, title="Consult")
    level: Text = Field(title="Decision Map level")
    scale: Text | None = Field(None, title="Scale")
    requested_at: Moment | None = Field(None, title="Requested")
    completed_at: Moment | None = Field(None, title="Completed")
    narrative: Text | None = Field(None, title="Outcome")


class Related(Part):
    """Of one matter with a referral that its recipient was told of before."""

    referral_number: Text = Field(title="Told under referral")
    notice_id: Text | None = Field(None, title="By notice")
    relation: Text | None = Field(None, title="Relation")


class Incident(Part):
    """Exceptional circumstance, critical incident (policies 21-14 and 22-1-2)."""

    incident_id: Text | None = Field(None, title="Incident")
    incident_type: Text = Field(title="Type of incident")
    standing: Text | None = Field(None, title="Standing")
    incident_at_text: Text | None = Field(None, title="When it happened")
    legal_status: Text | None = Field(None, title="Legal status")
    placement: Text | None = Field(None, title="Placement")
    narrative: Text | None = Field(None, title="Narrative")


class _Form(Part):
    form_version: Literal["2026-1"]
    notice_id: Text = Field(title="Notice")
    version: int = Field(ge=1, title="Version")
    supersedes: int | None = Field(title="Replaces version")
    revision: int | None = Field(
        None,
        ge=1,
        title="Revision",
        description="Of one version the higher revision counts: a decision on it was changed.",
    )
    referral_number: Text = Field(title="Referral")
    trigger: Text = Field(title="Triggered by")
    received_at: AwareDatetime = Field(title="Report received by DCF")
    recipient: Recipient
    authority: Text = Field(title="Authority")
    purpose: Text = Field(title="Purpose")
    confidentiality: Text
    redisclosure: Text
    changes: list[Change] | None = Field(
        None, description="A correction's: what changed since the version that it replaces."
    )
    padding: str | SkipJsonSchema[None] = Field(
        None, pattern="^0*$", description="Fills the plaintext up; ignore it."
    )


class Dcf737(_Form):
    """Notice of alleged human trafficking of a child."""

    form: Literal["DCF-737"]
    kind: FormKind
    child: Child | None = None
    withdrawal: Withdrawal | None = None
    recall: Recall | None = None
    consult: Consult | None = None
    related: Related | None = None

    @model_validator(mode="after")
    def _as_its_kind_allows(self) -> Self:
        rule = RULES[self.kind]
        if any((getattr(self, part) is not None) != (part == rule.part) for part in PARTS):
            raise ValueError("holds exactly the part that its kind is about")
        if (self.child is None) != (rule.child is ChildPart.NONE) and (
            rule.child is not ChildPart.REFERENCE
        ):
            raise ValueError("holds a child, or none, as its kind asks")
        if rule.child is ChildPart.REFERENCE and self.child and _beyond_id(self.child):
            raise ValueError("says of the child its reference only")
        return self


class Dcf823(_Form):
    """Exceptional circumstance: critical incident."""

    form: Literal["DCF-823"]
    kind: Literal["original", "correction"]
    child: Child
    incident: Incident


def _which(form: object) -> str | None:
    return form.get("form") if isinstance(form, dict) else None


# A discriminator by name would show, in its error, what stood there.
_WHICH = Discriminator(
    _which, custom_error_type="form", custom_error_message="`form` must be DCF-737 or DCF-823"
)
_ADAPTER: TypeAdapter[Dcf737 | Dcf823] = TypeAdapter(
    Annotated[
        Annotated[Dcf737, Tag("DCF-737")] | Annotated[Dcf823, Tag("DCF-823")],
        _WHICH,
    ],
    config=ConfigDict(hide_input_in_errors=True),
)
PUBLISHED: dict[str, type[_Form]] = {"dcf-737": Dcf737, "dcf-823": Dcf823}


def read(form: bytes | str) -> Dcf737 | Dcf823:
    """A form from its JSON. Raises pydantic.ValidationError, which shows none of it."""
    return _ADAPTER.validate_json(form)


def published(name: str) -> str:
    """The JSON Schema of `dcf-737` or `dcf-823`, as it stands in docs/partners."""
    if name not in PUBLISHED:
        raise Misconfigured(f"There is no form {name}: {' or '.join(PUBLISHED)}.")
    model = PUBLISHED[name]
    schema: dict[str, Any] = {"$schema": _DIALECT, **model.model_json_schema()}
    if model is Dcf737:
        schema["allOf"] = [_condition(kind) for kind in FormKind]
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _condition(kind: FormKind) -> dict[str, Any]:
    rule = RULES[kind]
    absent = [part for part in sorted(PARTS) if part != rule.part]
    required = [] if rule.part is None else [rule.part]
    then: dict[str, Any] = {"properties": dict.fromkeys(absent, False)}
    match rule.child:
        case ChildPart.WHOLE:
            required.append("child")
        case ChildPart.NONE:
            then["properties"]["child"] = False
        case ChildPart.REFERENCE:
            then["properties"]["child"] = {"maxProperties": 1, "required": ["child_id"]}
    if required:
        then["required"] = required
    return {"if": {"properties": {"kind": {"const": kind.value}}}, "then": then}


def _beyond_id(child: Child) -> bool:
    return bool(child.model_dump(exclude_none=True).keys() - {"child_id"})
