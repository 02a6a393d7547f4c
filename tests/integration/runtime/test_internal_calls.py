"""Internal calls against a real server that freezes and comes back."""

import asyncio

from shared.runtime.errors import Retryable
from shared.runtime.internal_http import InternalClient
from tests.support.sleeper import sleeping

CALLS = 128
"""More than the client's connections, so that some wait for one when the time is up."""


async def test_p1_a_peer_that_froze_under_many_calls_is_reached_again_when_it_wakes() -> None:
    """httpx's pool kept dead places for ever after this: notify never reached intake again."""
    awake = asyncio.Event()
    async with sleeping(awake) as port:
        client = InternalClient("intake", f"http://127.0.0.1:{port}", lambda: "x", seconds=0.5)
        calls = [client.get("/x") for _ in range(CALLS)]
        frozen = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(each) for each in frozen} == {Retryable}
        awake.set()
        assert await asyncio.gather(*(client.get("/x") for _ in range(CALLS))) == [True] * CALLS
        await client.close()
