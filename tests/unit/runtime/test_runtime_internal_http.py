import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shared.runtime import keys
from shared.runtime.auth import TokenVerifier
from shared.runtime.errors import Misconfigured, Permanent, Retryable
from shared.runtime.internal_http import InternalClient, tokens
from shared.runtime.settings import Profile, ServiceSettings
from tests.support.exchange import InProcess

Answer = Callable[[httpx.Request], httpx.Response]


def client(answer: Answer, seconds: float = 1.0) -> InternalClient:
    exchange = InProcess(httpx.MockTransport(answer))
    return InternalClient(
        "intake", "http://intake", lambda: "a.b.c", seconds=seconds, exchange=exchange
    )


async def test_a_call_carries_the_token_and_gives_the_answer() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer a.b.c"
        return httpx.Response(200, json={"got": json.loads(request.content or b"null")})

    internal = client(answer)
    assert await internal.post("/internal/v1/x", {"a": 1}) == {"got": {"a": 1}}
    assert await internal.get("/internal/v1/x") == {"got": None}
    await internal.close()


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_to_be_tried_again(status: int) -> None:
    with pytest.raises(Retryable, match=f"intake answered {status}"):
        await client(lambda _: httpx.Response(status, text="Test Child One")).get("/x")


@pytest.mark.parametrize("status", [301, 302, 400, 404, 409, 422])
async def test_what_will_not_pass_is_permanent_and_no_redirect_is_followed(status: int) -> None:
    headers = {"Location": "http://elsewhere/"}
    with pytest.raises(Permanent, match=f"^intake answered {status}$"):
        await client(lambda _: httpx.Response(status, headers=headers)).get("/x")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nTest Child One",
        b"Test Child One\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nxxx",
    ],
)
async def test_no_whole_answer_is_to_be_tried_again(sent: bytes) -> None:
    """Hung up, cut short, no HTTP, not decodable."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    internal = InternalClient("intake", f"http://127.0.0.1:{port}", lambda: "x")
    async with server:
        with pytest.raises(Retryable, match=r"^intake did not answer \(\w+\)$"):
            await internal.get("/x")
        await internal.close()


async def test_an_answer_that_is_not_json_is_to_be_tried_again() -> None:
    with pytest.raises(Retryable, match="other than JSON"):
        await client(lambda _: httpx.Response(200, text="<html>")).get("/x")


async def test_the_whole_call_is_bounded_even_against_a_server_that_drips() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    internal = InternalClient("intake", f"http://127.0.0.1:{port}", lambda: "x", seconds=0.05)
    async with server, asyncio.timeout(2):
        with pytest.raises(Retryable, match="Timeout"):
            await internal.get("/x")
        await internal.close()
        await asyncio.sleep(0.03)


async def test_the_environment_s_proxy_is_not_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    internal = InternalClient("intake", "http://127.0.0.1:1", lambda: "x")
    with pytest.raises(Retryable, match="ClientConnectorError"):
        await internal.get("/x")
    await internal.close()


def settings(directory: Path, **changes: object) -> ServiceSettings:
    fields = {"profile": Profile.DEVELOPMENT, "issuer": "https://i.example", "jwks": directory}
    return ServiceSettings.model_validate(fields | changes)


def test_on_one_machine_tokens_come_from_the_local_issuer_and_are_kept_fresh(
    issuer_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = settings(issuer_directory, local_issuer_key=issuer_directory / "issuer.jwk")
    now = 1000.0
    monkeypatch.setattr("shared.runtime.internal_http.time.monotonic", lambda: now)
    current = tokens(local, "notify", ["internal:projections"])
    verifier = TokenVerifier(issuer_directory / "jwks.json", "https://i.example")
    principal = verifier.verify(current())
    assert (principal.subject, principal.scopes) == (
        "notify",
        frozenset({"internal:projections"}),
    )
    first = current()
    now += 299
    assert current() == first
    now += 2
    assert current() != first


def test_elsewhere_tokens_come_from_a_file_that_others_renew(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    path.chmod(0o600)
    current = tokens(settings(tmp_path, internal_token=path), "notify", ["x:y"])
    assert current() == "first"
    path.write_text("second\n")
    assert current() == "second"


def test_without_any_source_of_tokens_the_service_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"HARTLINE_INTERNAL_TOKEN is not set.*x:y"):
        tokens(settings(tmp_path), "notify", ["x:y"])
    with pytest.raises(Misconfigured, match="cannot be read"):
        tokens(settings(tmp_path, internal_token=tmp_path / "none"), "notify", ["x:y"])


async def test_a_token_file_that_vanishes_is_to_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    keys.make("hmac", path)
    current = tokens(settings(tmp_path, internal_token=path), "notify", ["x:y"])
    path.unlink()
    exchange = InProcess(httpx.MockTransport(lambda _: httpx.Response(200, json=1)))
    internal = InternalClient("intake", "http://intake", current, exchange=exchange)
    with pytest.raises(Retryable, match="no token for intake"):
        await internal.get("/x")
