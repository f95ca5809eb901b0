"""The OpenAPI document: kept in docs, whole, with examples that fit their schemas."""

import jsonschema_rs
import pytest

from api.app import create_app
from api.examples import EXAMPLES
from api.openapi import text
from api.settings import PROJECT, Settings
from ledger.events import COMMANDS

APP = create_app(Settings())
SCHEMA = APP.openapi()


def test_document_in_docs_is_the_one_that_is_served():
    kept = (PROJECT / "docs" / "openapi.json").read_text("utf-8")
    assert kept == text(APP), "run: python -m api.openapi"


def test_every_reference_leads_somewhere():
    def references(value):
        if isinstance(value, dict):
            yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            for part in value.values():
                yield from references(part)
        elif isinstance(value, list):
            for part in value:
                yield from references(part)

    known = {f"#/components/schemas/{name}" for name in SCHEMA["components"]["schemas"]}
    assert set(references(SCHEMA)) <= known


def test_every_command_is_a_component_named_by_the_discriminator():
    schemas = SCHEMA["components"]["schemas"]
    mapping = schemas["Command"]["discriminator"]["mapping"]
    assert set(mapping) == set(COMMANDS)
    assert all(schemas[name]["properties"]["command"]["const"] == name for name in COMMANDS)


@pytest.mark.parametrize("example", EXAMPLES, ids=[e["command"] for e in EXAMPLES])
def test_example_fits_its_schema(example):
    whole = {"$ref": f"#/components/schemas/{example['command']}",
             "components": SCHEMA["components"]}  # fmt: skip
    jsonschema_rs.validate(whole, example)


async def test_document_is_served(service):
    assert (await service.report("/openapi.json")) == SCHEMA
