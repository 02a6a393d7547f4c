"""The audit service over HTTP. Every read is an entry before its answer, but the checkpoint's."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from services.audit import cosignature_store, reading, store
from services.audit.checkpoint_api import checkpoint_routes
from services.audit.leaf import Asked
from services.audit.note import encode_base64
from services.audit.reading import Reader
from services.audit.schemas import DisclosureBody, DisclosureEntry, EntryBody
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.problem import Problem, not_found

_Caller = Annotated[Principal, Depends(require("audit:read"))]
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_DISCLOSURE = re.compile(r"dsc_[0-9a-f]{32}", re.ASCII)


def routes(db: Database) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/checkpoint", response_class=PlainTextResponse)
    async def checkpoint(_: _Caller) -> PlainTextResponse:
        """The latest signed checkpoint, a C2SP note. It says nothing of anybody: no entry."""
        async with db.transaction() as session:
            latest = await store.latest_checkpoint(session)
            if latest is None:
                raise Problem(
                    503,
                    "Service Unavailable",
                    "Nothing has been signed yet.",
                    headers={"Retry-After": "1"},
                )
            latest = await cosignature_store.with_lines(session, latest)
        return PlainTextResponse(latest.note)

    @router.get("/entries/{index}")
    async def entry(index: str, caller: _Caller) -> EntryBody:
        """One entry, with the exact bytes of its leaf."""
        number = _number(index)
        async with db.transaction() as session:
            found = await reading.entry(session, number)
            of = reading.named_in([found] if found else [])
            await reading.record(session, _reader(caller), Asked.ENTRY, index, of=of)
        if found is None:
            raise not_found()
        return EntryBody(
            index=found.index,
            kind=found.kind,
            leaf=encode_base64(found.leaf),
            leaf_hash=found.leaf_hash.hex(),
            sequenced_at=found.sequenced_at,
        )

    @router.get("/entries/{index}/proof", response_class=PlainTextResponse)
    async def proof(index: str, caller: _Caller) -> PlainTextResponse:
        """A C2SP tlog-proof of one entry against the latest checkpoint."""
        number = _number(index)
        async with db.transaction() as session:
            entry = await reading.entry(session, number)
            of = reading.named_in([entry] if entry else [])
            await reading.record(session, _reader(caller), Asked.PROOF, index, of=of)
            found = await reading.proof(session, number)
        if found is None:
            raise not_found()
        return PlainTextResponse(found)

    @router.get("/disclosures/{disclosure_id}")
    async def disclosure(disclosure_id: str, caller: _Caller) -> DisclosureBody:
        """Where the log holds a disclosure and its outcomes."""
        if not _DISCLOSURE.fullmatch(disclosure_id):
            raise not_found()
        async with db.transaction() as session:
            found = await reading.of_disclosure(session, disclosure_id)
            first = await reading.entry(session, found[0][0]) if found else None
            of = reading.named_in([first] if first else [])
            asked = Asked.DISCLOSURE
            await reading.record(session, _reader(caller), asked, disclosure_id, of=of)
        if not found:
            raise not_found()
        entries = [DisclosureEntry(index=index, kind=kind) for index, kind in found]
        return DisclosureBody(disclosure_id=disclosure_id, entries=entries)

    router.include_router(checkpoint_routes(db))
    return router


def _number(index: str) -> int:
    if not _INDEX.fullmatch(index):
        raise not_found()
    return int(index)


def _reader(caller: Principal) -> Reader:
    return Reader(caller.subject, caller.person)
