"""The agencies: everything is answered with 200 at once, and kept."""

from aiohttp import web

from tests.load.__main__ import Receiver


async def listen(receiver: Receiver, port: int) -> web.AppRunner:
    """Under way until the runner's `cleanup`."""
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/agency/{agency_id}", receiver.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner
