"""GET /v1/rulebook: the jurisdiction and the versions of the classification, as committed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.documents import Rulebook, not_modified, problem_answers
from api.etag import report
from api.parameters import StrictRoute
from api.parts import ledger_of, rules_of
from ledger.classification import Classifier
from ledger.events import adapter
from ledger.jurisdiction import Jurisdiction
from ledger.rules import Exemption

router = APIRouter(tags=["rules"], route_class=StrictRoute)


@router.get("/v1/rulebook", summary="The rules in force", response_class=Response,
            responses={200: {"model": Rulebook}, **not_modified(),
                       **problem_answers(422, 503)})  # fmt: skip
async def get_rulebook(request: Request) -> Response:
    """Return the rules as of the rulebook's last position."""
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
    return report(request, {
        "position": rules.position,
        "jurisdiction": shown(rules.adopted) if rules.adopted else None,
        "classifiers": [classifier(version) for version in rules.classification.versions],
        "exemptions": [shown(entry) for entry in rules.exemptions],
    })  # fmt: skip


def shown(entry: Jurisdiction | Exemption) -> dict[str, Any]:
    """Return a part of the rules as JSON types, every field of it."""
    document: dict[str, Any] = adapter(type(entry)).dump_python(entry, mode="json")
    return document


def classifier(version: Classifier) -> dict[str, Any]:
    """Return a version of the classification with its codes."""
    return {
        "title": version.name, "effective_from": version.effective_from.isoformat(),
        "effective_until": version.effective_until.isoformat() if version.effective_until else None,
        "codes": [{"line": list(path), "title": title} for path, title in version.titles.items()],
    }  # fmt: skip
