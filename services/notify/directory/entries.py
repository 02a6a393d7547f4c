"""An entry of the directory as people write it: in a file, in a proposal, in the history."""

from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from services.notify.delivery.channels import beside_encrypted, is_complete
from services.notify.directory.addresses import (
    NEEDS,
    DirectoryChannel,
    Email,
    Endpoint,
    Network,
    PublicKey,
    new_endpoint,
)
from services.notify.directory.agencies import POLICE, Agency, Kind
from services.notify.directory.endpoint_tls import Transport
from services.notify.directory.jurisdiction import Beat, beats
from services.notify.directory.towns import every_office, judicial_districts
from services.notify.routing.rule import Selector
from services.notify.routing.rulebook import load_rulebook
from shared.contracts.base import OpaqueId
from shared.contracts.codes import Channel
from shared.runtime.errors import Wrong

Words = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]


def _seen(name: str) -> str:
    if not name.isprintable():
        raise Wrong("must be one line of characters that can be seen")
    return name


AtMost = Annotated[int, Field(strict=True, ge=1, le=6000)]
Name = Annotated[Words, AfterValidator(_seen)]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
ALWAYS = date(2000, 1, 1)
"""From when an entry holds that does not say: before anything that Hartline has recorded."""

_PROFILES = {
    Kind.CHIEF_STATES_ATTORNEY: "prosecution",
    Kind.STATES_ATTORNEY: "prosecution",
    Kind.MDT_MEMBER: "mdt",
    Kind.FBI: "law_enforcement",
    Kind.NCMEC: "law_enforcement",
    **dict.fromkeys(POLICE, "law_enforcement"),
}
"""Of a kind that no rule sends anything yet; whoever is not here is of the department: hart."""


def _town(name: str) -> str:
    if name not in judicial_districts():
        raise Wrong("is not one of Connecticut's 169 towns as ct_towns.csv spells them")
    return name


def _beat(written: str) -> str:
    try:
        beat = Beat.parse(written)
    except ValueError as error:
        raise Wrong(str(error)) from None
    _town(beat.town)
    return str(beat)


def _district(name: str) -> str:
    if name not in judicial_districts().values():
        raise Wrong("is not one of the thirteen judicial districts of ct_towns.csv")
    return name


def _office(name: str) -> str:
    if name not in every_office():
        raise Wrong("is not a DCF area office or region of ct_towns.csv")
    return name


