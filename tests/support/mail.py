"""A real SMTP server with TLS, and a certificate of its own to verify it by."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.handlers import AsyncMessage
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """Self-signed, for one host, so that it is its own CA."""

    chain: Path
    key: Path

    @classmethod
    def made(cls, folder: Path, host: str = "127.0.0.1") -> "Certificate":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Relay")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        chain, secret = folder / f"{host}-chain.txt", folder / f"{host}-secret.txt"
        chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return cls(chain, secret)


@dataclass
class MailServer(AsyncMessage):
    """What it got, and how it behaves: `refuse_rcpt` and `refuse_data` are answers of SMTP."""

    port: int = 0
    messages: list[Message] = field(default_factory=list)
    sessions_in_clear: int = 0
    refuse_rcpt: str | None = None
    refuse_data: str | None = None
    hang_up_at_data: bool = False
    users: list[tuple[bytes, bytes]] = field(default_factory=list)
    before_data: Any = None

    def __post_init__(self) -> None:
        super().__init__()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.refuse_rcpt is not None:
            return self.refuse_rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> Any:  # noqa: N802
        if self.before_data is not None:
            await self.before_data()
        if self.hang_up_at_data:
            server.transport.abort()
            return "421 gone"
        if self.refuse_data is not None:
            return self.refuse_data
        self.sessions_in_clear += session.ssl is None
        return await super().handle_DATA(server, session, envelope)

    async def handle_message(self, message: Message) -> None:
        self.messages.append(message)

    def authenticate(self, *given: Any) -> AuthResult:
        login = given[-1]
        known = isinstance(login, LoginPassword) and (login.login, login.password) in self.users
        return AuthResult(success=known)


@asynccontextmanager
async def mailing(certificate: Certificate, *, tls: bool = True) -> AsyncIterator[MailServer]:
    """The server, listening. Without `tls` it offers none."""
    handler = MailServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(
            handler,
            hostname="relay.test",
            tls_context=context if tls else None,
            require_starttls=tls,
            authenticator=handler.authenticate,
            auth_require_tls=True,
            loop=loop,
        )

    server = await loop.create_server(session, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()
        await server.wait_closed()
