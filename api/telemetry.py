"""Metrics of the service for Prometheus: requests, failures, queue and sequence."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.documents import problem_answers
from api.parameters import StrictRoute
from api.parts import parts_of

router = APIRouter(tags=["operation"], route_class=StrictRoute)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        """Register them apart from other applications of the process."""
        self.registry = CollectorRegistry()
        self.seconds = Histogram(
            "qazyna_request_seconds", "Seconds from a request to the end of its answer",
            ["route", "method", "status"], registry=self.registry, buckets=BUCKETS,
        )  # fmt: skip
        self.waiting = Gauge("qazyna_queue_commands", "Commands that wait to be decided",
                             registry=self.registry)  # fmt: skip
        self.sequence = Gauge("qazyna_sequence", "Last sequence that this process gave",
                              registry=self.registry)  # fmt: skip
        self.failures = Counter("qazyna_failures", "Answers 5xx", ["route"],
                                registry=self.registry)  # fmt: skip


class Telemetry:
    """Measures every request under its route's pattern, never under its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Stand around the application."""
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and measure it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        began = time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if route != "none" else "any"
            self.metrics.seconds.labels(route, method, status).observe(time.perf_counter() - began)
            if status >= 500:  # noqa: PLR2004 - server errors
                self.metrics.failures.labels(route).inc()


@router.get(
    "/metrics", summary="Metrics for Prometheus", response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
               **problem_answers(422)},
)  # fmt: skip
async def metrics(request: Request) -> Response:
    """Answer the metrics of this application, of the projections and of the process as text."""
    kept: Metrics = request.app.state.metrics
    parts = parts_of(request)
    kept.waiting.set(parts.ledger.appender.waiting)
    kept.sequence.set(parts.ledger.sequencer.last_sequence)
    body = generate_latest(kept.registry) + generate_latest()
    return Response(body, media_type=CONTENT_TYPE_LATEST)
