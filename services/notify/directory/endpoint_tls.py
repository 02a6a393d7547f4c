"""How the TLS of one agency's endpoint is to be, beyond what holds for all: its own authorities,
its key pinned, a certificate of ours. A field of its directory entry, so two people change it."""

import base64
import hashlib
import hmac
import ssl
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from shared.runtime.errors import Misconfigured, Wrong
from shared.runtime.keys import read_private

_PIN = "sha256/"
_MOST_AUTHORITIES = 20


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class UnusableTransport(Exception):
    """What a record names cannot be used: a person must mend it, or put our file in its place."""


def _authorities(pem: str) -> str:
    try:
        found = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        raise Wrong("must be certificates in PEM") from None
    if len(found) > _MOST_AUTHORITIES:
        raise Wrong(f"must be {_MOST_AUTHORITIES} certificates at most")
    # As we write them, and nothing that stood between them: no private key gets into the record.
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def _pin(text: str) -> str:
    try:
        raw = base64.b64decode(text.removeprefix(_PIN), validate=True)
    except ValueError:
        raw = b""
    if not text.startswith(_PIN) or len(raw) != hashlib.sha256().digest_size:
        raise Wrong("must be sha256/ and the base64 of a public key's SHA-256")
    # As `pin_of` writes it: base64 lets the last letter vary, and such a pin would match no key.
    return _PIN + base64.b64encode(raw).decode()


class Transport(BaseModel):
    """Hashable: connections are kept per agency and transport."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    authorities: Annotated[str, AfterValidator(_authorities)] | None = None
    """PEM. They alone vouch for its endpoint, in place of the system's."""
    pins: tuple[Annotated[str, AfterValidator(_pin)], ...] = ()
    """Of the public keys that its certificate may hold (RFC 7469's form); two while one changes.
    Besides the authorities, never instead of them."""
    client_certificate: Name | None = None
    """NAME of ours that it wants to see: `clients/NAME.pem` among notify's keys."""

    @model_validator(mode="after")
    def _says_something(self) -> "Transport":
        if self.authorities is None and not self.pins and self.client_certificate is None:
            raise Wrong("must say something, or be null")
        return self

    def __str__(self) -> str:
        """In words, for whoever is to approve it."""
        parts = [f"pinned to {pin}" for pin in self.pins]
        if self.authorities is not None:
            digest = hashlib.sha256(self.authorities.encode()).hexdigest()
            parts.insert(0, f"authorities of its own (SHA-256 {digest[:16]}…)")
        if self.client_certificate is not None:
            parts.append(f"our certificate {self.client_certificate}")
        return "; ".join(parts)


class _PinnedObject(ssl.SSLObject):
    """Ends the handshake, so before a byte of HTTP, unless the certificate's key is pinned."""

    def do_handshake(self) -> None:
        super().do_handshake()
        context = self.context
        assert isinstance(context, _PinnedContext)
        found = pin_of(self.getpeercert(binary_form=True) or b"")
        if not any(hmac.compare_digest(found, pin) for pin in context.pins):
            raise ssl.SSLCertVerificationError("its key is not one that is pinned")


class _PinnedContext(ssl.SSLContext):
    pins: tuple[str, ...] = ()


_PinnedContext.sslobject_class = _PinnedObject


def pin_of(certificate: bytes) -> str:
    """The pin of a certificate in DER."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    raw = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _PIN + base64.b64encode(hashlib.sha256(raw).digest()).decode()


def context_for(transport: Transport | None, keys: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later, the chain and the host's name checked, and what the transport asks for.
    The name is looked for in subjectAltName: a CN is text, and no authority vouches for it there.

    `keys`: notify's directory of keys. Raises UnusableTransport.
    """
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    if transport is None:
        context.sslobject_class = ssl.SSLObject
        context.load_default_certs()
        return context
    context.pins = transport.pins
    if not transport.pins:
        context.sslobject_class = ssl.SSLObject
    if transport.authorities is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cadata=transport.authorities)
    if (file := _client_file(transport, keys)) is not None:
        try:
            read_private(file)
            # An empty passphrase: without one, OpenSSL asks for it at the terminal, and waits.
            context.load_cert_chain(file, password="")
        except (OSError, ValueError, Misconfigured):
            raise UnusableTransport("our client certificate cannot be read") from None
    return context


@lru_cache(maxsize=512)
def context_of(
    transport: Transport | None, keys: Path | None = None, client_changed: int | None = None
) -> ssl.SSLContext:
    """One for all that ask the same: the system's authorities take 30 ms to read. Another when our
    certificate has changed, so give what `client_changed_at` says. Raises UnusableTransport."""
    return context_for(transport, keys)


def client_changed_at(transport: Transport, keys: Path | None) -> int | None:
    """When our certificate was last put there, so that a renewed one is taken up.

    Raises UnusableTransport.
    """
    file = _client_file(transport, keys)
    try:
        return None if file is None else file.stat().st_mtime_ns
    except OSError:
        raise UnusableTransport("our client certificate is not there") from None


def ends_of(transport: Transport, keys: Path | None) -> Iterator[tuple[str, date]]:
    """What of it ends when, in the words of `enrolment.expiry`; all of our file's certificates."""
    authorities = (transport.authorities or "").encode()
    for each in x509.load_pem_x509_certificates(authorities) if authorities else ():
        yield "authority of its endpoint", each.not_valid_after_utc.date()
    try:
        file = _client_file(transport, keys)
        ours = [] if file is None else x509.load_pem_x509_certificates(file.read_bytes())
    except (UnusableTransport, OSError, ValueError):
        return  # The next notice says so, with a task of its own.
    for each in ours:
        yield "certificate that we show", each.not_valid_after_utc.date()


def _client_file(transport: Transport, keys: Path | None) -> Path | None:
    """PEM: our certificate, its chain, and its key without a passphrase."""
    if transport.client_certificate is None:
        return None
    if keys is None:
        raise UnusableTransport("there is no directory of keys")
    return keys / "clients" / f"{transport.client_certificate}.pem"
