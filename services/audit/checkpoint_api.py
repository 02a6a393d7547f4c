"""Checkpoints beyond the newest, over HTTP. They say nothing of anybody, so reading is no entry."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import PlainTextResponse

from services.audit import cosignature_store, store
from services.audit.witness.rules import format_request
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.problem import not_found

_Caller = Annotated[Principal, Depends(require("audit:read"))]
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def checkpoint_routes(db: Database) -> APIRouter:
    router = APIRouter()

    @router.get("/checkpoint/witnessed", response_class=PlainTextResponse)
    async def witnessed(_: _Caller) -> PlainTextResponse:
        """The newest checkpoint that a witness has cosigned, with the cosignatures."""
        async with db.transaction() as session:
            found = await cosignature_store.latest_cosigned(session)
        if found is None:
            raise not_found()
        return PlainTextResponse(found.note)

    @router.get("/checkpoint/since/{size}", response_class=PlainTextResponse)
    async def consistency(size: str, _: _Caller) -> PlainTextResponse:
        """The newest checkpoint, and the proof that its tree begins with the first `size` entries.

        In the form of a C2SP add-checkpoint request: `old SIZE`, a hash a line, an empty line,
        the checkpoint. Whoever kept the checkpoint of `size` can check it against that.
        """
        if not _SIZE.fullmatch(size):
            raise not_found()
        async with db.transaction() as session:
            latest = await store.latest_checkpoint(session)
            if latest is None or int(size) > latest.size:
                raise not_found()
            proof = await store.consistency(session, int(size), latest.size)
            latest = await cosignature_store.with_lines(session, latest)
        return PlainTextResponse(format_request(int(size), proof, latest.note))

    return router
