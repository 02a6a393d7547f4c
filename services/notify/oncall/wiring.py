"""What the role `page` is made of, and what it needs of the operations port."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from starlette.routing import Route

from services.notify.controls.holding import tell_held
from services.notify.delivery.signing import Signer
from services.notify.directory import seeding
from services.notify.directory import store as directory_store
from services.notify.mailbox.answering import Answers
from services.notify.oncall import recipient
from services.notify.oncall.drilling import SCOPES, Drilling
from services.notify.oncall.email_pager import EmailPager, MailServer
from services.notify.oncall.heartbeat import EVERY_SECONDS, Heartbeat, Pulses
from services.notify.oncall.page_role import Chore, page_role
from services.notify.oncall.pager import Pager
from services.notify.oncall.paging import Paging
from services.notify.oncall.roster import Channel, ChannelKind
from services.notify.oncall.webhook_pager import WebhookPager
from services.notify.settings import NotifySettings
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database
from shared.runtime.ids import utc_now
from shared.runtime.internal_http import InternalClient, tokens
from shared.runtime.lifecycle import Role
from shared.runtime.ops import Readiness
from shared.runtime.sealing import Sealer
from shared.runtime.settings import Profile

NAME = "notify"
_PAGING, _DRILLS = "paging", "synthetic"


@dataclass(frozen=True)
class Area:
    """The role `page`. `routes`: of the operations port. `clients`: to be closed at the end."""

    page: Role
    routes: tuple[Route, ...]
    clients: tuple[InternalClient, ...]


def own_recipient(settings: NotifySettings) -> bool:
    """Whether production answers its own synthetic referrals; elsewhere sample agencies do."""
    return settings.synthetic and settings.profile is Profile.PRODUCTION


async def install_recipient(settings: NotifySettings, db: Database) -> None:
    """Put the built-in recipients into the directory, where they are wanted. Idempotent.

    Not before it holds anybody else: with them alone, real referrals would be planned and refused
    instead of waiting for a directory.
    """
    if not own_recipient(settings):
        return
    key = recipient.private_key(settings.keys)
    async with db.transaction() as session:
        if not await directory_store.version(session):
            return
        await seeding.put(session, recipient.entries(key, settings.ops_port), utc_now())


def make_area(
    settings: NotifySettings,
    db: Database,
    outbox: Outbox,
    readiness: Readiness,
    signer: Signer,
    sealer: Sealer,
    answers: Answers,
    more: Mapping[str, tuple[float, Chore]],
) -> Area:
    """`more`: other areas' chores, which this role does beside its own."""
    pulses, clients = Pulses(), _clients(settings)
    paging = Paging(db, _pagers(settings, sealer), _operations(settings), settings.tasks_url)
    chores: dict[str, tuple[float, Chore]] = {
        _PAGING: (2.0, paging.once),
        "holds": (5.0, lambda: tell_held(db, outbox, utc_now())),
        **more,
    }
    if settings.synthetic:
        own = answers if own_recipient(settings) else None
        drilling = Drilling(db, *clients, own=own)
        chores[_DRILLS] = (2.0, drilling.once)
        chores["recipient"] = (60.0, partial(install_recipient, settings, db))
    if settings.heartbeat_url is not None:
        beating = Heartbeat(
            db,
            settings.heartbeat_url,
            readiness,
            pulses,
            watched=[_PAGING],
            drills=settings.synthetic,
        )
        chores["heartbeat"] = (EVERY_SECONDS, beating.once)
    routes: tuple[Route, ...] = ()
    if own_recipient(settings):
        routes = (recipient.route(db, recipient.private_key(settings.keys), signer),)
    opened = tuple(each for each in clients if each is not None)
    return Area(page_role(chores, pulses), routes, opened)


def _clients(settings: NotifySettings) -> tuple[InternalClient, InternalClient | None]:
    """Intake, and the log if it is to be asked. They connect when they are first used."""
    sender = tokens(settings, NAME, SCOPES)
    intake = InternalClient("intake", settings.intake_url, sender)
    if settings.audit_url is None:
        return intake, None
    return intake, InternalClient("audit", settings.audit_url, sender)


def _pagers(settings: NotifySettings, sealer: Sealer) -> dict[ChannelKind, Pager]:
    """Raises Misconfigured for a mail server that cannot be used."""
    networks = tuple(each for each in settings.pager_networks.split(",") if each)
    development = settings.profile is Profile.DEVELOPMENT
    pagers: dict[ChannelKind, Pager] = {
        ChannelKind.WEBHOOK: WebhookPager(sealer, networks, allow_http=development)
    }
    if settings.pager_smtp is not None:
        server = MailServer.parse(settings.pager_smtp)
        password = settings.pager_smtp_password_file
        pagers[ChannelKind.EMAIL] = EmailPager(server, settings.pager_from, password)
    return pagers


def _operations(settings: NotifySettings) -> tuple[Channel, ...]:
    fallback = settings.pager_fallback
    if fallback is None:
        return ()
    if fallback.startswith("mailto:"):
        return (Channel(ChannelKind.EMAIL, fallback.removeprefix("mailto:")),)
    return (Channel(ChannelKind.WEBHOOK, fallback),)
