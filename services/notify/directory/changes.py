"""Changing the directory: a draft against what is in force, and what approving it does."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from services.notify.directory import store as directory_store
from services.notify.directory import undone_store
from services.notify.directory.agencies import Kind
from services.notify.directory.authority import today
from services.notify.directory.difference import EntryChange, lines, real_changes, summary
from services.notify.directory.entries import AgencyEntry, NewEntry
from services.notify.directory.history import changed_fields, in_force
from services.notify.directory.losses import NOTHING, Losses, losses
from services.notify.proposals import store as proposal_store
from services.notify.proposals.proposal import OutOfDate, Proposable, Proposal, ProposalKind
from services.notify.tasks import store as task_store
from services.notify.tasks.directory_tasks import directory_changed, directory_put_back
from services.notify.tasks.task import NewTask
from shared.runtime.db import Session
from shared.runtime.errors import Wrong

Fields = Mapping[str, Any]


class Invalid(Exception):
    """Nothing of the draft can be used."""

    def __init__(self, errors: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        """`errors` by place among the changes, as pydantic has them."""
        super().__init__(len(errors))
        self.errors = tuple(errors)


class Unsaid(Exception):
    """It leaves nobody of a kind that every referral must reach, and does not say so."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(", ".join(kinds))

    def __str__(self) -> str:
        return (
            f"it leaves the whole state without {self.args[0]}; if that is meant, name each kind "
            "in leaves_without"
        )


def draft(
    known: Mapping[str, AgencyEntry], changes: Sequence[Fields], new_id: Callable[[], str]
) -> list[EntryChange]:
    """What the changes make of what is in force on their day; those that change nothing left out.

    A change names an agency by `agency_id` or `code`, and the fields that become different; one
    whose code nobody has is a new agency. Raises Invalid.
    """
    by_code = {entry.code: entry for entry in known.values() if entry.code}
    drafted: list[EntryChange] = []
    errors: list[tuple[int, Mapping[str, Any]]] = []
    for place, fields in enumerate(changes):
        before = known.get(str(fields.get("agency_id"))) or by_code.get(str(fields.get("code")))
        try:
            drafted.append(EntryChange(before, _after(before, fields, new_id)))
        except ValidationError as error:
            errors += [(place, each) for each in error.errors(include_url=False)]
    if not errors:
        errors = _clashes(known, drafted)
    if errors:
        raise Invalid(errors)
    return real_changes(drafted)


def _after(before: AgencyEntry | None, fields: Fields, new_id: Callable[[], str]) -> AgencyEntry:
    """A new one needs a code: without one, the next file that names it would add it again."""
    if before is None:
        given = {"agency_id": new_id(), **fields, "code": fields.get("code") or ""}
    else:
        given = {**before.stored(), **fields, "agency_id": before.agency_id}
        if "kind" in fields and "profile" not in fields:
            given["profile"] = None
    return NewEntry.model_validate(given).plain()


def _clashes(
    known: Mapping[str, AgencyEntry], drafted: Sequence[EntryChange]
) -> list[tuple[int, Mapping[str, Any]]]:
    """Two agencies of one code, one agency twice, a code that was changed, and names of nobody."""
    taken = {entry.code: id_ for id_, entry in known.items() if entry.code}
    seen: set[str] = set()
    errors = []
    for place, change in enumerate(drafted):
        entry = change.after
        if entry.agency_id in seen:
            errors.append((place, _error("agency_id", "this agency is among the changes twice")))
        if entry.code and taken.setdefault(entry.code, entry.agency_id) != entry.agency_id:
            errors.append((place, _error("code", "another agency has this code")))
        if change.before is not None and change.before.code not in (None, entry.code):
            errors.append((place, _error("code", "a code is for good: close it, and add another")))
        seen.add(entry.agency_id)
    return errors + _of_nobody(taken.keys(), drafted)


