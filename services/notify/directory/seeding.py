"""The sample directory: agencies of a JSON file, marked as samples. Never for production."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.notify.directory import store as directory_store
from services.notify.directory.authority import today
from services.notify.directory.entries import SampleEntry
from services.notify.directory.history import Term, changed_fields, in_force
from shared.runtime.db import Database, Session
from shared.runtime.errors import Misconfigured
from shared.runtime.ids import utc_now


async def seed_samples(db: Database, path: Path) -> tuple[int, int]:
    """Put the file's agencies into the directory. (How many, the directory's version.)

    Idempotent, and what people have changed since stays changed. Raises Misconfigured, naming the
    entry and the field, and changes nothing.
    """
    entries = _parse(path)
    async with db.transaction() as session:
        version = await put(session, entries, utc_now())
    return len({entry.agency_id for entry in entries}), version


async def put(session: Session, entries: list[SampleEntry], now: datetime) -> int:
    """What of them is not on file yet, as one new version; the version afterwards."""
    version = await directory_store.lock_version(session)
    known = await directory_store.terms(session, {entry.agency_id for entry in entries})
    changes = _new_terms(known, entries, version + 1)
    if not changes:
        return version
    return await directory_store.record(session, changes, before=version, today=today(now), now=now)


def _new_terms(
    known: Iterable[Term], entries: Iterable[SampleEntry], version: int
) -> dict[tuple[str, date], dict[str, Any]]:
    """What of the file is not on file on its day, oldest day first."""
    by_agency: dict[str, list[Term]] = {}
    for term in known:
        by_agency.setdefault(term.agency_id, []).append(term)
    changes = {}
    for entry in sorted(entries, key=lambda entry: entry.effective):
        terms = by_agency.setdefault(entry.agency_id, [])
        before = in_force(terms, entry.effective).get(entry.agency_id)
        if fields := changed_fields(before, entry.plain()):
            changes[entry.agency_id, entry.effective] = fields
            terms.append(Term(entry.agency_id, version, entry.effective, fields))
    return changes


def _parse(path: Path) -> list[SampleEntry]:
    try:
        entries = TypeAdapter(list[SampleEntry]).validate_python(json.loads(path.read_bytes()))
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read ({error.strerror}).") from None
    except ValidationError as error:
        detail = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in detail["loc"])
        raise Misconfigured(f"{path}: {where or 'file'}: {detail['msg']}.") from None
    except ValueError:
        raise Misconfigured(f"{path} is not JSON.") from None
    if len({(entry.agency_id, entry.effective) for entry in entries}) != len(entries):
        raise Misconfigured(f"{path}: two entries have the same agency_id and day.")
    return entries
