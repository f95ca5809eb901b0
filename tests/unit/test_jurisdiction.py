"""Jurisdictions are data: what ships is readable, dated rules answer for their day and level."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from ledger.errors import Broken, Invalid
from ledger.jurisdiction import Control, Policy, read_jurisdiction
from ledger.rules import Exemption, Rules
from tests.instruments.harness import ROOT, kazakhstan

FILES = [p for p in sorted((ROOT / "deploy/jurisdictions").glob("*.toml")) if "." not in p.stem]
KZ = read_jurisdiction(kazakhstan())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_jurisdiction_that_ships_can_be_read_and_used(path):
    found = read_jurisdiction(tomllib.loads(path.read_text(encoding="utf-8")))
    assert found.code.lower() == path.stem
    assert found.fiscal_year(2025).start.year == 2025
    assert {section.side for section in found.sections} <= {"receipts", "spending"}
    assert all(rule.law for rule in (*found.controls, *found.policies, *found.authority))


def test_kazakhstan_stops_at_every_limit():
    for name in ("cash", "special-account", "payments-plan", "unused-registration",
                 "commitments-plan", "appropriation", "plan-balance"):  # fmt: skip
        for level in (1, 2, 3, 4):
            assert KZ.control(name, level, date(2025, 1, 1)).mode == "stop"
            assert KZ.control(name, level, date(2003, 1, 1)).mode == "off"


def with_rules(**more):
    return read_jurisdiction({**kazakhstan(), **more})


def control(since, mode, levels=(), until=None):
    return {"control": "cash", "since": since, "until": until, "mode": mode,
            "levels": list(levels)}  # fmt: skip


DATED = [control("2004-01-01", "off"), control("2020-01-01", "warn", until="2021-12-31"),
         control("2025-01-01", "stop", levels=[3])]  # fmt: skip


@pytest.mark.parametrize(("level", "on", "mode"), [
    (3, "2003-01-01", "off"), (3, "2019-12-31", "off"), (3, "2020-01-01", "warn"),
    (3, "2021-12-31", "warn"), (3, "2022-01-01", "off"), (3, "2025-01-01", "stop"),
    (4, "2025-01-01", "off"),
])  # fmt: skip
def test_the_latest_control_in_force_wins(level, on, mode):
    for order in (DATED, DATED[::-1]):
        found = with_rules(controls=order).control("cash", level, date.fromisoformat(on))
        assert found.mode == mode


@pytest.mark.parametrize(("level", "on", "value"), [
    (3, "2025-01-01", 1500), (4, "2025-01-01", 2000), (4, "2016-01-01", None),
    (3, "2003-01-01", None),
])  # fmt: skip
def test_a_policy_of_a_level_and_a_day(level, on, value):
    found = KZ.policy("reallocation-max-bps", level, date.fromisoformat(on))
    assert (found.value if found else None) == value


@pytest.mark.parametrize("changes", [
    {"currency": 7}, {"levels": "one"}, {"sections": [{"name": "x"}]}, {"extra": 1},
    {"controls": [{"control": "cash", "mode": "stop", "since": "yesterday"}]},
    {"authority": [{"action": "x", "since": "2004-01-01"}]},
])  # fmt: skip
def test_an_unreadable_jurisdiction_names_each_place(changes):
    with pytest.raises(Invalid) as caught:
        with_rules(**changes)
    assert [error["place"].split(".")[0] for error in caught.value.details["errors"]]


def test_a_missing_jurisdiction_is_no_silent_default():
    with pytest.raises(Broken):
        _ = Rules().jurisdiction


def test_dated_things_hold_on_their_first_and_last_day():
    first, last = date(2025, 3, 1), date(2025, 9, 30)
    things = [
        Control(control="cash", mode="stop", since=first, until=last, levels=(3,)),
        Policy(policy="x", value=1, since=first, until=last, levels=(3,)),
        Exemption(effective_from=first, effective_until=last, levels=(3,)),
    ]
    days = (date(2025, 2, 28), first, last, date(2025, 10, 1))
    for thing in things:
        assert [thing.holds(3, day) for day in days] == [False, True, True, False]
        assert not thing.holds(4, first)
