"""Liveness, readiness and metrics."""

import asyncio


async def test_service_is_alive_and_ready(service):
    assert (await service.report("/healthz")) == {"status": "alive"}
    ready = await service.report("/readyz")
    assert ready["status"] == "ready"
    assert ready["waiting"] == 0


async def test_service_is_not_ready_while_reports_lag(service, monkeypatch):
    async def behind(*_):
        return -100_000

    monkeypatch.setattr(service.app.state.running.runner, "sequence", behind)
    answer = await service.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert answer.headers["retry-after"]


async def test_service_is_not_ready_while_it_takes_no_commands(service, monkeypatch):
    monkeypatch.setattr(service.app.state.running.ledger.appender, "_closing", True)
    answer = await service.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert (await service.get("/healthz")).status_code == 200


async def test_metrics_count_requests_by_route_and_never_by_path(service):
    await service.get("/v1/budgets/KZ-2025-secret")
    await service.get("/no/such/path")
    await asyncio.sleep(0)
    text = (await service.get("/metrics")).text
    assert 'route="/v1/budgets/{budget}"' in text
    assert "KZ-2025-secret" not in text
    assert "such/path" not in text
    assert "qazyna_projection_lag_events" in text