class AgencyEntry(BaseModel):
    """All that is on file about an agency. Without authority, or without what its channel needs,
    it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agency_id: OpaqueId
    code: Code | None = None
    """What people and files call it, for good."""
    kind: Kind
    name: Name
    profile: Words
    towns: list[Annotated[str, AfterValidator(_town)]] = []
    beats: list[Annotated[str, AfterValidator(_beat)]] = []
    judicial_districts: list[Annotated[str, AfterValidator(_district)]] = []
    offices: list[Annotated[str, AfterValidator(_office)]] = []
    affiliations: list[Code] = []
    seat: Words | None = None
    """Of a member of a team: coordinator, police, prosecutor, medical, … (CGS 17a-106a(b))."""
    authority: Words | None = None
    authority_from: date | None = None
    authority_to: date | None = None
    mou: Words | None = None
    """The agreement the authority rests on, if any; when that ends, so does the authority."""
    mou_to: date | None = None
    channel: DirectoryChannel = Channel.ENCRYPTED
    """How it is told. Encrypted needs an endpoint and a key, pickup an endpoint, email an email."""
    email: Email | None = None
    """A desk's, for pointers without content; nobody's own."""
    endpoint: Endpoint | None = None
    encryption_key: PublicKey | None = None
    allowed_networks: list[Network] = []
    max_in_flight: AtMost | None = None
    """Attempts at a time over all processes, where it asks for fewer than our slots."""
    max_per_minute: AtMost | None = None
    """Attempts in any minute. What is over a limit waits, in its order; its clocks do not."""
    contact: Words | None = None
    """Whom to call there: a desk and its number, of old when something has changed."""
    successor: Code | None = None
    """Of a closed agency: who does its work now."""
    transport: Transport | None = None
    """The TLS of its endpoint, where the system's authorities alone do not do."""
    closed: bool = False
    sample: bool = False

    @model_validator(mode="before")
    @classmethod
    def _profile_of_its_kind(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("profile") is not None:
            return given
        kind = next((kind for kind in Kind if kind == given.get("kind")), None)
        return given if kind is None else given | {"profile": profile_of(kind)}

    @field_validator("towns", "beats", "judicial_districts", "offices", "affiliations")
    @classmethod
    def _as_a_set(cls, given: list[str]) -> list[str]:
        return sorted(set(given))

    @model_validator(mode="after")
    def _holds_together(self) -> "AgencyEntry":
        if self.authority_from and self.authority_to and self.authority_to < self.authority_from:
            raise Wrong("authority_to is before authority_from")
        if self.mou_to is not None and self.mou is None:
            raise Wrong("mou_to needs mou")
        if self.successor is not None and not self.closed:
            raise Wrong("only a closed agency has a successor")
        return self

    def stored(self) -> dict[str, Any]:
        """As JSON holds it."""
        return self.model_dump(mode="json")

    def agency(self) -> Agency:
        """As routing sees it; a closed one has no authority any more."""
        ends = [day for day in (self.authority_to, self.mou_to) if day is not None]
        return Agency(
            agency_id=self.agency_id,
            kind=self.kind,
            name=self.name,
            profile=self.profile,
            towns=frozenset(self.towns),
            judicial_districts=frozenset(self.judicial_districts),
            authority=None if self.closed else self.authority,
            authority_from=self.authority_from,
            authority_to=min(ends, default=None),
            encrypted_channel=self.channel is Channel.ENCRYPTED and self._is_complete(),
            other_channel=beside_encrypted(self.channel, self.endpoint, self.email),
            sample=self.sample,
            code=self.code,
            beats=beats(self.beats),
            offices=frozenset(self.offices),
            affiliations=frozenset(self.affiliations),
        )

    def _is_complete(self) -> bool:
        return is_complete(self.channel, self.endpoint, self.encryption_key, self.email)


class NewEntry(AgencyEntry):
    """An entry on its way in: it must suit the rules of today, as old ones need not."""

    @field_validator("endpoint")
    @classmethod
    def _endpoint_reads_as_it_leads(cls, given: str | None) -> str | None:
        return given and new_endpoint(given)

    @model_validator(mode="after")
    def _channel_has_what_it_needs(self) -> "NewEntry":
        if self.channel is not Channel.ENCRYPTED and not self.closed and not self._is_complete():
            raise Wrong(f"the channel {self.channel.value} needs {NEEDS[self.channel]}")
        return self

    @model_validator(mode="after")
    def _profile_is_what_the_rules_send(self) -> "NewEntry":
        if self.profile != (sent := sent_profiles().get(self.kind, self.profile)):
            raise Wrong(f"the rules send {self.kind.value} the profile {sent}")
        return self

    def plain(self) -> AgencyEntry:
        return AgencyEntry.model_validate(self.model_dump(include=set(AgencyEntry.model_fields)))


class SampleEntry(NewEntry):
    """One entry of a sample file. The same agency again with a later `effective`: what changed."""

    sample: Literal[True] = True
    effective: date = ALWAYS


def profile_of(kind: Kind) -> str:
    """What the rules send it, or would."""
    return sent_profiles().get(kind) or _PROFILES.get(kind, "hart")


@cache
def sent_profiles() -> dict[Kind, str]:
    """The profile that the rules send to each kind of agency."""
    chosen = {
        Selector.POLICE_OF_TOWNS: tuple(POLICE),
        Selector.MDT_OF_DISTRICT: (Kind.MDT_MEMBER,),
    }
    return {
        kind: rule.profile
        for rule in load_rulebook().rules
        for kind in (chosen.get(rule.select) or (rule.kind,))
        if kind is not None
    }
