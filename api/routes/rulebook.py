"""GET /v1/rulebook: the jurisdiction and the versions of the classification, as committed."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from api.documents import Rulebook, not_modified, problem_answers
from api.etag import report
from api.parameters import only_known
from api.parts import ledger_of, rules_of
from ledger.classification import Classifier
from ledger.events import plain
from ledger.jurisdiction import Jurisdiction

router = APIRouter(tags=["rules"], dependencies=[Depends(only_known)])


@router.get("/v1/rulebook", summary="The rules in force", response_class=Response,
            responses={200: {"model": Rulebook}, **not_modified(), **problem_answers(422, 503)})  # fmt: skip
async def get_rulebook(request: Request) -> Response:
    """Return the rules as of the rulebook's last position."""
    async with ledger_of(request).database.connect("reader") as connection:
        rules = await rules_of(request, connection)
    return report(request, {
        "position": rules.position,
        "jurisdiction": jurisdiction(rules.adopted) if rules.adopted else None,
        "classifiers": [classifier(version) for version in rules.classification.versions],
        "exemptions": [plain(entry) for entry in rules.exemptions],
    })  # fmt: skip


def jurisdiction(adopted: Jurisdiction) -> dict[str, Any]:
    """Return a jurisdiction as its document; absent fields are left out."""
    document: dict[str, Any] = plain(adopted)
    return document


def classifier(version: Classifier) -> dict[str, Any]:
    """Return a version of the classification with its codes."""
    return {
        "title": version.name, "effective_from": version.effective_from.isoformat(),
        "effective_until": version.effective_until.isoformat() if version.effective_until else None,
        "codes": [{"line": list(path), "title": title} for path, title in version.titles.items()],
    }  # fmt: skip
