"""A plan with ids, and the rows that carry it out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.notify.delivery.commitment import Committer
from services.notify.planning.copies import open_copy, seal_copy
from services.notify.planning.intake_client import Content, ProjectedChild, Projection
from services.notify.planning.new_notice import NewNotice
from services.notify.planning.occasion import (
    Occasion,
    PlanRows,
    Row,
    about,
    delivery_row,
    refusal_row,
    related_row,
)
from services.notify.planning.plan import Plan
from services.notify.routing.choosing import Gap
from services.notify.routing.facts_read import FACTS
from services.notify.routing.routes import Matter, Refused, Route, Suppressed
from shared.contracts.codes import NoticeKind, Role, Trigger
from shared.runtime import tracing
from shared.runtime.ids import new_id
from shared.runtime.sealing import Sealer, WrappedKey

Copies = Mapping[str, Mapping[str, Content]]
"""child id → profile → the copy."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan whose every leg has the id of its notice, made or refused."""

    occasion: Occasion
    plan: Plan
    told: Mapping[str, NewNotice]
    refused: Mapping[str, Refused]
    withheld: Mapping[str, Refused]
    suppressed: Mapping[str, Suppressed]
    unresolved: tuple[str, ...]
    """Children of whose towns a person must find out more."""
    unnamed: tuple[str, ...] = ()
    """Children in whose matter nobody knows whose officer is implicated."""
    matters: tuple[Matter, ...] = ()
    gaps: Mapping[str, tuple[Gap, ...]] = field(default_factory=dict)

    def stand_ins(self) -> Iterator[tuple[str, str, str, Role]]:
        """(notice, child, agency, role): notices that count for one more role."""
        ids = {(n.child_id, n.agency_id): notice_id for notice_id, n in self.told.items()}
        for each in self.plan.stand_ins:
            yield ids[each.child_id, each.agency_id], each.child_id, each.agency_id, each.role


def draft(plan: Plan, route: Route, occasion: Occasion) -> Draft:
    """Give every leg its id: 128 random bits, for partners see it."""
    return Draft(
        occasion,
        plan,
        told={new_id("ntc"): notice for notice in plan.notices},
        refused={new_id("ntc"): leg for leg in plan.refused},
        withheld={new_id("ntc"): leg for leg in plan.withheld},
        suppressed={new_id("ntc"): leg for leg in plan.suppressed},
        unresolved=route.unresolved,
        unnamed=route.unnamed,
        matters=route.matters,
        gaps=route.gaps,
    )


@dataclass(frozen=True, slots=True)
class Heading:
    """What every notice of a referral version says of it."""

    number: str
    trigger: Trigger
    received_at: datetime
    synthetic: bool


