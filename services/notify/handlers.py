"""Which handler acts on which event."""

from services.notify.consumer import (
    FileApproaching,
    FileBreach,
    FileMajority,
    NoteCorrection,
    PlanReferral,
)
from services.notify.directory.in_force import Directories
from services.notify.planning.drafting import Clerk
from services.notify.related.relating import NoteLinked
from services.notify.rulemaking.rulebooks import Rulebooks
from services.notify.shredding import Shred
from services.notify.stages.handlers import (
    PlanAmended,
    PlanDecided,
    PlanShared,
    PlanWithdrawn,
)
from services.notify.stages.intake_client import StageIntake
from services.notify.stages.planning import Stages
from shared.contracts.deadlines import BreachCorrected, ClockApproaching, ClockBreached
from shared.contracts.referrals import (
    ConsultShareRequested,
    MajorityNear,
    ReferralAmended,
    ReferralDecided,
    ReferralLinked,
    ReferralReceived,
    ReferralWithdrawn,
)
from shared.contracts.shredding import ShredOrdered
from shared.messaging.handover import Handlers
from shared.messaging.outbox import Outbox
from shared.runtime.db import Database


def make_handlers(
    db: Database,
    outbox: Outbox,
    intake: StageIntake,
    directories: Directories,
    rulebooks: Rulebooks,
    clerk: Clerk,
) -> Handlers:
    """One handler per event type that notify acts on."""
    planning = PlanReferral(intake, rulebooks, directories, clerk, outbox)
    stages = Stages(db, intake, rulebooks, directories, clerk, outbox)
    return {
        ReferralReceived: planning,
        ReferralAmended: PlanAmended(planning, stages),
        ReferralDecided: PlanDecided(stages),
        ConsultShareRequested: PlanShared(stages),
        ReferralWithdrawn: PlanWithdrawn(stages),
        ReferralLinked: NoteLinked(),
        ClockApproaching: FileApproaching(),
        ClockBreached: FileBreach(),
        BreachCorrected: NoteCorrection(),
        MajorityNear: FileMajority(),
        ShredOrdered: Shred(outbox),
    }
