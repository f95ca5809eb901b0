"""Metrics of the service for Prometheus: requests, failures, queue and sequence."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

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
from ledger.errors import Unavailable
from ledger.store.pool import LOST

if TYPE_CHECKING:
    from api.assembly import Running

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
        self.leaves = Gauge("qazyna_tree_leaves", "Leaves in the tree of this process's notary",
                            registry=self.registry)  # fmt: skip
        self.signed = Gauge("qazyna_checkpoint_size", "Events under the newest checkpoint",
                            registry=self.registry)  # fmt: skip
        self.age = Gauge("qazyna_checkpoint_age_seconds", "Seconds since the newest checkpoint",
                         registry=self.registry)  # fmt: skip
        self.not_signing = Gauge("qazyna_notary_refuses", "1 while the notary refuses to sign",
                                 registry=self.registry)  # fmt: skip
        self.refusals = Gauge("qazyna_notary_refusals", "Refusals to sign since the start",
                              registry=self.registry)  # fmt: skip
        self.witnessed = Gauge(
            "qazyna_checkpoint_witnessed", "1 when a quorum of witnesses cosigned the newest",
            registry=self.registry,
        )  # fmt: skip
        self.witness_failures = Gauge(
            "qazyna_witness_failures", "Questions in a row that a witness did not cosign",
            ["witness"], registry=self.registry,
        )  # fmt: skip
        self.witness_refusals = Gauge(
            "qazyna_witness_refusals", "Trees that a witness found inconsistent since the start",
            ["witness"], registry=self.registry,
        )  # fmt: skip
        self.failures = Counter("qazyna_failures", "Answers 5xx", ["route"],
                                registry=self.registry)  # fmt: skip


class Telemetry:
    """Measures every request under its route's pattern, never under its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Stand around the application."""
        self.app = app
        self.metrics = metrics
        self._seconds = cache(metrics.seconds.labels)  # as many as there are series

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
            self._seconds(route, method, status).observe(time.perf_counter() - began)
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
    kept.leaves.set(parts.notary.leaves)
    kept.not_signing.set(parts.notary.refused is not None)
    kept.refusals.set(parts.notary.refusals)
    for state in parts.witnesses.witnesses if parts.witnesses else ():
        kept.witness_failures.labels(state.name).set(state.failures)
        kept.witness_refusals.labels(state.name).set(state.refusals)
    await _of_checkpoint(kept, parts)
    body = generate_latest(kept.registry) + generate_latest()
    return Response(body, media_type=CONTENT_TYPE_LATEST)


async def _of_checkpoint(kept: Metrics, parts: Running) -> None:
    """Set size and age of the newest checkpoint, which another process may have signed.

    Without a database the other metrics are still answered.
    """
    try:
        head = await parts.evidence.checkpoint()
    except (*LOST, Unavailable):
        return
    if head is not None:
        kept.signed.set(head.size)
        kept.witnessed.set(head.witnessed)
        kept.age.set((parts.ledger.clock() - head.made_at) / 10**6)
