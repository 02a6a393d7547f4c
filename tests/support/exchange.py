"""Internal calls answered within the test's own process."""

from collections.abc import Mapping

import httpx


class InProcess:
    """What httpx's transports answer: an application's, or a function's."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str = "http://test") -> None:
        self._client = httpx.AsyncClient(transport=transport, base_url=base_url)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, bytes]:
        answer = await self._client.request(method, path, headers=dict(headers), content=body)
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._client.aclose()
