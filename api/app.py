"""The coordinator as a web application: everything is made here, nothing is global."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from api import errors
from api.limits import BodyLimit
from api.routes import enrolment, federations, health, models, privacy, rounds, sessions
from api.service import Service
from api.settings import Settings


def create_app(settings: Settings, *, clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the application; its database opens when it starts to serve.

    Args:
        settings: Of this coordinator.
        clock: Seconds since the epoch.
    """

    @asynccontextmanager
    async def serving(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = service = Service(settings, clock)
        tending = asyncio.create_task(service.tend())
        try:
            yield
        finally:
            tending.cancel()
            with suppress(asyncio.CancelledError):
                await tending
            service.close()

    app = FastAPI(
        title="secure_clove coordinator",
        lifespan=serving,
        docs_url=None,  # would fetch scripts from another host
        redoc_url=None,
        openapi_url=None,
    )
    for routes in (enrolment, federations, models, rounds, privacy, sessions):
        app.include_router(routes.router, prefix="/v1")
    app.include_router(health.router)
    app.add_middleware(BodyLimit, most=settings.max_body_bytes)
    errors.install(app)
    return app
