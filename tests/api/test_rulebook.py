"""The rulebook: the jurisdiction in force and the versions of the classification."""


async def test_rulebook_names_jurisdiction_and_classifiers(service):
    found = await service.report("/v1/rulebook")
    assert found["position"] >= 3
    assert found["jurisdiction"]["currency"] == "KZT"
    assert found["jurisdiction"]["minor_digits"] == 2
    first, second = found["classifiers"][:2]
    assert (first["effective_until"], second["effective_from"]) == ("2025-12-31", "2026-01-01")
    titles = {tuple(code["line"]): code["title"] for code in second["codes"]}
    assert titles["revenue", "4"] == "Специальные поступления"


async def test_rulebook_changes_with_its_log(service, command):
    before = await service.report("/v1/rulebook")
    service.clock.set("2025-02-18")
    await service.accept(command(
        "PublishClassifier", "rulebook", "government", "2025-02-18", title="far",
        effective_from="2099-01-01", codes=[{"line": ["revenue", "1"], "title": "t"}]))  # fmt: skip
    after = await service.report("/v1/rulebook")
    assert after["position"] == before["position"] + 1
    assert after["classifiers"][-1] == {
        "title": "far", "effective_from": "2099-01-01", "effective_until": None,
        "codes": [{"line": ["revenue", "1"], "title": "t"}],
    }  # fmt: skip
