"""The OpenAPI document: FastAPI's, with every command as a component and examples that run.

`python -m api.openapi` writes `docs/openapi.json`; a test keeps it up to date.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from fastapi import FastAPI

from api.documents import ProblemDocument, RefusalDocument
from api.examples import EXAMPLES
from api.settings import PROJECT, Settings
from ledger.events import COMMANDS, adapter

VERSION = "1.0.0"
SUMMARY = "An event-sourced public budget ledger"
DESCRIPTION = """\
Commands are decided exactly once under their `command_id` and answered with a position in the
budget's log; reports are true for a `sequence` of the whole ledger, which they name. Amounts are
decimal strings in the ledger's currency. Every error is an RFC 9457 problem with a stable `code`.
Examples of commands run as they stand, posted in their order to an empty ledger.
"""
REF = "#/components/schemas/{model}"


def describe(app: FastAPI) -> None:
    """Let the application answer the whole document at /openapi.json."""
    plain = app.openapi

    def whole() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(plain())
        return app.openapi_schema

    app.openapi = whole  # type: ignore[method-assign]


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add commands, their examples and the problems to FastAPI's document."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(command_schemas())
    for model in (ProblemDocument, RefusalDocument):
        _hoist(schemas, model.__name__, model.model_json_schema(ref_template=REF))
    for operations in document["paths"].values():
        for operation in operations.values():
            body = operation.pop("x-body", None)
            if body is not None:
                operation["requestBody"] = _bodies()[body]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    return document


@cache
def command_schemas() -> dict[str, Any]:
    """Return the schema of each command and of what they are made of."""
    schemas: dict[str, Any] = {}
    for name, cls in COMMANDS.items():
        schema = adapter(cls).json_schema(by_alias=True, ref_template=REF)
        schema["properties"] = {"command": {"type": "string", "const": name},
                                **schema["properties"]}  # fmt: skip
        schema["required"] = ["command", *schema["required"]]
        schema["examples"] = [example for example in EXAMPLES if example["command"] == name]
        _hoist(schemas, name, schema)
    schemas["Command"] = {
        "description": "One command; `command` names its kind.",
        "oneOf": [{"$ref": REF.format(model=name)} for name in sorted(COMMANDS)],
        "discriminator": {
            "propertyName": "command",
            "mapping": {name: REF.format(model=name) for name in sorted(COMMANDS)},
        },
    }
    return schemas


def _hoist(schemas: dict[str, Any], name: str, schema: dict[str, Any]) -> None:
    """Put a schema and its parts beside the others."""
    schemas.update(schema.pop("$defs", {}))
    schemas[name] = schema


def _bodies() -> dict[str, dict[str, Any]]:
    """Return the request bodies by name."""
    one = {"$ref": REF.format(model="Command")}
    examples = {
        f"{place:02} {example['command']}": {"value": example}
        for place, example in enumerate(EXAMPLES, 1)
    }
    lines = "".join(json.dumps(example, ensure_ascii=False) + "\n" for example in EXAMPLES[-2:])
    return {
        "command": {
            "required": True,
            "content": {"application/json": {"schema": one, "examples": examples}},
        },
        "batch": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "array", "maxItems": 10_000, "items": one},
                    "example": list(EXAMPLES[-2:]),
                },
                "application/x-ndjson": {"schema": {"type": "string"}, "example": lines},
            },
        },
    }


def main() -> None:
    """Write the document to docs/openapi.json."""
    from api.app import create_app  # noqa: PLC0415 - the application imports this module

    target = PROJECT / "docs" / "openapi.json"
    target.write_text(text(create_app(Settings())), encoding="utf-8")


def text(app: FastAPI) -> str:
    """Return the document as it is kept in the project."""
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    main()
