"""Every refusal that the rules can give is expected by at least one scenario in this folder."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ledger.limits import LIMITS

HERE = Path(__file__).parent
LEDGER = HERE.parents[1] / "ledger"
SOURCES = [
    *sorted((LEDGER / "instruments").glob("*.py")),
    *(LEDGER / f"{name}.py" for name in (
        "authority", "balance", "cells", "classification", "decision", "exempting", "planning")),
]  # fmt: skip
PLACES = {"Refuse": 0, "require": 1, "check_totals": 1}
"""Where the code stands among the arguments of what refuses."""


def called(node: ast.Call) -> str:
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def constants(node: ast.AST | None) -> Iterator[str]:
    """Yield the strings that an expression may give; a name is left to its assignment."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def given_by(text: str) -> set[str]:
    """Return the codes that a source file may refuse with."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            place = PLACES.get(called(node))
            if place is not None and len(node.args) > place:
                found |= {*constants(node.args[place])}
            if called(node) == "Refusal":
                found |= {c for k in node.keywords if k.arg == "code" for c in constants(k.value)}
        elif isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["code"]:
            found |= {*constants(node.value)}
    return found


def expected_by(text: str) -> set[str]:
    """Return the codes and limits that a module of scenarios expects."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and called(node) == "refused":
            found |= {*constants(node.args[0])}
            found |= {c for arg in node.args[1:] for part in ast.walk(arg) for c in constants(part)}
    return found


def expected() -> set[str]:
    modules = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    return {code for path in modules for code in expected_by(path.read_text(encoding="utf-8"))}


def test_every_refusal_has_a_scenario():
    codes = {code for path in SOURCES for code in given_by(path.read_text(encoding="utf-8"))}
    assert len(codes) > 40
    assert codes - expected() == set()


def test_every_limit_has_a_scenario_in_which_it_breaks():
    assert {limit.name for limit in LIMITS} - expected() == set()


def test_the_collection_sees_each_form_of_refusal():
    text = """
raise Refuse("one", "message")
case.require(x, "two", "message")
Refusal(code="three", message="")
code = "four" if x else "five"
check_totals(lines, "six")
"""
    assert given_by(text) == {"one", "two", "three", "four", "five", "six"}