class Clerk:
    """Turns drafts into rows: seals the copies under each child's key, commits to each content."""

    def __init__(self, sealer: Sealer, committer: Committer) -> None:
        self._sealer = sealer
        self._committer = committer

    def rows(
        self, draft: Draft, projection: Projection, known: Mapping[str, WrappedKey]
    ) -> PlanRows:
        """`known`: the data keys that the referral's children already have.

        Raises KeyError when the projection lacks a copy that the plan needs.
        """
        copies = {child.child_id: child.copies for child in projection.children}
        needed = {pair for n in draft.told.values() for pair in _needed(n, draft.occasion)}
        children = [child.child_id for child in projection.children]
        new = {child: self._sealer.new_key() for child in sorted(children) if child not in known}
        keys = {**known, **new}
        return PlanRows(
            child_keys=[_key_row(child, key) for child, key in new.items()],
            copies=[
                self._copy_row(keys[child], child, projection.version, profile, copies)
                for child, profile in sorted(needed)
            ]
            + [
                self._facts_row(keys[each.child_id], each, projection)
                for each in projection.children
            ],
            notices=list(self._notice_rows(draft, projection, copies)),
            deliveries=[
                delivery_row(id_, each, draft.occasion) for id_, each in draft.told.items()
            ],
            refusals=list(_refusal_rows(draft)),
            stand_ins=list(_stand_in_rows(draft)),
        )

    def bare_rows(self, draft: Draft, heading: Heading) -> PlanRows:
        """Of a plan whose notices hold no copy of anybody."""
        return PlanRows(
            child_keys=[],
            copies=[],
            notices=[
                self.notice_row(id_, each, draft.occasion, heading, {})
                for id_, each in draft.told.items()
            ],
            deliveries=[
                delivery_row(id_, each, draft.occasion) for id_, each in draft.told.items()
            ],
            refusals=list(_refusal_rows(draft)),
            stand_ins=[],
        )

    def _facts_row(self, key: WrappedKey, child: ProjectedChild, projection: Projection) -> Row:
        """What it was routed by, for replays and substitutes; sealed, for it names towns (P5)."""
        facts = child.facts.model_dump(mode="json", exclude_defaults=True)
        version = projection.version
        return self._copy_row(key, child.child_id, version, FACTS, {child.child_id: {FACTS: facts}})

    def _copy_row(
        self, key: WrappedKey, child_id: str, version: int, profile: str, copies: Copies
    ) -> Row:
        copy = copies[child_id][profile]
        return {
            "child_id": child_id,
            "version": version,
            "profile": profile,
            "sealed": seal_copy(self._sealer, key, child_id, version, profile, copy),
        }

    def _notice_rows(self, draft: Draft, projection: Projection, copies: Copies) -> Iterator[Row]:
        heading = Heading(
            projection.number, projection.trigger, projection.received_at, projection.synthetic
        )
        for notice_id, notice in draft.told.items():
            content: Content = {}
            for child_id, name in _needed(notice, draft.occasion):
                content |= copies[child_id][name]
            yield self.notice_row(notice_id, notice, draft.occasion, heading, content)

    def notice_row(
        self, notice_id: str, notice: NewNotice, occasion: Occasion, heading: Heading, copy: Content
    ) -> Row:
        """Of the table notices; `copy` is what its recipient will see."""
        copy = {**copy, **about(notice)}
        return {
            "notice_id": notice_id,
            "referral_id": occasion.referral_id,
            "referral_number": heading.number,
            "child_id": notice.child_id,
            "agency_id": notice.agency_id,
            "role": notice.role.value,
            "version": occasion.version,
            "kind": notice.kind.value,
            "supersedes": notice.supersedes,
            "trigger": heading.trigger.value,
            "profile": notice.profile,
            "fields": sorted(set(field_names(copy))),
            "commitment": self._committer.over(notice_id, copy),
            "authority": notice.authority,
            "purpose": notice.purpose,
            "rule": notice.rule,
            "because": notice.because,
            "rules_version": occasion.rules_version,
            "directory_version": occasion.directory_version,
            "received_at": heading.received_at,
            "planned_at": occasion.now,
            "synthetic": heading.synthetic,
            "series": occasion.series,
            "revision": occasion.revision,
            "form": notice.form.value,
            "part": None if notice.profile is None else occasion.part(notice.form),
            "cause": notice.cause,
            "recalls": notice.recalls,
            **related_row(notice),
            "traceparent": tracing.parent_of(occasion.referral_id),
        }

    def commit(self, about: str, content: Content) -> str:
        """To something that was told of a child without any notice."""
        return self._committer.over(about, content)

    def open_copy(
        self, key: WrappedKey, child_id: str, version: int, profile: str, sealed: bytes
    ) -> Content:
        """A copy as it was sealed, or the facts (`FACTS`). Raises Unsealable."""
        return open_copy(self._sealer, key, child_id, version, profile, sealed)


def field_names(copy: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """The names of the fields that a copy discloses: `ht_type`, `parents.name`; never a value."""
    for name, value in copy.items():
        parts = value if isinstance(value, list) else [value]
        nested = [part for part in parts if isinstance(part, dict)]
        if not nested:
            yield prefix + name
        for part in nested:
            yield from field_names(part, f"{prefix}{name}.")


def _needed(notice: NewNotice, occasion: Occasion) -> Iterator[tuple[str, str]]:
    """(child, name) of what is sealed for a notice: its profile's copy, and its form's own part."""
    if notice.profile is None:
        return
    yield notice.child_id, notice.profile
    part = occasion.part(notice.form)
    if part is not None:
        yield notice.child_id, part


def _key_row(child_id: str, key: WrappedKey) -> Row:
    return {"child_id": child_id, "kek_version": key.kek_version, "wrapped": key.wrapped}


def _refusal_rows(draft: Draft) -> Iterator[Row]:
    legs: list[tuple[str, Refused | Suppressed]]
    legs = [*draft.refused.items(), *draft.suppressed.items()]
    for notice_id, leg in legs:
        yield refusal_row(notice_id, leg, NoticeKind.ORIGINAL, draft.occasion)
    for notice_id, withheld in draft.withheld.items():
        yield refusal_row(notice_id, withheld, draft.occasion.withheld_kind, draft.occasion)


def _stand_in_rows(draft: Draft) -> Iterator[Row]:
    for notice_id, _, _, role in draft.stand_ins():
        yield {"notice_id": notice_id, "role": role.value, "planned_at": draft.occasion.now}