def _of_nobody(
    codes: Collection[str], drafted: Sequence[EntryChange]
) -> list[tuple[int, Mapping[str, Any]]]:
    """A conflict follows these codes: one that is mistyped would let somebody be told (P3)."""
    errors = []
    for place, change in enumerate(drafted):
        before = set(change.before.affiliations if change.before else ())
        named = [("affiliations", code) for code in change.after.affiliations if code not in before]
        named += [("successor", change.after.successor)] if change.after.successor else []
        errors += [
            (place, _error(field, f"no agency on file has the code {code}"))
            for field, code in named
            if code not in codes
        ]
    return errors


def _error(field: str, sentence: str) -> Mapping[str, Any]:
    wrong = Wrong(sentence)
    return {"type": "value_error", "loc": (field,), "msg": sentence, "ctx": {"error": wrong}}


def body(
    changes: Iterable[EntryChange],
    effective: date,
    lost: Losses = NOTHING,
) -> dict[str, Any]:
    """The proposal's body, which is JSON; what is lost in words, for whoever is to approve it."""
    return {
        "effective": effective.isoformat(),
        "losses": list(lost.lines),
        "leaves_without": lost.unsaid(()),
        "changes": [
            {
                "before": change.before and change.before.stored(),
                "after": change.after.stored(),
            }
            for change in changes
        ],
    }


def read_body(stored: Mapping[str, Any]) -> tuple[date, list[EntryChange]]:
    return date.fromisoformat(stored["effective"]), [
        EntryChange(
            each["before"] and AgencyEntry.model_validate(each["before"]),
            AgencyEntry.model_validate(each["after"]),
        )
        for each in stored["changes"]
    ]


def describe(stored: Mapping[str, Any]) -> list[str]:
    """The proposal's body in words."""
    effective, changes = read_body(stored)
    return lines(changes, effective, stored.get("losses", ()))


async def propose(
    session: Session,
    known: Mapping[str, AgencyEntry],
    changes: Sequence[EntryChange],
    effective: date,
    *,
    reason: str,
    by: str,
    now: datetime,
    leaves_without: Collection[Kind] = (),
) -> Proposal:
    """`leaves_without`: of whom it may leave nobody for the whole state. Raises Unsaid."""
    lost = losses(known, changes, max(effective, today(now)))
    if unsaid := lost.unsaid(leaves_without):
        raise Unsaid(unsaid)
    return await proposal_store.propose(
        session,
        ProposalKind.DIRECTORY,
        body(changes, effective, lost),
        summary=summary(changes),
        reason=reason,
        by=by,
        now=now,
    )


async def apply_changes(session: Session, proposal: Proposal, now: datetime) -> None:
    """The applier of proposals of the kind `directory`.

    1. Lock the version, and see that every agency is still as the proposal found it, and that
       it leaves nobody out whom it did not name.
    2. Record what changes; of today or before, it is in force with this commit.
    3. File a task per agency whose old contact must be told.

    Raises OutOfDate.
    """
    effective, changes = read_body(proposal.body)
    version = await directory_store.lock_version(session)
    found = in_force(await directory_store.terms(session), effective)
    if any(found.get(change.after.agency_id) != change.before for change in changes):
        raise OutOfDate
    said = map(Kind, proposal.body.get("leaves_without", ()))
    if losses(found, changes, max(effective, today(now))).unsaid(said):
        raise OutOfDate
    await directory_store.record(
        session,
        {
            (change.after.agency_id, effective): changed_fields(change.before, change.after)
            for change in changes
        },
        before=version,
        today=today(now),
        now=now,
        proposal_id=proposal.proposal_id,
    )
    watched = [change for change in changes if change.watched]
    undone = await undone_store.undone_by(session, watched)
    await task_store.file_tasks(
        session, [_to_tell(each, proposal.proposal_id, undone) for each in watched], now
    )


def _to_tell(change: EntryChange, proposal_id: str, undone: Mapping[str, str]) -> NewTask:
    agency_id = change.after.agency_id
    contact = change.before.contact if change.before else None
    if agency_id in undone:
        return directory_put_back(
            proposal_id, agency_id, change.watched, undone[agency_id], change.after.contact
        )
    return directory_changed(proposal_id, agency_id, change.watched, contact)


DIRECTORY_CHANGES = Proposable(apply_changes, describe)
