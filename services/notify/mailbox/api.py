"""The HTTP API of the mailbox: for a token that names an agency, and for nobody else.

What is unknown, another's or suppressed answers with the same 404 on every route (P10).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from services.notify.api import must_be, must_be_a_person
from services.notify.delivery.postroom import printed_form
from services.notify.delivery.webhook_secrets import new_secret, seal_secret
from services.notify.mailbox import history, receipts, secret_store, store
from services.notify.mailbox.answering import Answers, Speaker
from services.notify.mailbox.opening import Desk, Reader
from services.notify.mailbox.schemas import (
    AcknowledgementIn,
    AcknowledgementOut,
    ChangeOut,
    HistoryOut,
    ListedOut,
    MailboxOut,
    OpeningIn,
    ReceiptsIn,
    ReceiptsOut,
    ReturnIn,
    ReturnOut,
    SecretOut,
    VersionOut,
)
from services.notify.mailbox.shelf import Item
from shared.runtime.auth import Principal, require
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.problem import Problem, not_found
from shared.runtime.sealing import Sealer

_PAGE = 100
_PDF = "application/pdf"
_NOTICE = "/v1/mailbox/notices/{notice_id}"

Lister = Annotated[Principal, Depends(require("mailbox:list"))]
Opener = Annotated[Principal, Depends(require("mailbox:open"))]
Acknowledger = Annotated[Principal, Depends(require("mailbox:acknowledge"))]
Keeper = Annotated[Principal, Depends(require("mailbox:secret"))]
Number = Annotated[int, Query(ge=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """What the routes work with."""

    db: Database
    sealer: Sealer
    desk: Desk
    answers: Answers


def mailbox_router(mailboxes: Mailboxes) -> APIRouter:
    """Every route of the mailbox."""
    routes = APIRouter()
    _add_lists(routes, mailboxes)
    _add_opening(routes, mailboxes)
    _add_answers(routes, mailboxes)
    _add_receipts(routes, mailboxes)
    _add_secrets(routes, mailboxes)
    return routes


def _add_lists(routes: APIRouter, mailboxes: Mailboxes) -> None:
    db = mailboxes.db

    @routes.get("/v1/mailbox/notices")
    async def notices(
        lister: Lister, after: Number = 0, limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE
    ) -> MailboxOut:
        """In the order in which they came. Nothing of their content, so no disclosure."""
        agency_id, now = _agency(lister), utc_now()
        async with db.transaction() as session:
            await store.number_new(session, agency_id, now)
            found, cursor, more = await store.page(session, agency_id, after, limit, now)
        return MailboxOut(notices=[_listed(each) for each in found], cursor=cursor, more=more)

    @routes.get(f"{_NOTICE}/history")
    async def versions(notice_id: str, lister: Lister) -> HistoryOut:
        """Every version that this recipient has of the same child, and which fields changed."""
        agency_id, now = _agency(lister), utc_now()
        must_be("ntc", notice_id)
        async with db.transaction() as session:
            item = await store.find(session, agency_id, notice_id, now)
            if item is None:
                raise not_found()
            found = await store.versions(session, agency_id, item, now)
            changed = await history.changes_of(session, mailboxes.sealer, found)
        return HistoryOut(versions=[_version(each, changed) for each in found])


def _add_opening(routes: APIRouter, mailboxes: Mailboxes) -> None:
    @routes.post(f"{_NOTICE}/opening")
    async def opening(
        notice_id: str, body: OpeningIn, person: Opener, accept: Annotated[str, Header()] = "*/*"
    ) -> Response:
        """The notice: the form as JSON, or as PDF by `Accept: application/pdf`.

        It is on record before this answers with its first byte, each time anew (P2).
        """
        agency_id = _agency(person)
        must_be_a_person(person, "open a notice")
        must_be("ntc", notice_id)
        reader = Reader(agency_id, person.subject, body.purpose)
        printed = _PDF in accept
        form = await mailboxes.desk.open(notice_id, reader, utc_now(), printed=printed)
        if form is None:
            raise not_found()
        return Response(form, media_type=_PDF if printed else "application/json")


def _add_answers(routes: APIRouter, mailboxes: Mailboxes) -> None:
    db, answers = mailboxes.db, mailboxes.answers

    @routes.post(f"{_NOTICE}/acknowledgements", status_code=201)
    async def acknowledge(
        notice_id: str, body: AcknowledgementIn, caller: Acknowledger
    ) -> AcknowledgementOut:
        """Who received it, under which case number, and what is done with it. A case number that
        comes later is another one; the first counts for the clock."""
        speaker = Speaker(_agency(caller), caller.subject)
        must_be("ntc", notice_id)
        said = body.model_dump(mode="json", exclude_none=True)
        async with db.transaction() as session:
            made = await answers.acknowledge(session, notice_id, speaker, said, utc_now())
        if made is None:
            raise not_found()
        return AcknowledgementOut.model_validate(made)

    @routes.post(f"{_NOTICE}/not-ours")
    async def not_ours(notice_id: str, body: ReturnIn, caller: Acknowledger) -> ReturnOut:
        """Others are told in its place, and this recipient nothing further of this child."""
        speaker = Speaker(_agency(caller), caller.subject)
        must_be("ntc", notice_id)
        async with db.transaction() as session:
            made = await answers.give_back(session, notice_id, speaker, body.reason, utc_now())
        if made is None:
            raise not_found()
        return ReturnOut.model_validate(made)


def _add_receipts(routes: APIRouter, mailboxes: Mailboxes) -> None:
    @routes.post("/v1/mailbox/receipts")
    async def state(body: ReceiptsIn, caller: Acknowledger) -> ReceiptsOut:
        """Which notices its own system holds. What it should and does not is a task here."""
        agency_id, now = _agency(caller), utc_now()
        async with mailboxes.db.transaction() as session:
            missing = await receipts.take(
                session, agency_id, body.since, body.until, body.notice_ids, now
            )
        return ReceiptsOut(missing=missing)


def _add_secrets(routes: APIRouter, mailboxes: Mailboxes) -> None:
    db = mailboxes.db

    @routes.post("/v1/mailbox/webhook-secrets", status_code=201)
    async def rotate(
        keeper: Keeper, overlap_hours: Annotated[int, Query(ge=0, le=168)] = 24
    ) -> SecretOut:
        """A new symmetric secret: webhooks are signed with it from now on, `v1` beside `v1a`, and
        with the one before it until the overlap ends."""
        agency_id = _agency(keeper)
        secret = new_secret()
        sealed = seal_secret(mailboxes.sealer, agency_id, secret)
        ends = utc_now() + timedelta(hours=overlap_hours)
        async with db.transaction() as session:
            rotated = await secret_store.rotate(session, agency_id, sealed, ends)
        if rotated is None:
            raise not_found()
        return SecretOut(secret=secret, before_ends_at=rotated[0])

    @routes.delete("/v1/mailbox/webhook-secrets", status_code=204)
    async def stop(keeper: Keeper) -> None:
        """`v1a` alone again."""
        async with db.transaction() as session:
            there = await secret_store.stop(session, _agency(keeper))
        if not there:
            raise not_found()


def _agency(caller: Principal) -> str:
    if caller.agency is None:
        raise Problem(403, "Forbidden", "A mailbox is an agency's: the token names none.")
    return caller.agency


def _listed(item: Item) -> ListedOut:
    return ListedOut(
        notice_id=item.notice_id,
        kind=item.kind,
        form=printed_form(item.form),
        version=item.version,
        received_at=item.planned_at,
        unread=not item.held,
        acknowledged=item.acknowledged_at is not None,
    )


def _version(item: Item, changed: dict[str, list[dict[str, str]]]) -> VersionOut:
    changes = changed.get(item.notice_id)
    return VersionOut(
        notice_id=item.notice_id,
        kind=item.kind,
        version=item.version,
        received_at=item.planned_at,
        unread=not item.held,
        changes=None if changes is None else [ChangeOut(**each) for each in changes],
    )
