"""One check over dated data (I3): the capacity, the level and the day decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from ledger.authority import check_authority
from ledger.errors import Refuse
from ledger.jurisdiction import Authority, read_jurisdiction
from tests.instruments.harness import kazakhstan

KZ = read_jurisdiction(kazakhstan())


def allowed(jurisdiction, action, capacity, level, on):
    try:
        check_authority(jurisdiction, action=action, capacity=capacity, level=level,
                        on=date.fromisoformat(on))  # fmt: skip
    except Refuse as verdict:
        return (verdict.refusal.code, verdict.refusal.rule) != ("actor-not-authorized", "I3")
    return True


# E1: action, capacity, level, day, allowed
MATRIX = [
    ("legislate", "parliament", 1, "2025-01-01", True),
    ("legislate", "government", 1, "2025-01-01", False),
    ("legislate", "maslikhat", 2, "2025-01-01", True),
    ("legislate", "maslikhat", 4, "2016-01-01", True),
    ("legislate", "akim", 4, "2025-01-01", False),
    ("legislate", "maslikhat", 3, "2003-12-31", False),
    ("adjust", "government", 1, "2025-01-01", True),
    ("adjust", "akimat", 2, "2025-01-01", True),
    ("adjust", "akim", 4, "2017-12-31", False),
    ("adjust", "akim", 4, "2018-01-01", True),
    ("sequester", "akim", 4, "2017-12-31", False),
    ("sequester", "akim", 4, "2018-01-01", True),
    ("sequester", "parliament", 1, "2025-01-01", True),
    ("sequester-above", "government", 1, "2025-01-01", False),
    ("sequester-above", "parliament", 1, "2025-01-01", True),
    ("sequester-above", "akimat", 3, "2025-01-01", False),
    ("sequester-above", "maslikhat", 3, "2025-01-01", True),
    ("exempt", "parliament", 0, "2025-01-01", True),
    ("exempt", "maslikhat", 0, "2025-01-01", False),
    ("plan", "treasury", 3, "2025-01-01", True),
    ("plan", "akim", 4, "2025-01-01", True),
    ("pay", "treasury", 4, "2025-01-01", True),
    ("pay", "akim", 4, "2025-01-01", False),
    ("open-special-account", "akim", 4, "2025-01-01", True),
    ("open-special-account", "akim", 3, "2025-01-01", False),
    ("fly", "parliament", 1, "2025-01-01", False),
]


@pytest.mark.parametrize(("action", "capacity", "level", "on", "expected"), MATRIX)
def test_the_authority_matrix(action, capacity, level, on, expected):
    assert allowed(KZ, action, capacity, level, on) is expected


def test_each_action_of_a_command_is_listed():
    from ledger.events import COMMANDS  # noqa: PLC0415 - after the registry is filled

    listed = {rule.action for rule in KZ.authority}
    assert {cls.action for cls in COMMANDS.values()} | {"sequester-above"} == listed


def test_a_rule_that_ended_gives_no_right():
    rule = Authority(action="adjust", capacities=("akim",), levels=(4,),
                     since=date(2018, 1, 1), until=date(2018, 12, 31))  # fmt: skip
    rules = replace(KZ, authority=(rule,))
    days = ("2017-12-31", "2018-01-01", "2018-12-31", "2019-01-01")
    assert [allowed(rules, "adjust", "akim", 4, day) for day in days] == [False, True, True, False]


def test_a_refusal_names_who_may_and_the_law():
    with pytest.raises(Refuse) as caught:
        check_authority(KZ, action="adjust", capacity="akimat", level=1, on=date(2025, 1, 1))
    assert "may: government" in caught.value.refusal.message
    assert caught.value.refusal.law == "K25 98"
