"""Authorities, servers and clients of a test's own, and a TLS server that shows them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notify.directory.endpoint_tls import pin_of
from tests.support.receiver import Receiver


@dataclass
class Authority:
    """Issues certificates with their keys, as PEM files."""

    name: str = "Example Authority"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    ended: bool = False

    @property
    def pem(self) -> str:
        subject = _name(self.name)
        builder = _builder(subject, subject, self.key, self.ended).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), True
        )
        return _pem(builder.sign(self.key, hashes.SHA256()))

    def issue(
        self,
        path: Path,
        names: Sequence[str] = (),
        *,
        key: ec.EllipticCurvePrivateKey | None = None,
        ended: bool = False,
        extensions: Sequence[x509.ExtensionType] = (),
        common_name: str = "Example End",
    ) -> str:
        """A certificate and its key into one file; its pin."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), _name(self.name), key, ended=ended)
        if names:
            dns = [x509.DNSName(each) for each in names]
            builder = builder.add_extension(x509.SubjectAlternativeName(dns), False)
        for extension in extensions:
            builder = builder.add_extension(extension, False)
        certificate = builder.sign(self.key, hashes.SHA256())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_pem(certificate) + secret.decode())
        path.chmod(0o600)
        return pin_of(certificate.public_bytes(serialization.Encoding.DER))


@dataclass
class TlsTown:
    """A receiver behind TLS, at `https://localhost`."""

    receiver: Receiver
    port: int

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/hook"


@asynccontextmanager
async def town(context: ssl.SSLContext) -> AsyncIterator[TlsTown]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield TlsTown(receiver, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.sleep(0.02)


def server_context(path: Path, client_authority: str | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=client_authority)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ended: bool = False
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=-1 if ended else 1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
