"""The service: `create_app(settings)` is the only place where its parts are put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api import health, openapi, problems, telemetry
from api.assembly import Running, running
from api.direct import Direct
from api.routes import ROUTERS
from api.settings import Settings


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], int] | None = None,
    parts: Running | None = None,
) -> FastAPI:
    """Build the application around a ledger of its own, or around `parts` that run already."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Start the ledger with the service and stop it after the last request."""
        if parts is not None:
            app.state.running = parts
            yield
            return
        async with running(settings, clock=clock) as started:
            app.state.running = started
            yield

    app = FastAPIOffline(
        title="Qazyna", version=openapi.VERSION, summary=openapi.SUMMARY,
        description=openapi.DESCRIPTION, lifespan=lifespan, redirect_slashes=False,
        docs_url="/docs", redoc_url=None, openapi_url="/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours are at /metrics
    )  # fmt: skip
    app.state.metrics = telemetry.Metrics()
    routers = (*ROUTERS, health.router, telemetry.router)
    for router in routers:
        app.include_router(router)
    for error in problems.ANSWERED:
        app.add_exception_handler(error, problems.answer_problem)
    app.add_middleware(Direct, routes=[route for router in routers for route in router.routes])
    app.add_middleware(problems.Guard)
    app.add_middleware(telemetry.Telemetry, metrics=app.state.metrics)
    openapi.describe(app)
    return app
