"""What notify asks of intake: one referral version, projected for the profiles of its route."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notify.planning.together import Together
from services.notify.routing.facts import ChildFacts
from services.notify.routing.facts_read import Facts
from shared.contracts.base import Instant, OpaqueId
from shared.contracts.codes import Trigger
from shared.runtime import tracing
from shared.runtime.errors import Permanent
from shared.runtime.internal_http import InternalClient

SCOPES = ("internal:projections",)
PURPOSE = "Notification by DCF-737"
AUTHORITY = "DCF Policy 21-14; CGS 17a-101b(c)"
_WHY = {"purpose": PURPOSE, "authority": AUTHORITY}
_FORM = "intake's projection is not in the form agreed"

Content = dict[str, object]
"""A child's copy: field → value, personal data. Never log it, never put it in an error."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ProjectedChild(_Answer):
    child_id: OpaqueId
    facts: Facts
    copies: dict[str, Content]

    @property
    def routing(self) -> ChildFacts:
        return self.facts.of(self.child_id)


class Projection(_Answer):
    """One version of a referral: the facts that routing needs and a copy per profile and child."""

    referral_id: OpaqueId
    number: str
    version: int
    trigger: Trigger
    received_at: Instant
    synthetic: bool
    children: tuple[ProjectedChild, ...]
    shredded: tuple[OpaqueId, ...] = ()
    """Children whose content intake has destroyed since."""

    def with_copies_of(self, other: "Projection") -> "Projection":
        """The same version with the copies of both."""
        more = {child.child_id: child.copies for child in other.children}
        children = tuple(
            child.model_copy(update={"copies": child.copies | more.get(child.child_id, {})})
            for child in self.children
        )
        return self.model_copy(update={"children": children})


class _Several(_Answer):
    projections: tuple[Projection | None, ...]


class Intake(Protocol):
    async def project(
        self, referral_id: str, version: int, profiles: Sequence[str]
    ) -> Projection: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One version, and the profiles it is wanted for."""

    referral_id: str
    version: int
    profiles: Sequence[str]


class HttpIntake:
    """Intake over its internal API, which records the read before it answers (P2)."""

    def __init__(self, client: InternalClient) -> None:
        self._client = client
        self._together = Together(self._ask, self._ask_all)

    async def project(self, referral_id: str, version: int, profiles: Sequence[str]) -> Projection:
        """Raises Retryable while intake is away, Permanent when it will not or cannot answer,
        Gone when the content is destroyed."""
        wanted = Wanted(referral_id, version, profiles)
        if tracing.on() and tracing.here():
            return await self._ask(wanted)  # A call carries one trace.
        return await self._together.ask(wanted)

    async def _ask(self, wanted: Wanted) -> Projection:
        answer = await self._client.post(
            f"/internal/v1/referrals/{wanted.referral_id}/versions/{wanted.version}/projections",
            {"profiles": list(wanted.profiles), **_WHY},
        )
        try:
            projection = Projection.model_validate(answer)
        except ValidationError:
            raise Permanent(_FORM) from None
        _check(projection, wanted)
        return projection

    async def _ask_all(self, wanted: Sequence[Wanted]) -> list[Projection | None]:
        asked = [asdict(each) for each in wanted]
        answer = await self._client.post("/internal/v1/projections", {"wanted": asked, **_WHY})
        try:
            found = _Several.model_validate(answer).projections
        except ValidationError:
            raise Permanent(_FORM) from None
        if len(found) != len(wanted):
            raise Permanent("intake answered for more or fewer versions than were asked for")
        for one, projection in zip(wanted, found, strict=True):
            if projection is not None:
                _check(projection, one)
        return list(found)


def _check(projection: Projection, wanted: Wanted) -> None:
    if (projection.referral_id, projection.version) != (wanted.referral_id, wanted.version):
        raise Permanent("intake answered for another version than the one asked for")
    if any(set(child.copies) != set(wanted.profiles) for child in projection.children):
        raise Permanent("intake answered with other profiles than those asked for")
