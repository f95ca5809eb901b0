"""What a command accepts on the wire: strict, unknown fields are errors, bad text is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from ledger.errors import Invalid
from ledger.events import COMMANDS, read_command

GOOD = {
    "command": "CreditReceipt", "command_id": str(UUID(int=1)), "budget": "KZ-2025-republic",
    "actor": {"id": "person-1", "capacity": "treasury"},
    "act": {"id": "12", "date": "2025-02-01"}, "line": ["revenue", "1"], "amount": "430.00",
    "value_date": "2025-02-01",
}  # fmt: skip


def read(**changes: Any) -> Any:
    return read_command({**GOOD, **changes})


def test_a_command_is_read_from_the_wire():
    found = read(payer="k-1", adopted_on="2025-02-02", source={
        "name": "old", "recorded_on": "2025-02-03", "inferred": ["value_date"]})  # fmt: skip
    assert found.amount_minor == 43_000
    assert found.line == ("revenue", "1")
    assert found.adopted.isoformat() == "2025-02-02"
    assert found.effective.isoformat() == "2025-02-01"
    assert found.budgets() == ("KZ-2025-republic",)


BAD = [
    *(("amount", value) for value in (
        430, 430.0, True, None, [], {}, "", "0", "-1", "NaN", "1e400", "0.001", "+1", " 1", "1\n",
        "1" + "0" * 30, "1,5", float("nan"))),
    *(("value_date", value) for value in (
        "2025-1-1", "2025-02-30", "2025-W01-1", "20250201", "2025-02-01T00:00:00", 1_735_689_600,
        True, None, "", "01.02.2025", "２０２５-02-01")),
    *(("command_id", value) for value in (
        "1", "", None, 1, "urn:uuid:00000000-0000-0000-0000-000000000001",
        "{00000000-0000-0000-0000-000000000001}", "g" * 36)),
    *(("budget", value) for value in (
        "", "KZ", "kz-2025-x", "KZ-25-x", "KZ-2025-X", "KZ-2025-", "KZ-2025-x\n", "Rulebook",
        "KZ-2025-" + "x" * 80, 7, None, "KZ-2025-ы")),
    *(("line", value) for value in (
        [], [""], "revenue", ["revenue", 1], ["revenue", None], ["a"] * 10, ["a" * 201],
        ["revenue", "\x00"], ["revenue", "\ud800"], ["revenue", "\x85"], [["revenue"]], {})),
    *(("payer", value) for value in (
        "", " x", "x ", "a\nb", "\x00", "\ud800", "x" * 121, 7)),
    *(("actor", value) for value in (
        None, {}, {"id": "x"}, {"id": "x", "capacity": "y", "name": "z"}, "x", [])),
    *(("act", value) for value in (
        None, {}, {"id": "x"}, {"id": "", "date": "2025-01-01"}, {"id": "x" * 501,
                                                                  "date": "2025-01-01"})),
    *(("reason", value) for value in ("", "x" * 4001, "a\tb", 5)),
    ("unknown", "field"), ("amount_minor", 43_000), ("recorded_at", 5), ("rules_at", 1),
    ("name", "CreditReceipt"), ("source", {"name": "x"}), ("source", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda part: ascii(part)[:40])
def test_what_cannot_be_read_is_named(name, value):
    with pytest.raises(Invalid) as caught:
        read(**{name: value})
    places = [error["place"].split(".")[0] for error in caught.value.details["errors"]]
    assert name in places


@pytest.mark.parametrize("name", [None, "", "Nothing", 7, ["CreditReceipt"], "os.system"])
def test_a_command_that_is_not_known(name):
    with pytest.raises(Invalid):
        read_command({**GOOD, "command": name})


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_each_command_names_every_field_that_is_missing(name):
    with pytest.raises(Invalid) as caught:
        read_command({"command": name})
    places = {error["place"] for error in caught.value.details["errors"]}
    assert {"command_id", "budget", "actor", "act"} <= places


def test_every_place_is_named_at_once():
    with pytest.raises(Invalid) as caught:
        read(amount=1, value_date="x", line=[])
    assert len(caught.value.details["errors"]) == 3


def test_text_is_kept_in_one_normal_form():
    decomposed = "Алматы облысы и\u0306"
    assert read(reason=decomposed).reason == "Алматы облысы й"


@pytest.mark.parametrize(("digits", "text", "minor"), [(0, "430", 430), (3, "0.001", 1)])
def test_an_amount_is_read_in_the_ledgers_currency(digits, text, minor):
    assert read_command({**GOOD, "amount": text}, digits=digits).amount_minor == minor


@pytest.mark.parametrize("month", ["0000-01", "2025-13", "2025-00", "2025-1", "2025-01-01", 202501])
def test_what_is_no_month(month):
    plan = {"line": ["a"], "payments": [{"month": month, "amount": "1"}]}
    document = {k: GOOD[k] for k in ("command_id", "budget", "actor", "act")}
    with pytest.raises(Invalid):
        read_command({**document, "command": "SetPlan", "effective_from": "2025-01-01",
                      "lines": [plan]})  # fmt: skip
