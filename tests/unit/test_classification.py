"""A code means nothing without a date (I26): versions, membership, form."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.classification import Classification, Classifier
from ledger.errors import Refuse
from ledger.jurisdiction import read_jurisdiction
from tests.instruments.harness import kazakhstan

KZ = read_jurisdiction(kazakhstan())
Y25, Y26 = date(2025, 6, 1), date(2026, 6, 1)
FOUR, FIVE, SEVEN = ("revenue", "4"), ("revenue", "5"), ("revenue", "7")


def version(name, since, until=None, **titles):
    paths = {("revenue", code[1:]): title for code, title in titles.items()}
    return Classifier(name, since, until, paths)


OLD = version("2025", date(2025, 1, 1), _4="transfers", _5="repayment", _7="loans")
NEW = version("2026", date(2026, 1, 1), _4="special receipts", _5="transfers")


def published(*versions):
    found = Classification()
    for one in versions:
        found = found.published(one)
    return found


ORDERS = [(OLD, NEW), (NEW, OLD)]


@pytest.mark.parametrize("order", ORDERS, ids=["in order", "the older one later"])
@pytest.mark.parametrize(("path", "on", "meaning"), [
    (FOUR, Y25, "transfers"), (FOUR, Y26, "special receipts"), (FIVE, Y25, "repayment"),
    (FIVE, Y26, "transfers"), (SEVEN, Y25, "loans"), (SEVEN, Y26, None),
    (FOUR, date(2024, 12, 31), None), (FOUR, date(2025, 12, 31), "transfers"),
    (FOUR, date(2026, 1, 1), "special receipts"), (("revenue", "4", "01"), Y25, None),
])  # fmt: skip
def test_what_a_code_means_on_a_day(order, path, on, meaning):
    assert published(*order).title(path, on) == meaning


def code_of(found, path, on):
    try:
        return found.check(path, on, KZ).name
    except Refuse as verdict:
        return verdict.refusal.code


@pytest.mark.parametrize("order", ORDERS, ids=["in order", "the older one later"])
@pytest.mark.parametrize(("path", "on", "answer"), [
    (SEVEN, Y25, "revenue"), (SEVEN, Y26, "code-not-in-force"),
    (("revenue", "9"), Y26, "unknown-code"),
    (SEVEN, date(2024, 6, 1), "revenue"),  # no list is loaded for the day: form only
    (("revenue", "4", "01"), Y26, "revenue"),  # no list is loaded for classes
    (("revenue", "9", "01"), Y26, "unknown-code"), (("revenue", "4", "1"), Y26, "unknown-code"),
    (("revenue",), Y26, "revenue"), (("expenditure", "01"), Y26, "expenditure"),
    (("expenditure", "x1"), Y26, "unknown-code"), (("wages",), Y26, "unknown-section"),
    (("revenue", "4", "01", "1", "11", "1"), Y26, "unknown-code"),
    (("financing", "1"), Y26, "unknown-code"),
])  # fmt: skip
def test_whether_a_line_is_valid_on_a_day(order, path, on, answer):
    assert code_of(published(*order), path, on) == answer


def test_a_version_that_ended_speaks_for_no_later_day():
    found = published(version("one month", date(2025, 1, 1), date(2025, 1, 31), _1="taxes"))
    assert code_of(found, FOUR, date(2025, 1, 31)) == "unknown-code"
    assert code_of(found, FOUR, date(2025, 2, 1)) == "revenue"


def test_the_last_published_of_one_day_speaks():
    fixed = version("2025 corrected", date(2025, 1, 1), _4="transfers in", _6="sales")
    found = published(OLD, fixed)
    assert found.title(FOUR, Y25) == "transfers in"
    assert code_of(found, SEVEN, Y25) == "code-not-in-force"


def test_a_refusal_names_when_the_code_was_in_force():
    with pytest.raises(Refuse) as caught:
        published(OLD, NEW).check(SEVEN, Y26, KZ)
    assert "2025: from 2025-01-01 to now" in caught.value.refusal.message
    assert dict(caught.value.refusal.figures)["classifier"] == "2026"
