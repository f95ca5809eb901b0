"""Bodies: canonical, the same whoever writes them; the chain; the registry's declarations."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import orjson
import pytest

from ledger.events import (
    COMMANDS,
    EVENTS,
    MEASURES,
    Movement,
    canonical,
    command,
    command_document,
    decode,
    encode,
    event,
    link,
    log_id,
    plain,
    read_command,
    typed_state,
    with_flags,
)
from ledger.instruments.approval import ApproveBudget, BudgetApproved

WIRE = {
    "command": "ApproveBudget", "command_id": str(UUID(int=1)), "budget": "KZ-2025-x",
    "actor": {"id": "p", "capacity": "maslikhat"}, "act": {"id": "1", "date": "2024-12-24"},
    "effective_from": "2025-01-01", "balance": "0.00",
    "lines": [{"line": ["revenue", "1"], "amount": "10"},
              {"line": ["expenditure", "01"], "amount": "10", "contra": False}],
}  # fmt: skip


def approved():
    asked = read_command(WIRE)
    return BudgetApproved(
        originator_id="KZ-2025-x", originator_version=3, command_id=asked.command_id,
        recorded_at=5, rules_at=1, command=asked)  # fmt: skip


def test_a_body_holds_the_whole_command_and_no_absent_field():
    body = encode(approved())
    assert orjson.loads(body) == {
        "command": {
            "act": {"date": "2024-12-24", "id": "1"},
            "actor": {"capacity": "maslikhat", "id": "p"}, "balance_minor": 0,
            "effective_from": "2025-01-01",
            "lines": [{"amount_minor": 1000, "line": ["revenue", "1"]},
                      {"amount_minor": 1000, "line": ["expenditure", "01"]}],
            "name": "ApproveBudget",
        },
        "command_id": str(UUID(int=1)), "kind": "budget.approved", "recorded_at": 5, "rules_at": 1,
    }  # fmt: skip
    assert body == canonical(orjson.loads(body))


def test_a_body_is_read_back_as_it_was():
    fact = approved()
    assert decode(encode(fact), "KZ-2025-x", 3) == fact
    assert typed_state(encode(fact))[0] is BudgetApproved


def test_flags_are_part_of_the_body():
    flagged = with_flags(approved(), ("cash",))
    assert decode(encode(flagged), "KZ-2025-x", 3).flags == ("cash",)
    assert with_flags(approved(), ()) == approved()


def test_an_empty_required_list_stays_so_that_a_refused_command_can_be_read():
    asked = read_command({**WIRE, "lines": []})
    document = command_document(asked)
    assert document["lines"] == []
    again = {**document, "budget": asked.budget, "command_id": asked.command_id}
    assert read_command(again, stored=True) == asked


def test_canonical_bytes_are_sorted_and_hold_no_space():
    assert canonical({"б": 1, "a": [True, "\u0001"]}) == '{"a":[true,"\\u0001"],"б":1}'.encode()


@pytest.mark.parametrize("value", [1.5, object(), b"x", {1, 2}])
def test_what_has_no_stored_form_is_refused(value):
    with pytest.raises(TypeError):
        plain(value)


def test_the_chain_depends_on_every_part():
    parts = (b"\0" * 32, 1, 1, b"{}")
    first = link(*parts)
    assert len(first) == 32
    others = {link(b"\1" * 32, 1, 1, b"{}"), link(parts[0], 2, 1, b"{}"),
              link(parts[0], 1, 2, b"{}"), link(parts[0], 1, 1, b"[]")}  # fmt: skip
    assert len(others | {first}) == 5


def test_a_log_number_is_63_bits_and_stable():
    assert log_id("rulebook") == log_id("rulebook")
    assert 0 <= log_id("KZ-2025-republic") < 2**63


def test_a_plan_month_counts_from_its_first_day_or_later():
    march, april = date(2025, 3, 1), date(2025, 4, 10)
    moved = Movement(effective_from=april, adopted_on=april, month=march)
    assert moved.counts_from == april
    assert moved._replace(effective_from=date(2025, 1, 5)).counts_from == march
    assert moved._replace(month=None).counts_from == april


def test_names_follow_the_house():
    assert all(kind == kind.lower() and kind.count(".") >= 1 for kind in EVENTS)
    assert all(cls.__name__ == name for name, cls in COMMANDS.items())
    assert len(set(EVENTS.values())) == len(EVENTS)
    assert all(cls.action for cls in COMMANDS.values())
    assert len(set(MEASURES)) == len(MEASURES)


def test_a_name_is_declared_once():
    with pytest.raises(TypeError, match="twice"):
        command("ApproveBudget", action="x")(type("Another", (ApproveBudget,), {}))
    with pytest.raises(TypeError, match="twice"):
        event("budget.approved", example={})(type("Another", (BudgetApproved,), {}))


def test_declaring_the_same_class_again_is_no_second_declaration():
    assert command("ApproveBudget", action="legislate")(ApproveBudget) is ApproveBudget
