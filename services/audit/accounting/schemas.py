"""Bodies of the accounting's requests and answers."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.audit.accounting.asking import Accounting, Purpose
from services.audit.accounting.fields import Citation, Moment, RowId
from services.audit.accounting.rows import How, Outcome
from services.audit.accounting.withholding import Audience, Ground, Shown, Withholding
from services.audit.note import encode_base64
from shared.contracts.base import Name, OpaqueId


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RowOut(BaseModel):
    """One disclosure, read or refusal, with everything as of that entry."""

    id: str
    how: How
    outcome: Outcome
    at: datetime
    entries: list[int] = Field(description="Indexes in the log.")
    referral_id: str | None
    child_ids: list[str]
    agency_id: str | None
    agency: str | None = Field(description="Its name as of this entry; null: not known now.")
    role: str | None
    recipient_id: str | None
    actor: str | None
    actor_kind: str | None
    fields: list[str]
    authority: str | None = Field(description="The law, as it was cited.")
    purpose: str | None
    reason: str | None
    rule: str | None
    rules_version: str | None
    directory_version: int | None
    version: int | None
    http_status: int | None
    reporter_protected: bool
    withheld_from_others: Ground | None


class WithheldOut(BaseModel):
    """How many rows are withheld, and why; nothing else of them."""

    ground: Ground
    citation: str
    rows: int


class ProofOut(BaseModel):
    index: int
    leaf: str = Field(description="The exact bytes of the leaf, in base64.")
    proof: str = Field(description="A C2SP tlog-proof against the checkpoint within.")


class AccountingOut(BaseModel):
    """Who saw what of this person, when, by what right (CGS 4-193)."""

    child_id: str
    children: list[str] = Field(description="Ids of the same person, as a person confirmed.")
    content_destroyed: list[str] = Field(description="Those of them whose content is destroyed.")
    audience: Audience
    purpose: str
    answered_at: datetime
    entries: int = Field(description="How many entries the log had: this is as of then.")
    names_known: bool = Field(description="False: the directory did not answer; ids must do.")
    suspended_until: datetime | None
    rows: list[RowOut]
    withheld: list[WithheldOut]
    proofs: list[ProofOut]


class WithholdingIn(_Body):
    """Rows withheld, by their `id`; no `disclosure_ids`: all of this person's, under whichever
    id. `until` and `agency_id` make it a suspension."""

    ground: Ground
    citation: Citation
    disclosure_ids: list[RowId] = Field([], max_length=200)
    agency_id: OpaqueId | None = None
    until: Moment | None = None


class WithholdingOut(BaseModel):
    withholding_id: str
    child_id: str
    disclosure_ids: list[str]
    ground: Ground
    citation: str
    agency_id: str | None
    until: datetime | None
    withheld_by: str
    withheld_at: datetime
    lift_asked_by: str | None
    lifted_at: datetime | None
    due: bool = Field(description="It has expired: answer whoever waited, then lift it.")


class WithholdingsOut(BaseModel):
    withholdings: list[WithholdingOut]
    next: str | None = None


class SearchIn(_Body):
    """What all found entries have in common. `since` and `before`: when the log took them."""

    purpose: Purpose
    subject: OpaqueId | None = None
    agency_id: OpaqueId | None = None
    actor: Name | None = None
    authority: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    since: Moment | None = None
    before: Moment | None = None
    after: int = Field(-1, ge=-1, le=2**62, description="Cursor: the `next` of the last answer.")
    limit: int = Field(100, ge=1, le=500)


class FoundOut(BaseModel):
    """An entry: what it records, of whom, and to whom."""

    index: int
    kind: str
    sequenced_at: datetime
    referral_id: str | None
    child_ids: list[str]
    disclosure_id: str | None
    agency_id: str | None
    actor: str | None
    authority: str | None
    purpose: str | None


class SearchOut(BaseModel):
    found: list[FoundOut]
    next: int | None


def accounting_out(made: Accounting) -> AccountingOut:
    names = made.names if made.names is not None else [None] * len(made.shown)
    kinds: dict[tuple[Ground, str], int] = {}
    for each in made.withheld:
        kinds[each.ground, each.citation] = kinds.get((each.ground, each.citation), 0) + 1
    whole = made.question.audience is Audience.OFFICER
    return AccountingOut(
        child_id=made.question.child_id,
        children=list(made.subjects.child_ids) if whole else [made.question.child_id],
        content_destroyed=list(made.subjects.shredded) if whole else [],
        audience=made.question.audience,
        purpose=made.question.purpose.value,
        answered_at=made.answered_at,
        entries=made.checkpoint.size if made.checkpoint else 0,
        names_known=made.names is not None,
        suspended_until=made.suspended_until if whole else None,
        rows=[row_out(each, name) for each, name in zip(made.shown, names, strict=True)],
        withheld=[
            WithheldOut(ground=ground, citation=citation, rows=count)
            for (ground, citation), count in kinds.items()
        ],
        proofs=[
            ProofOut(index=each.index, leaf=encode_base64(each.leaf), proof=each.proof)
            for each in made.proofs
        ],
    )


def row_out(shown: Shown, name: str | None) -> RowOut:
    row = shown.row
    return RowOut(
        id=row.id,
        how=row.how,
        outcome=row.outcome,
        at=row.at,
        entries=list(row.indexes),
        referral_id=row.referral_id,
        child_ids=list(row.child_ids),
        agency_id=row.agency_id,
        agency=name,
        role=row.role,
        recipient_id=row.recipient_id,
        actor=row.actor,
        actor_kind=row.actor_kind,
        fields=list(row.fields),
        authority=row.authority,
        purpose=row.purpose,
        reason=row.reason,
        rule=row.rule,
        rules_version=row.rules_version,
        directory_version=row.directory_version,
        version=row.version,
        http_status=row.http_status,
        reporter_protected=shown.reporter_protected,
        withheld_from_others=shown.withheld_from_others,
    )


def withholding_out(held: Withholding, now: datetime) -> WithholdingOut:
    return WithholdingOut(
        withholding_id=held.withholding_id,
        child_id=held.child_id,
        disclosure_ids=list(held.disclosure_ids),
        ground=held.ground,
        citation=held.citation,
        agency_id=held.agency_id,
        until=held.until,
        withheld_by=held.withheld_by,
        withheld_at=held.withheld_at,
        lift_asked_by=held.lift_asked_by,
        lifted_at=held.lifted_at,
        due=held.due(now),
    )
