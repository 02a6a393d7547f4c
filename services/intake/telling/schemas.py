"""The body of what notify asks."""

from services.intake.schemas import Body, Reason


class TellingRequest(Body):
    """Why a service asks and by what right; both are recorded before it is answered."""

    purpose: Reason
    authority: Reason
