"""A service's HTTP application."""

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from shared.runtime import problem
from shared.runtime.auth import TokenVerifier
from shared.runtime.guard import Guard, Limits
from shared.runtime.ops import Readiness, livez, readyz
from shared.runtime.server import serve

__all__ = ["create_app", "serve"]

_UNTOLD: TelemetryConfig = {
    "auto_configure": False,
    "logs": False,
    "metrics": False,
    "tracing": False,
}
"""FastAPI's own telemetry holds paths, and errors' texts: whatever the environment says, it is off
(`tracing` is ours)."""


def create_app(
    title: str,
    verifier: TokenVerifier,
    *,
    readiness: Readiness | None = None,
    limits: Limits | None = None,
    development: bool = False,
) -> FastAPI:
    """An application that answers errors with problem details and nothing without a token.

    Only /livez and /readyz are open, and in development /openapi.json. Routes ask for their scope
    with `Depends(require("…"))`.
    """
    documents = "/openapi.json" if development else None
    app = FastAPI(
        title=title,
        openapi_url=documents,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_UNTOLD,
    )
    problem.install(app)
    app.add_route("/livez", livez)
    app.add_route("/readyz", readyz(readiness or Readiness(), explain=False))
    app.add_middleware(
        Guard,
        verifier=verifier,
        public=["/livez", "/readyz", *filter(None, [documents])],
        limits=limits or Limits(),
    )
    return app
