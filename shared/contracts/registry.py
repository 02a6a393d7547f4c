"""Every event type by name. The one list from which parsing, examples and AsyncAPI follow."""

from shared.contracts.base import Event, EventData, Source, Topic
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.disclosures import (
    CallViewed,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresRefused,
    DisclosuresUnknown,
    RecordViewed,
    ReferralViewed,
    StatisticsExported,
    ToldOrally,
)
from shared.contracts.notices import (
    NoticesAcknowledged,
    NoticesClosed,
    NoticesDelivered,
    NoticesHeld,
    NoticesPickedUp,
    NoticesPlanned,
    NoticesRefused,
    NoticesRerouted,
    NoticesSuperseded,
    NoticesToldOrally,
    NoticesWithdrawn,
)
from shared.contracts.referrals import (
    CallAbandoned,
    CaseFlagged,
    ConsultCompleted,
    ConsultEntered,
    ConsultRequested,
    ConsultShareRequested,
    MajorityNear,
    ReferralAmended,
    ReferralDecided,
    ReferralLinked,
    ReferralReceived,
    ReferralWithdrawn,
    VictimIdentified,
)
from shared.contracts.shredding import ContentShredded, ShredOrdered

EVENTS: tuple[type[EventData], ...] = (
    ReferralReceived,
    ReferralAmended,
    ReferralDecided,
    ReferralWithdrawn,
    ReferralLinked,
    CallAbandoned,
    ConsultRequested,
    ConsultCompleted,
    VictimIdentified,
    ConsultEntered,
    ConsultShareRequested,
    CaseFlagged,
    MajorityNear,
    ShredOrdered,
    NoticesPlanned,
    NoticesRefused,
    NoticesDelivered,
    NoticesSuperseded,
    NoticesRerouted,
    NoticesWithdrawn,
    NoticesHeld,
    NoticesPickedUp,
    NoticesAcknowledged,
    NoticesToldOrally,
    NoticesClosed,
    ClockApproaching,
    ClockBreached,
    BreachCorrected,
    DisclosuresAttempted,
    DisclosuresCompleted,
    DisclosuresFailed,
    DisclosuresUnknown,
    DisclosuresRefused,
    ReferralViewed,
    CallViewed,
    ToldOrally,
    RecordViewed,
    StatisticsExported,
    ContentShredded,
)

BY_TYPE: dict[str, type[EventData]] = {model.type: model for model in EVENTS}

EMITTERS: dict[Topic, tuple[Source, ...]] = {
    Topic.REFERRALS: (Source.INTAKE,),
    Topic.NOTICES: (Source.NOTIFY,),
    Topic.DEADLINES: (Source.DEADLINES,),
    Topic.DISCLOSURES: (Source.INTAKE, Source.NOTIFY),
}

CONSUMERS: dict[Topic, tuple[str, ...]] = {
    Topic.REFERRALS: ("notify", "deadlines"),
    Topic.NOTICES: ("deadlines",),
    Topic.DEADLINES: ("notify",),
    Topic.DISCLOSURES: ("audit",),
}


def parse_data(event: Event) -> EventData | None:
    """The event's data as its model, or None for a type this release does not know.

    Raises pydantic.ValidationError when the data does not fit its type.
    """
    model = BY_TYPE.get(event.type)
    return None if model is None else model.model_validate(event.data)
