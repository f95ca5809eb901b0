"""The registry of event kinds with the schemas of their bodies."""

import json

import jsonschema_rs

from ledger.events import EVENTS


async def test_every_kind_is_listed_with_its_schema(service):
    found = {item["kind"]: item for item in (await service.report("/v1/kinds"))["items"]}
    assert set(found) == set(EVENTS)
    for item in found.values():
        assert item["version"] >= 1
        assert item["description"]
        jsonschema_rs.validator_for(item["schema"])


async def test_names_of_kinds_in_the_feed_are_listed(service):
    listed = {item["kind"] for item in (await service.report("/v1/kinds"))["items"]}
    feed = await service.report("/v1/events")
    assert {item["kind"] for item in feed["items"]} <= listed
    assert all(json.loads(item["body"])["kind"] in listed for item in feed["items"])
