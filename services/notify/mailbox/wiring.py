"""What the channels beside the encrypted one are made of, and the mailbox."""

from datetime import timedelta
from pathlib import Path

from fastapi import APIRouter

from services.notify.conflicts.substitution import Substitutes
from services.notify.delivery.mailer import Senders, SmtpSender
from services.notify.delivery.postroom import Postroom
from services.notify.delivery.sender import HttpSender, Sender
from services.notify.mailbox.answering import Answers
from services.notify.mailbox.api import Mailboxes, mailbox_router
from services.notify.mailbox.opening import Desk
from services.notify.mailbox.sweep import Patience
from services.notify.oral.api import oral_router
from services.notify.oral.entering import Office
from services.notify.settings import NotifySettings
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.mail import Relay
from shared.runtime.sealing import Sealer


def mailbox_routers(
    db: Database, outbox: Outbox, sealer: Sealer, postroom: Postroom, substitutes: Substitutes
) -> APIRouter:
    """Every route of the mailbox and of word of mouth."""
    desk = Desk(db, outbox, postroom)
    answers = Answers(sealer, outbox, substitutes)
    routes = APIRouter()
    routes.include_router(mailbox_router(Mailboxes(db, sealer, desk, answers)))
    routes.include_router(oral_router(Office(db, sealer, outbox, substitutes)))
    return routes


def relay_of(settings: NotifySettings) -> Relay | None:
    if settings.mail is None:
        return None
    return Relay.parse(
        "HARTLINE_NOTIFY_MAIL",
        settings.mail,
        settings.mail_from,
        settings.mail_password,
        settings.mail_ca,
    )


def patience_of(settings: NotifySettings) -> Patience:
    return Patience(
        timedelta(hours=settings.unread_hours), timedelta(hours=settings.unacknowledged_hours)
    )


def senders(development: bool, relay: Relay | None, own: str | None, keys: Path) -> Sender:
    webhooks = HttpSender(allow_http=development, own=own, keys=keys)
    return Senders(webhooks, SmtpSender(relay))
